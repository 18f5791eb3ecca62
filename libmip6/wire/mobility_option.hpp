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
struct UnknownOption {  // skipped by receivers, kept for whoever writes it back
  std::uint8_t type = 0;
  Bytes data{};
  bool operator==(const UnknownOption&) const = default;
};
using MobilityOption = std::variant<BindingRefreshAdvice, AlternateCareOfAddress, NonceIndices,
                                    BindingAuthorizationData, MobileNodeIdentifier, RestartCounter, UnknownOption>;

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
