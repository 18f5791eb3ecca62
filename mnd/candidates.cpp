#include "mnd/candidates.hpp"

#include <linux/if_addr.h>

#include <algorithm>

namespace mnd {

namespace {

// The default route of the lowest metric on that interface, nullptr if it has none.
const kernel::DefaultRoute* best_default_route(const kernel::NetworkState& network, std::uint32_t interface) {
  const kernel::DefaultRoute* best = nullptr;
  for (const auto& route : network.default_routes)
    if (route.interface == interface && (!best || route.metric < best->metric)) best = &route;
  return best;
}

}  // namespace

std::vector<mip6::Candidate> candidates(const kernel::NetworkState& network) {
  std::vector<mip6::Candidate> found;
  for (const auto& address : network.addresses) {
    const auto entry = network.links.find(address.interface);
    if (entry == network.links.end()) continue;
    const kernel::Link& link = entry->second;
    // The home address that we put on the home link proves nothing: it stays when the cable is plugged in elsewhere.
    if (link.loopback || link.ours || link.tunnel || address.ours) continue;
    const auto has = [&](std::uint32_t flag) { return (address.flags & flag) != 0; };
    mip6::Candidate candidate{.interface = address.interface,
                              .interface_name = link.name,
                              .link_up = link.up && link.running,
                              .address = address.address,
                              .prefix_length = address.prefix_length,
                              // an optimistic address may be used while its duplicate detection runs (RFC 4429)
                              .tentative = has(IFA_F_TENTATIVE) && !has(IFA_F_OPTIMISTIC),
                              .duplicate = has(IFA_F_DADFAILED),
                              .deprecated = has(IFA_F_DEPRECATED),
                              .temporary = has(IFA_F_TEMPORARY),
                              .gateway = {},
                              .metric = 0,
                              .router_unreachable = false};
    if (const auto* route = best_default_route(network, address.interface)) {
      candidate.gateway = route->gateway;
      candidate.metric = route->metric;
      candidate.router_unreachable =
          std::ranges::find(network.unreachable_routers, kernel::Router{route->interface, route->gateway}) !=
          network.unreachable_routers.end();
    }
    found.push_back(std::move(candidate));
  }
  return found;
}

}  // namespace mnd
