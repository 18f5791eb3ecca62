#include "mnd/local_paths.hpp"

#include <linux/if_addr.h>

#include <algorithm>
#include <tuple>

#include "mnd/candidates.hpp"

namespace mnd {

namespace {

bool usable(const kernel::Address& address) {
  const bool tentative = (address.flags & IFA_F_TENTATIVE) && !(address.flags & IFA_F_OPTIMISTIC);
  return !tentative && !(address.flags & (IFA_F_DADFAILED | IFA_F_DEPRECATED)) && address.address.is_global_unicast();
}

// What a new connection by that route is to have, nullptr if its link has no address: the care-of address, one of the
// route's prefix, one that stays.
const kernel::Address* source_of(const kernel::SpecificRoute& route, const kernel::NetworkState& network,
                                 const mip6::Ipv6Address& home_address,
                                 const std::optional<mip6::Attachment>& attachment) {
  const auto order = [&](const kernel::Address& one) {
    return std::tuple{!route.prefix.contains(one.address), !attachment || attachment->care_of != one.address,
                      (one.flags & IFA_F_TEMPORARY) != 0};
  };
  const kernel::Address* best = nullptr;
  for (const auto& one : network.addresses) {
    if (one.interface != route.interface || !usable(one) || one.address == home_address) continue;
    if (!best || order(one) < order(*best)) best = &one;
  }
  return best;
}

bool is_up(const kernel::NetworkState& network, std::uint32_t interface) {
  const auto link = network.links.find(interface);
  return link != network.links.end() && link->second.up && link->second.running && !link->second.loopback &&
         !link->second.ours;
}

}  // namespace

kernel::LocalPaths local_paths(const kernel::NetworkState& network, const mip6::Ipv6Address& home_address,
                               const std::optional<mip6::Attachment>& attachment) {
  kernel::LocalPaths paths;
  for (const auto& candidate : candidates(network)) {
    if (!candidate.link_up || candidate.tentative || candidate.duplicate || !candidate.gateway) continue;
    if (!candidate.address.is_global_unicast() || candidate.address == home_address) continue;
    paths.addresses.push_back({candidate.interface, candidate.address, *candidate.gateway});
  }
  if (attachment && !attachment->at_home && attachment->gateway)
    paths.care_of = {attachment->interface, attachment->care_of, *attachment->gateway};

  auto routes = network.specific_routes;
  std::ranges::stable_sort(routes, {}, &kernel::SpecificRoute::metric);
  for (const auto& route : routes) {
    if (paths.prefixes.size() == kMaxLocalPrefixes) break;
    // At home the home address is the link's own.
    if (!is_up(network, route.interface) ||
        (attachment && attachment->at_home && attachment->interface == route.interface))
      continue;
    const auto same = [&](const kernel::LocalPrefix& other) { return other.prefix == route.prefix; };
    if (std::ranges::any_of(paths.prefixes, same)) continue;
    if (const auto* source = source_of(route, network, home_address, attachment))
      paths.prefixes.push_back({route.interface, route.prefix, route.gateway, source->address});
  }
  return paths;
}

}  // namespace mnd
