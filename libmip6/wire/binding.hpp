// The messages about bindings (RFC 6275 sections 6.1.2 and 6.1.7 to 6.1.9) as values.
#pragma once

#include <cstdint>
#include <string_view>

#include "libmip6/address.hpp"
#include "libmip6/sequence.hpp"
#include "libmip6/wire/mh_type.hpp"
#include "libmip6/wire/mobility_option.hpp"

namespace mip6 {

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
  kMobileRouterOperationNotPermitted = 140,  // 140 to 143: RFC 3963 section 4.2
  kInvalidPrefix = 141,
  kNotAuthorizedForPrefix = 142,
  kForwardingSetupFailed = 143,
  kInvalidCareOfAddress = 174,
};
constexpr bool is_accepted(Status status) { return static_cast<std::uint8_t>(status) < 128; }
std::string_view name_of(Status status);  // the RFC's words; "unknown status" otherwise

struct BindingRefreshRequest {  // 6.1.2
  static constexpr MhType kType = MhType::kBindingRefreshRequest;
  MobilityOptions options{};
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
  MobilityOptions options{};
  bool operator==(const BindingUpdate&) const = default;
};

struct BindingAcknowledgement {  // 6.1.8
  static constexpr MhType kType = MhType::kBindingAcknowledgement;
  Status status = Status::kAccepted;
  bool key_mobility = false;  // K
  SequenceNumber sequence{};
  Lifetime lifetime{};
  MobilityOptions options{};
  bool operator==(const BindingAcknowledgement&) const = default;
};

struct BindingError {  // 6.1.9
  static constexpr MhType kType = MhType::kBindingError;
  std::uint8_t status = 0;  // 1: unknown binding for home address option, 2: unrecognized MH type
  Ipv6Address home_address{};
  MobilityOptions options{};
  bool operator==(const BindingError&) const = default;
};

}  // namespace mip6
