// What happened behind our back: the machine slept, or somebody took away what we have put into the kernel.
#include <fmt/format.h>

#include <algorithm>

#include "mnd/daemon.hpp"
#include "mnd/linux/kernel.hpp"

namespace mnd {

namespace {

// What the kernel tells of one change comes in several batches, and so does what it tells of our own.
constexpr mip6::Duration kRepairAfter = std::chrono::milliseconds{100};
constexpr mip6::Duration kFirstRepairBackoff = std::chrono::seconds{1};
constexpr mip6::Duration kMaxRepairBackoff = std::chrono::seconds{32};

const kernel::Link* tunnel_device(const kernel::NetworkState& network) {
  const auto found = std::ranges::find_if(
      network.links, [](const auto& entry) { return entry.second.ours && entry.second.name == kernel::kTunnelName; });
  return found == network.links.end() ? nullptr : &found->second;
}

}  // namespace

// Nothing that was known before is worth much: keys may have expired here and at the home agent, the network may be
// another one, and so may the home agent's binding.
void Daemon::resumed(mip6::Duration slept) {
  if (stopping_) return;
  journal_.add("resumed", fmt::format("slept {} s", std::chrono::round<std::chrono::seconds>(slept).count()));
  if (!node_) return;
  link_health_.forget();
  solicitation_.forget();
  const auto before = registration()->attachment();
  if (charon_told_) feed(ike::CharonConnected{});
  monitor_->reread();
  reconsider();
  if (before && registration()->attachment() == before) feed(mip6::node::RefreshAsked{});
}

bool Daemon::is_complete(const kernel::NetworkState& network) const {
  const auto* device = tunnel_device(network);
  if (!device || !device->up || network.own_routes_taken != routes_taken_) return false;
  const auto has_home_address = [&](std::uint32_t interface) {
    return std::ranges::any_of(network.addresses, [&](const kernel::Address& one) {
      return one.interface == interface && one.address == config_.home_address;
    });
  };
  const auto& attachment = registration()->attachment();
  const bool at_home = attachment && attachment->at_home && home_link_ != 0;
  return has_home_address(device->index) && (!at_home || has_home_address(home_link_));
}

void Daemon::look_after_ours(const kernel::NetworkState& network) {
  if (!tunnel_ || bring_up_again_ || is_complete(network)) return;
  // Also while it failed for long: what stood in the way may be over.
  const auto at = kernel::boot_now() + kRepairAfter;
  if (repair_at_ && *repair_at_ <= at) return;
  repair_at_ = at;
  repair_backoff_ = kFirstRepairBackoff;
  rearm();
}

void Daemon::repair() {
  repair_at_.reset();
  if (!tunnel_ || !node_ || stopping_ || is_complete(monitor_->state())) return;
  const auto taken = monitor_->state().own_routes_taken;
  if (done("tunnel", set_up_again())) {
    routes_taken_ = taken;
    journal_.add("repaired", "somebody took away our device, home address or routes: set up again");
    return;
  }
  repair_at_ = kernel::boot_now() + repair_backoff_;
  repair_backoff_ = std::min(2 * repair_backoff_, kMaxRepairBackoff);
}

tl::expected<void, mip6::Error> Daemon::set_up_again() {
  if (auto made = tunnel_->set_up(); !made) return made;
  preferred_.reset();
  set_local_paths(monitor_->state());
  const auto& attachment = registration()->attachment();
  if (attachment && attachment->at_home && attachment->gateway)
    if (auto attached =
            tunnel_->attach_home_link(attachment->interface, config_.home_prefix.length, *attachment->gateway);
        !attached)
      return attached;
  // Without an attachment there is no address to send from; the next one switches again.
  if (outbound_ && attachment)
    if (auto sent = send_by(*outbound_); !sent) return sent;
  prefer_home_address(outbound_.has_value());
  return {};
}

}  // namespace mnd
