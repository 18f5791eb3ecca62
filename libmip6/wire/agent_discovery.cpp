// Home Agent Address Discovery Request and Reply (RFC 6275 sections 6.5 and 6.6).
#include "libmip6/wire/agent_discovery.hpp"

#include "libmip6/wire/icmp_codec.hpp"

namespace mip6 {
namespace {

constexpr std::size_t kAddressSize = 16;

}  // namespace

IcmpMessage parse_agent_discovery_request(Reader& in) {
  HomeAgentAddressDiscoveryRequest request;
  request.identifier = in.u16();
  in.skip(2);
  return request;
}

IcmpMessage parse_agent_discovery_reply(Reader& in) {
  HomeAgentAddressDiscoveryReply reply;
  reply.identifier = in.u16();
  in.skip(2);
  while (in.remaining() >= kAddressSize) reply.home_agents.push_back(in.address());
  if (in.remaining() > 0) in.fail("the home agent addresses end within an address");
  return reply;
}

void write(const HomeAgentAddressDiscoveryRequest& request, Writer& out) {
  out.u16(request.identifier);
  out.u16(0);
}

void write(const HomeAgentAddressDiscoveryReply& reply, Writer& out) {
  out.u16(reply.identifier);
  out.u16(0);
  for (const auto& address : reply.home_agents) out.address(address);
}

}  // namespace mip6
