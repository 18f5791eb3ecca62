// The ICMPv6 header around every message, and the way to the messages' files.
#include "libmip6/wire/icmp_message.hpp"

#include <algorithm>
#include <array>

#include "libmip6/wire/icmp_codec.hpp"

namespace mip6 {
namespace {

struct IcmpKind {
  std::uint8_t type;
  IcmpMessage (*parse)(Reader& in);
};

constexpr std::array kIcmpKinds{
    IcmpKind{RouterAdvertisement::kType, parse_router_advertisement},
    IcmpKind{HomeAgentAddressDiscoveryRequest::kType, parse_agent_discovery_request},
    IcmpKind{HomeAgentAddressDiscoveryReply::kType, parse_agent_discovery_reply},
    IcmpKind{MobilePrefixSolicitation::kType, parse_prefix_solicitation},
    IcmpKind{MobilePrefixAdvertisement::kType, parse_prefix_advertisement},
};

}  // namespace

tl::expected<IcmpMessage, ParseError> parse_icmp_message(std::span<const std::uint8_t> bytes) {
  Reader in{bytes};
  const std::uint8_t type = in.u8();
  const std::uint8_t code = in.u8();
  in.skip(2);  // Checksum
  if (!in.ok()) return tl::unexpected(*in.error());
  const auto kind =
      std::find_if(kIcmpKinds.begin(), kIcmpKinds.end(), [type](const auto& k) { return k.type == type; });
  if (kind == kIcmpKinds.end()) return tl::unexpected(ParseError{0, "this ICMPv6 type is none of Mobile IPv6"});
  if (code != 0) return tl::unexpected(ParseError{1, "Code is not 0"});
  IcmpMessage message = kind->parse(in);
  if (!in.ok()) return tl::unexpected(*in.error());
  return message;
}

Bytes write_icmp_message(const IcmpMessage& message) {
  Bytes bytes;
  Writer out{bytes};
  out.u8(std::visit([](const auto& m) { return std::decay_t<decltype(m)>::kType; }, message));
  out.u8(0);
  out.u16(0);
  std::visit([&out](const auto& m) { write(m, out); }, message);
  return bytes;
}

}  // namespace mip6
