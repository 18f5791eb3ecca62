// Mobility Header messages (RFC 6275 section 6.1) as values, and their way to bytes and back.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <variant>
#include <vector>

#include "libmip6/address.hpp"
#include "libmip6/sequence.hpp"

namespace mip6 {

using Bytes = std::vector<std::uint8_t>;

// Why bytes are no message: `offset` counts from the first byte of the Mobility Header.
struct ParseError {
  std::size_t offset = 0;
  std::string_view reason;  // static text
  bool operator==(const ParseError&) const = default;
};

// Binding lifetime; on the wire 16 bits in units of 4 seconds, rounded down when written.
using Lifetime = std::chrono::seconds;
inline constexpr Lifetime kMaxLifetime{65535 * 4};

// Status of a Binding Acknowledgement (RFC 6275 section 6.1.8); below 128: accepted.
enum class Status : std::uint8_t {
  kAccepted = 0,
  kAcceptedPrefixDiscoveryNecessary = 1,
  kReasonUnspecified = 128,
  kAdministrativelyProhibited = 129,
  kInsufficientResources = 130,
  kHomeRegistrationNotSupported = 131,
  kNotHomeSubnet = 132,
  kNotHomeAgentForThisNode = 133,
  kDuplicateAddressDetectionFailed = 134,
  kSequenceNumberOutOfWindow = 135,
  kExpiredHomeNonceIndex = 136,
  kExpiredCareOfNonceIndex = 137,
  kExpiredNonces = 138,
  kRegistrationTypeChangeDisallowed = 139,
  kInvalidCareOfAddress = 174,
};
constexpr bool is_accepted(Status status) { return static_cast<std::uint8_t>(status) < 128; }
std::string_view name_of(Status status);  // the RFC's words; "unknown status" otherwise

// --- mobility options (section 6.2) ---
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
struct UnknownOption {  // skipped by receivers, kept for whoever writes it back
  std::uint8_t type = 0;
  Bytes data{};
  bool operator==(const UnknownOption&) const = default;
};
using MobilityOption =
    std::variant<BindingRefreshAdvice, AlternateCareOfAddress, NonceIndices, BindingAuthorizationData, UnknownOption>;

// The first option of type T, or nullptr.
template <class T>
const T* find_option(const std::vector<MobilityOption>& options) {
  for (const auto& option : options)
    if (const T* found = std::get_if<T>(&option)) return found;
  return nullptr;
}

// --- messages ---
enum class MhType : std::uint8_t {
  kBindingRefreshRequest = 0,
  kHomeTestInit = 1,
  kCareOfTestInit = 2,
  kHomeTest = 3,
  kCareOfTest = 4,
  kBindingUpdate = 5,
  kBindingAcknowledgement = 6,
  kBindingError = 7,
};

struct BindingRefreshRequest {  // 6.1.2
  static constexpr MhType kType = MhType::kBindingRefreshRequest;
  std::vector<MobilityOption> options{};
  bool operator==(const BindingRefreshRequest&) const = default;
};

// 6.1.7: the mobile node tells a peer its care-of address.
struct BindingUpdate {
  static constexpr MhType kType = MhType::kBindingUpdate;
  SequenceNumber sequence{};
  bool acknowledge = false;        // A
  bool home_registration = false;  // H
  bool link_local = false;         // L: interface identifier of home address = that of the link-local address
  bool key_mobility = false;       // K: the sender can move its IKE endpoint
  Lifetime lifetime{};             // zero de-registers
  std::vector<MobilityOption> options{};
  bool operator==(const BindingUpdate&) const = default;
};

struct BindingAcknowledgement {  // 6.1.8
  static constexpr MhType kType = MhType::kBindingAcknowledgement;
  Status status = Status::kAccepted;
  bool key_mobility = false;  // K
  SequenceNumber sequence{};
  Lifetime lifetime{};
  std::vector<MobilityOption> options{};
  bool operator==(const BindingAcknowledgement&) const = default;
};

struct BindingError {  // 6.1.9
  static constexpr MhType kType = MhType::kBindingError;
  std::uint8_t status = 0;  // 1: unknown binding for home address option, 2: unrecognized MH type
  Ipv6Address home_address{};
  std::vector<MobilityOption> options{};
  bool operator==(const BindingError&) const = default;
};

// Any other type: kept as bytes after the checksum field. (Return routability comes with the correspondents.)
struct UnknownMessage {
  std::uint8_t type = 0;
  Bytes data{};
  bool operator==(const UnknownMessage&) const = default;
};

using Message =
    std::variant<BindingRefreshRequest, BindingUpdate, BindingAcknowledgement, BindingError, UnknownMessage>;

// Parses one whole Mobility Header, from its Payload Proto field on. Checks Payload Proto (59), Header Len against the
// number of bytes and each option (section 9.2); does not check the checksum (the kernel has; see checksum()).
tl::expected<Message, ParseError> parse_message(std::span<const std::uint8_t> bytes);

// The bytes of a message, options aligned and padded (section 6.2), checksum field zero (a Linux raw socket of protocol
// 135 fills it in). Never fails.
Bytes write_message(const Message& message);

// Checksum over the pseudo-header with these addresses (section 6.1.1: the home address, where a home address option or
// type 2 routing header is used) and the message, whose checksum field must be zero. Host byte order.
std::uint16_t checksum(std::span<const std::uint8_t> message, const Ipv6Address& source,
                       const Ipv6Address& destination);

}  // namespace mip6
