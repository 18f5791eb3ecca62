#include "mnd/candidates.hpp"

#include <linux/if_addr.h>

#include <algorithm>
#include <tuple>

namespace mnd {

namespace {

bool is_unreachable(const kernel::NetworkState& network, const kernel::DefaultRoute& route) {
  return std::ranges::find(network.unreachable_routers, kernel::Router{route.interface, route.gateway}) !=
         network.unreachable_routers.end();
}

// The default route of that interface by a router that can be reached (RFC 4861 section 6.3.6), of the highest
// preference (RFC 4191 section 3.1), of the lowest metric; nullptr if it has none.
const kernel::DefaultRoute* best_default_route(const kernel::NetworkState& network, const kernel::Link& link) {
  const auto order = [&](const kernel::DefaultRoute& route) {
    return std::tuple{is_unreachable(network, route), -route.preference, route.metric};
  };
  const kernel::DefaultRoute* best = nullptr;
  for (const auto& route : network.default_routes) {
    if (route.interface != link.index || (route.gateway.is_unspecified() && !link.no_neighbours)) continue;
    if (!best || order(route) < order(*best)) best = &route;
  }
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
    if (const auto* route = best_default_route(network, link)) {
      candidate.gateway = route->gateway;
      candidate.metric = route->metric;
      candidate.router_unreachable = is_unreachable(network, *route);
    }
    found.push_back(std::move(candidate));
  }
  return found;
}

}  // namespace mnd
