// Which address the node is reachable at: what the kernel tells of the network becomes the core's attachment, and what
// each care-of address needs before it is used.
#include <fnmatch.h>
#include <linux/if_addr.h>

#include <algorithm>

#include "mnd/candidates.hpp"
#include "mnd/daemon.hpp"
#include "mnd/linux/log.hpp"
#include "mnd/linux/neighbour.hpp"

namespace mnd {

using mip6::Choice;

void Daemon::network_changed(const kernel::NetworkState& network) {
  if (!node_ || stopping_) return;
  resume_.look();
  const auto usable = usable_attachments(network);
  const auto fresh = add_care_of_routes(usable);
  follow(usable);
  announce(fresh, network);
  remove_stale_care_of_routes(usable);
  solicit_routers(network);
  ask_for_optimistic_dad(network);
  look_after_ours(network);
  rearm();
}

void Daemon::ask_for_optimistic_dad(const kernel::NetworkState& network) {
  for (const auto& [index, link] : network.links) {
    if (link.loopback || link.ours || link.tunnel) continue;
    const bool wanted = std::ranges::any_of(config_.optimistic_dad, [&name = link.name](const std::string& pattern) {
      return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
    });
    if (wanted) done("optimistic detection", optimistic_dad_.ask(index, link.name));
  }
}

void Daemon::reconsider() {
  if (monitor_) network_changed(monitor_->state());
}

std::vector<Choice> Daemon::usable_attachments(const kernel::NetworkState& network) {
  return link_health_.choose(candidates(network), movement_, registration()->attachment(), node_->unanswered(),
                             kernel::boot_now());
}

void Daemon::solicit_routers(const kernel::NetworkState& network) {
  std::vector<mip6::node::LinkRouters> links;
  for (const auto& [index, link] : network.links) {
    if (link.loopback || link.ours || link.tunnel || mip6::is_excluded(link.name, movement_)) continue;
    const bool reachable = std::ranges::any_of(network.default_routes, [&, interface = index](const auto& route) {
      const kernel::Router router{route.interface, route.gateway};
      return route.interface == interface &&
             std::ranges::find(network.unreachable_routers, router) == network.unreachable_routers.end();
    });
    links.push_back({.interface = index, .up = link.up && link.running, .reachable = reachable});
  }
  for (const auto index : solicitation_.handle(links, kernel::boot_now()))
    if (const auto sent = kernel::solicit_routers(index); !sent)
      kernel::log(kernel::Level::kDebug, sent.error().to_string());
}

std::vector<mip6::Attachment> Daemon::add_care_of_routes(const std::vector<Choice>& usable) {
  std::vector<mip6::Attachment> fresh;
  if (!tunnel_) return fresh;
  troubles_.over("care-of route");  // of an address that may be gone by now; said again below if it is not
  for (const auto& [attachment, reason, failing] : usable) {
    if (attachment.at_home || !attachment.gateway) continue;
    const auto key = std::pair{attachment.interface, attachment.care_of};
    const auto known = care_of_routes_.find(key);
    if (known != care_of_routes_.end() && known->second == *attachment.gateway) continue;
    if (done("care-of route",
             tunnel_->add_care_of_route(attachment.interface, attachment.care_of, *attachment.gateway)))
      care_of_routes_[key] = *attachment.gateway;
    fresh.push_back(attachment);
  }
  return fresh;
}

// A router that had packets for this address while nobody was here holds an unanswered neighbour entry, and would ask
// again only after a second; an advertisement completes it (RFC 4861 section 7.2.6). An optimistic address must not
// override anybody's entry (RFC 4429 section 3.3).
void Daemon::announce(const std::vector<mip6::Attachment>& care_of_addresses, const kernel::NetworkState& network) {
  for (const auto& attachment : care_of_addresses) {
    const bool optimistic = std::ranges::any_of(network.addresses, [&](const kernel::Address& one) {
      return one.address == attachment.care_of && (one.flags & IFA_F_OPTIMISTIC);
    });
    if (optimistic) continue;
    if (const auto sent = kernel::advertise(attachment.interface, attachment.care_of); !sent)
      kernel::log(kernel::Level::kDebug, sent.error().to_string());
  }
}

void Daemon::remove_stale_care_of_routes(const std::vector<Choice>& usable) {
  std::erase_if(care_of_routes_, [&](const auto& entry) {
    const std::uint32_t interface = entry.first.first;
    const mip6::Ipv6Address& care_of = entry.first.second;
    const bool wanted = std::ranges::any_of(usable, [&](const Choice& choice) {
      return !choice.attachment.at_home && choice.attachment.interface == interface &&
             choice.attachment.care_of == care_of;
    });
    if (!wanted && tunnel_) done("care-of route", tunnel_->remove_care_of_route(interface, care_of));
    return !wanted;
  });
}

// Tells the core where we are now, if that changed.
void Daemon::follow(const std::vector<Choice>& usable) {
  const auto current = registration()->attachment();
  if (usable.empty()) {
    attachment_reason_.clear();
    if (current) {
      journal_.add("detached", "no usable address is left");
      feed(mip6::node::Detached{});
    }
    return;
  }
  attachment_reason_ = usable.front().reason;
  const mip6::Attachment& best = usable.front().attachment;
  if (current == best) return;
  const bool previous_usable = current && std::ranges::any_of(usable, [&](const Choice& choice) {
                                 return !choice.failing && choice.attachment.interface == current->interface &&
                                        choice.attachment.care_of == current->care_of;
                               });
  leaving_usable_ = previous_usable;
  feed(mip6::node::Attached{.attachment = best, .previous_usable = previous_usable});
}

}  // namespace mnd
