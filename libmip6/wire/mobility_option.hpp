// Mobility options (RFC 6275 section 6.2) as values; padding is none of them, the writer makes it.
#pragma once

#include <array>
#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <variant>

#include "libmip6/address.hpp"
#include "libmip6/wire/values.hpp"

namespace mip6 {

struct BindingRefreshAdvice {  // 6.2.4: refresh interval, units of 4 s on the wire
  Lifetime interval{};
  bool operator==(const BindingRefreshAdvice&) const = default;
};
struct AlternateCareOfAddress {  // 6.2.5
  Ipv6Address care_of{};
  bool operator==(const AlternateCareOfAddress&) const = default;
};
struct NonceIndices {  // 6.2.6
  std::uint16_t home = 0;
  std::uint16_t care_of = 0;
  bool operator==(const NonceIndices&) const = default;
};
struct BindingAuthorizationData {  // 6.2.7
  std::array<std::uint8_t, 12> authenticator{};
  bool operator==(const BindingAuthorizationData&) const = default;
};
struct MobileNodeIdentifier {  // RFC 4283 section 3
  static constexpr std::uint8_t kNetworkAccessIdentifier = 1;
  std::uint8_t subtype = kNetworkAccessIdentifier;
  Bytes identifier{};  // at most 254 octets; of a network access identifier its characters
  bool operator==(const MobileNodeIdentifier&) const = default;
};
struct RestartCounter {  // RFC 5847 section 3.4: grows with each restart of the sender
  std::uint32_t value = 0;
  bool operator==(const RestartCounter&) const = default;
};
// This and the next are for what Binding Revocation tells of bindings (RFC 5846 section 5.1). Of the options that it
// names, those of Proxy Mobile IPv6 have no type of their own here.
struct BindingIdentifier {        // RFC 5648 section 4.3
  std::uint16_t id = 0;           // host byte order; 0 is reserved
  std::uint8_t status = 0;        // of this binding; 0: that of the message
  bool home_and_foreign = false;  // H: registered abroad while the node is at home
  Bytes care_of{};                // octets as on the wire: none, 4 (IPv4) or 16 (IPv6)
  bool operator==(const BindingIdentifier&) const = default;
};
struct Ipv4HomeAddress {                  // RFC 5555 section 3.1.1
  std::uint8_t prefix_length = 32;        // bits; 6 on the wire, 0 is an error of the sender
  bool prefix_wanted = false;             // P
  std::array<std::uint8_t, 4> address{};  // octets as on the wire
  bool operator==(const Ipv4HomeAddress&) const = default;
};
struct UnknownOption {  // skipped by receivers, kept for whoever writes it back
  std::uint8_t type = 0;
  Bytes data{};
  bool operator==(const UnknownOption&) const = default;
};
using MobilityOption =
    std::variant<BindingRefreshAdvice, AlternateCareOfAddress, NonceIndices, BindingAuthorizationData,
                 MobileNodeIdentifier, RestartCounter, BindingIdentifier, Ipv4HomeAddress, UnknownOption>;

// Two have room without a heap allocation: a home registration needs no more.
using MobilityOptions = boost::container::small_vector<MobilityOption, 2>;

// The first option of type T, or nullptr.
template <class T>
const T* find_option(const MobilityOptions& options) {
  for (const auto& option : options)
    if (const T* found = std::get_if<T>(&option)) return found;
  return nullptr;
}

}  // namespace mip6
