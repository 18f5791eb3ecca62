// Which address the node is reachable at: what the kernel tells of the network becomes the core's attachment, and what
// each care-of address needs before it is used.
#include <fmt/format.h>
#include <fnmatch.h>
#include <linux/if_addr.h>

#include <algorithm>
#include <iterator>

#include "mnd/candidates.hpp"
#include "mnd/daemon.hpp"
#include "mnd/linux/log.hpp"
#include "mnd/linux/neighbour.hpp"
#include "mnd/local_paths.hpp"

namespace mnd {

using mip6::Choice;

void Daemon::network_changed(const kernel::NetworkState& network) {
  follow_name(network);
  if (!node_ || stopping_) return;
  resume_.look();
  trace_.heard(std::chrono::steady_clock::now());
  const auto usable = usable_attachments(network);
  // All that the Binding Update needs; what else is to be done for new addresses waits.
  if (!usable.empty()) add_path_to_home_agent(usable.front().attachment);
  local_paths_due_ = true;
  follow(usable);
  // A de-registration under way has ended with the last address.
  if (!node_) return;
  announce(newly_usable(usable), network);
  solicit_routers(network);
  ask_for_optimistic_dad(network);
  look_after_ours(network);
  drain();
}

// The interface that the node is to stay on is the same under another name.
void Daemon::follow_name(const kernel::NetworkState& network) {
  if (!wishes_.paused_on) return;
  auto name = renamed(*wishes_.paused_on, paused_interface_, network.links);
  if (!name) return;
  journal_.add("link", fmt::format("{} is {} now, the node stays on it", *wishes_.paused_on, *name));
  set_wishes({.deregistered = wishes_.deregistered, .paused_on = std::move(name)});
}

void Daemon::ask_for_optimistic_dad(const kernel::NetworkState& network) {
  tl::expected<void, mip6::Error> asked;
  for (const auto& [index, link] : network.links) {
    if (link.loopback || link.ours || link.tunnel) continue;
    const auto named = [&name = link.name](const std::string& pattern) {
      return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
    };
    const bool wanted = !mip6::is_excluded(link.name, movement_) && std::ranges::any_of(config_.optimistic_dad, named);
    auto one = wanted ? optimistic_dad_.ask(index, link.name) : optimistic_dad_.give_back(index, link.name);
    if (!one && asked) asked = std::move(one);
  }
  done("optimistic detection", asked);
}

void Daemon::reconsider() {
  reconsider_ = true;
  drain();
}

std::vector<Choice> Daemon::usable_attachments(const kernel::NetworkState& network) {
  return link_health_.choose(candidates(network), movement_, registration()->attachment(), node_->unanswered(),
                             kernel::boot_now());
}

void Daemon::solicit_routers(const kernel::NetworkState& network) {
  std::vector<mip6::node::LinkRouters> links;
  for (const auto& [index, link] : network.links) {
    if (link.loopback || link.ours || link.tunnel || !link.multicast || mip6::is_excluded(link.name, movement_))
      continue;
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

void Daemon::add_path_to_home_agent(const mip6::Attachment& attachment) {
  if (!tunnel_ || attachment.at_home || !attachment.gateway) return;
  done("care-of route",
       tunnel_->add_path_to_home_agent({attachment.interface, attachment.care_of, *attachment.gateway}));
  trace_.path_set(std::chrono::steady_clock::now());
}

void Daemon::set_local_paths(const kernel::NetworkState& network) {
  if (!tunnel_) return;
  done("local routes",
       tunnel_->set_local_paths(local_paths(network, config_.home_address, registration()->attachment())));
}

std::vector<mip6::Attachment> Daemon::newly_usable(const std::vector<Choice>& usable) {
  std::vector<mip6::Attachment> away;
  for (const auto& choice : usable)
    if (!choice.attachment.at_home) away.push_back(choice.attachment);
  std::vector<mip6::Attachment> fresh;
  std::ranges::copy_if(away, std::back_inserter(fresh),
                       [&](const auto& one) { return std::ranges::find(known_usable_, one) == known_usable_.end(); });
  known_usable_ = std::move(away);
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

// Tells the core where we are now, if that changed.
void Daemon::follow(const std::vector<Choice>& usable) {
  const auto current = registration()->attachment();
  if (usable.empty()) {
    attachment_reason_.clear();
    if (current) {
      journal_.add("detached", "no usable address is left");
      trace_.end();
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
  const auto from = current ? place_of(*current) : Trace::Place{};
  if (const auto to = place_of(best); from != to) trace_.begin(std::chrono::steady_clock::now(), from, to);
  feed(mip6::node::Attached{.attachment = best, .previous_usable = previous_usable});
}

}  // namespace mnd
