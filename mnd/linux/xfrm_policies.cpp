#include "mnd/linux/xfrm_policies.hpp"

#include <netinet/in.h>

#include "mnd/linux/kernel.hpp"

namespace mnd::kernel {

namespace {

PolicyTemplate any_option() {
  return {.source = {}, .destination = {}, .protocol = IPPROTO_DSTOPTS, .reqid = 0, .optional = true};
}

}  // namespace

Directions directions(Side side, const Ends& ends, bool sub) {
  const bool node = side == Side::kNode;
  const auto& self = node ? ends.home_address : ends.home_agent;
  const auto& peer = node ? ends.home_agent : ends.home_address;
  Directions result;
  result.out = {.source = self,
                .destination = peer,
                .direction = XFRM_POLICY_OUT,
                .type = node ? kBindingUpdateType : kBindingAckType,
                .sub = sub};
  result.in = {.source = peer, .destination = self, .direction = XFRM_POLICY_IN, .type = std::nullopt, .sub = sub};
  return result;
}

PrefixDirections prefix_directions(Side side, const Ends& ends, bool sub) {
  auto [out, in] = directions(side, ends, sub);
  const bool node = side == Side::kNode;
  out.protocol = in.protocol = kIcmpv6;
  out.type = node ? kPrefixSolicitationType : kPrefixAdvertisementType;
  in.type = node ? kPrefixAdvertisementType : kPrefixSolicitationType;
  auto by_header = in;
  by_header.type = kIcmpv6;
  by_header.code = std::uint8_t{2};
  return {out, {in, by_header}};
}

PolicyTemplate along(const PolicyKey& key, std::uint8_t protocol, std::uint32_t reqid) {
  return {.source = key.source, .destination = key.destination, .protocol = protocol, .reqid = reqid};
}

Policy any_home_address(const mip6::Ipv6Address& home_agent) {
  const PolicyKey key{.source = {},
                      .source_length = 0,
                      .destination = home_agent,
                      .direction = XFRM_POLICY_IN,
                      .type = std::nullopt,
                      .sub = true};
  return {key, any_option(), kSubPriority};
}

PolicyKey strangers(const mip6::Ipv6Address& home_agent) {
  auto key = any_home_address(home_agent).key;
  key.sub = false;
  return key;
}

std::vector<Policy> prefix_policies(Side side, const Ends& ends, std::uint32_t reqid) {
  const auto esp = prefix_directions(side, ends, false);
  std::vector<Policy> all;
  for (const auto& in : esp.in) all.push_back({in, along(in, IPPROTO_ESP, reqid), kEspPriority});
  all.push_back({esp.out, along(esp.out, IPPROTO_ESP, reqid), kEspPriority});
  if (side == Side::kAgent)
    for (const auto& in : prefix_directions(side, ends, true).in) all.push_back({in, any_option(), kSubPriority});
  return all;
}

bool takes_from_node(const DumpedPolicy& policy, const Ends& ends, const mip6::Ipv6Address& care_of) {
  const auto& key = policy.key;
  if (key.direction != XFRM_POLICY_OUT || key.sub || !(policy.blocks || policy.first)) return false;
  if (policy.first && policy.first->reqid >= kNodeReqid && policy.first->reqid <= kNodePrefixesReqid) return false;
  const mip6::Ipv6Prefix sources{key.source, key.source_length};
  if (!mip6::Ipv6Prefix{key.destination, key.destination_length}.contains(ends.home_agent)) return false;
  const auto applies = [&](const mip6::Ipv6Address& source, std::uint8_t protocol) {
    return sources.contains(source) && (key.protocol == 0 || key.protocol == protocol);
  };
  return applies(care_of, IPPROTO_IPV6) || applies(ends.home_address, kMobilityHeader);
}

}  // namespace mnd::kernel
