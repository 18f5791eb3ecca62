// What happened behind our back: the machine slept, or somebody took away what we have put into the kernel.
#include <fmt/format.h>

#include <algorithm>

#include "mnd/daemon.hpp"
#include "mnd/linux/kernel.hpp"

namespace mnd {

namespace {

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
  if (before && registration() && registration()->attachment() == before) feed(mip6::node::RefreshAsked{});
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
  if (!tunnel_ || bring_up_again_) return;
  if (is_complete(network)) return repair_time_.complete();
  repair_time_.incomplete(kernel::boot_now());
  rearm();
}

void Daemon::repair() {
  if (!tunnel_ || !node_ || stopping_ || is_complete(monitor_->state())) return repair_time_.complete();
  const auto taken = monitor_->state().own_routes_taken;
  if (done("tunnel", set_up_again())) {
    repair_time_.complete();
    routes_taken_ = taken;
    journal_.add("repaired", "our device, home address or routes had gone: set up again");
    return;
  }
  repair_time_.failed(kernel::boot_now());
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
