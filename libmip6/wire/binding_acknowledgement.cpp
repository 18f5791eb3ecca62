// Binding Acknowledgement (RFC 6275 section 6.1.8) and the words for its status codes.
#include "libmip6/wire/codec.hpp"
#include "libmip6/wire/options.hpp"

namespace mip6 {
namespace {

constexpr std::uint8_t kKeyMobilityBit = 0x80;

}  // namespace

BindingAcknowledgement parse_binding_acknowledgement(Reader& in) {
  BindingAcknowledgement acknowledgement;
  acknowledgement.status = static_cast<Status>(in.u8());
  acknowledgement.key_mobility = (in.u8() & kKeyMobilityBit) != 0;
  acknowledgement.sequence = SequenceNumber{in.u16()};
  acknowledgement.lifetime = lifetime_of(in.u16());
  acknowledgement.options = parse_options(in);
  return acknowledgement;
}

void write(const BindingAcknowledgement& acknowledgement, Writer& out) {
  out.u8(static_cast<std::uint8_t>(acknowledgement.status));
  out.u8(acknowledgement.key_mobility ? kKeyMobilityBit : 0);
  out.u16(acknowledgement.sequence.value());
  out.u16(lifetime_units(acknowledgement.lifetime));
  write_options(acknowledgement.options, out);
}

std::string_view name_of(Status status) {
  switch (status) {
    case Status::kAccepted:
      return "Binding Update accepted";
    case Status::kAcceptedPrefixDiscoveryNecessary:
      return "accepted but prefix discovery necessary";
    case Status::kReasonUnspecified:
      return "reason unspecified";
    case Status::kAdministrativelyProhibited:
      return "administratively prohibited";
    case Status::kInsufficientResources:
      return "insufficient resources";
    case Status::kHomeRegistrationNotSupported:
      return "home registration not supported";
    case Status::kNotHomeSubnet:
      return "not home subnet";
    case Status::kNotHomeAgentForThisNode:
      return "not home agent for this mobile node";
    case Status::kDuplicateAddressDetectionFailed:
      return "Duplicate Address Detection failed";
    case Status::kSequenceNumberOutOfWindow:
      return "sequence number out of window";
    case Status::kExpiredHomeNonceIndex:
      return "expired home nonce index";
    case Status::kExpiredCareOfNonceIndex:
      return "expired care-of nonce index";
    case Status::kExpiredNonces:
      return "expired nonces";
    case Status::kRegistrationTypeChangeDisallowed:
      return "registration type change disallowed";
    case Status::kInvalidCareOfAddress:
      return "invalid care-of address";
  }
  return "unknown status";
}

}  // namespace mip6
