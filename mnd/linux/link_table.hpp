// rtnetlink messages about links, addresses, routes and neighbours -> NetworkState. No socket: bytes in, state out.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "mnd/linux/link_monitor.hpp"

namespace mnd::kernel {

class LinkTable {
 public:
  enum class Effect {
    kNone,     // nothing of interest changed
    kChanged,  // state() is different now
    kReread,   // the message does not tell enough (a route was replaced, a link came up): read everything again
  };

  // Whether `message` brings back an address, or a link, that was taken away since forget_removals(). The state before
  // it deserves to be seen: the kernel dropped the routes that belonged to it.
  bool brings_back(const nlmsghdr& message) const;
  // Applies one message of the kernel, from a dump or a notification. What is malformed or not about links, IPv6
  // addresses, routes and neighbours is ignored.
  Effect apply(const nlmsghdr& message);
  void forget_removals();
  // Those of `routers` that a default route goes by.
  void assume_unreachable(const std::vector<Router>& routers);
  bool forget_unreachable();  // true if there were some
  // As LinkMonitor's; the ports of several sockets add up.
  void watch_own_routes(std::uint32_t port) { own_ports_.insert(port); }
  // Empty, but for what no dump tells: the ports, and how many routes of ours were taken away.
  LinkTable successor() const;
  const NetworkState& state() const { return state_; }

 private:
  using AddressKey = std::pair<std::uint32_t, mip6::Ipv6Address>;

  Effect apply_link(const nlmsghdr& message);
  Effect apply_address(const nlmsghdr& message);
  Effect apply_route(const nlmsghdr& message);
  Effect apply_neighbour(const nlmsghdr& message);
  Effect remove_link(std::uint32_t index);
  bool takes_own_route(const nlmsghdr& message) const;
  bool is_gateway(const Router& router) const;

  NetworkState state_;
  std::set<std::uint32_t> own_ports_;
  std::set<AddressKey> removed_addresses_;
  std::set<std::uint32_t> downed_links_;
};

}  // namespace mnd::kernel
