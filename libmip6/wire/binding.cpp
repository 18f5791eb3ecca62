// The messages about bindings (RFC 6275 sections 6.1.2 and 6.1.7 to 6.1.9), and the words for their status codes.
#include "libmip6/wire/binding.hpp"

#include "libmip6/defect.hpp"
#include "libmip6/wire/codec.hpp"
#include "libmip6/wire/options.hpp"

namespace mip6 {
namespace {

// Flags of a Binding Update. Those that later RFCs define are reserved for us: ignored, and written as zero. So a
// mobile router (R, RFC 3963) is served as a mobile node, and sees that in the acknowledgement.
constexpr std::uint8_t kAcknowledgeBit = 0x80;
constexpr std::uint8_t kHomeRegistrationBit = 0x40;
constexpr std::uint8_t kLinkLocalBit = 0x20;
constexpr std::uint8_t kKeyMobilityBit = 0x10;

// The K flag of a Binding Acknowledgement.
constexpr std::uint8_t kAcknowledgedKeyMobilityBit = 0x80;

}  // namespace

Message parse_binding_refresh_request(Reader& in) {
  in.skip(2);
  return BindingRefreshRequest{parse_options(in)};
}

void write(const BindingRefreshRequest& request, Writer& out) {
  out.u16(0);
  write_options(request.options, out);
}

Message parse_binding_update(Reader& in) {
  BindingUpdate update;
  update.sequence = SequenceNumber{in.u16()};
  const std::uint8_t flags = in.u8();
  update.acknowledge = (flags & kAcknowledgeBit) != 0;
  update.home_registration = (flags & kHomeRegistrationBit) != 0;
  update.link_local = (flags & kLinkLocalBit) != 0;
  update.key_mobility = (flags & kKeyMobilityBit) != 0;
  in.skip(1);
  update.lifetime = lifetime_of(in.u16());
  update.options = parse_options(in);
  return update;
}

void write(const BindingUpdate& update, Writer& out) {
  out.u16(update.sequence.value());
  std::uint8_t flags = 0;
  if (update.acknowledge) flags |= kAcknowledgeBit;
  if (update.home_registration) flags |= kHomeRegistrationBit;
  if (update.link_local) flags |= kLinkLocalBit;
  if (update.key_mobility && !planted(Defect::kKeyMobilityUnwritten)) flags |= kKeyMobilityBit;
  out.u8(flags);
  out.u8(0);
  out.u16(lifetime_units(update.lifetime));
  write_options(update.options, out);
}

Message parse_binding_acknowledgement(Reader& in) {
  BindingAcknowledgement acknowledgement;
  acknowledgement.status = static_cast<Status>(in.u8());
  acknowledgement.key_mobility = (in.u8() & kAcknowledgedKeyMobilityBit) != 0;
  acknowledgement.sequence = SequenceNumber{in.u16()};
  acknowledgement.lifetime = lifetime_of(in.u16());
  acknowledgement.options = parse_options(in);
  return acknowledgement;
}

void write(const BindingAcknowledgement& acknowledgement, Writer& out) {
  out.u8(static_cast<std::uint8_t>(acknowledgement.status));
  out.u8(acknowledgement.key_mobility ? kAcknowledgedKeyMobilityBit : 0);
  out.u16(acknowledgement.sequence.value());
  out.u16(lifetime_units(acknowledgement.lifetime));
  write_options(acknowledgement.options, out);
}

Message parse_binding_error(Reader& in) {
  BindingError error;
  error.status = in.u8();
  in.skip(1);
  error.home_address = in.address();
  error.options = parse_options(in);
  return error;
}

void write(const BindingError& error, Writer& out) {
  out.u8(error.status);
  out.u8(0);
  out.address(error.home_address);
  write_options(error.options, out);
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
    case Status::kMobileRouterOperationNotPermitted:
      return "Mobile Router operation not permitted";
    case Status::kInvalidPrefix:
      return "invalid prefix";
    case Status::kNotAuthorizedForPrefix:
      return "not authorized for prefix";
    case Status::kForwardingSetupFailed:
      return "forwarding setup failed";
    case Status::kInvalidCareOfAddress:
      return "invalid care-of address";
  }
  return "unknown status";
}

}  // namespace mip6
