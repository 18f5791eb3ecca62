// Links, addresses, default routes and their routers of this network namespace, kept up to date by netlink
// notifications.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "libmip6/address.hpp"
#include "libmip6/error.hpp"

namespace mnd::kernel {

struct Link {
  std::uint32_t index = 0;
  std::string name;
  bool up = false;       // IFF_UP
  bool running = false;  // carrier (IFF_LOWER_UP and operational state up or unknown)
  bool loopback = false;
  bool ours = false;  // the tunnel device of ours
  // Tunnel or VPN device of somebody else (ip6tnl, wireguard, tun and tap, PPP, ...): no care-of addresses.
  bool tunnel = false;
  bool multicast = false;      // without, nobody can be asked for a router there
  bool no_neighbours = false;  // IFF_POINTOPOINT or IFF_NOARP: a default route needs no gateway there
  std::array<std::uint8_t, 6> ethernet{};
  bool operator==(const Link&) const = default;
};
struct Address {
  std::uint32_t interface = 0;
  mip6::Ipv6Address address;
  std::uint8_t prefix_length = 0;
  std::uint32_t flags = 0;  // IFA_F_*
  bool ours = false;        // put there by us: the home address on the home link
  bool operator==(const Address&) const = default;
};
struct DefaultRoute {  // main table, not ours
  std::uint32_t interface = 0;
  mip6::Ipv6Address gateway;  // ::, everybody is on that link
  std::uint32_t metric = 0;
  int preference = 0;  // RFC 4191 section 2.1: -1 low, 0 medium, 1 high
  bool operator==(const DefaultRoute&) const = default;
};
struct SpecificRoute {  // main table, not ours, not the default, to global addresses, without a preferred source
  std::uint32_t interface = 0;
  mip6::Ipv6Prefix prefix;
  mip6::Ipv6Address gateway;  // ::, on-link
  std::uint32_t metric = 0;
  bool operator==(const SpecificRoute&) const = default;
};
struct Router {
  std::uint32_t interface = 0;
  mip6::Ipv6Address address;  // link-local
  bool operator==(const Router&) const = default;
};
struct NetworkState {
  std::map<std::uint32_t, Link> links;
  std::vector<Address> addresses;
  std::vector<DefaultRoute> default_routes;
  std::vector<SpecificRoute> specific_routes;
  // Gateways of `default_routes` that the kernel found unreachable (RFC 4861 section 7.3) and has not heard since.
  std::vector<Router> unreachable_routers;
  // How many routes of ours others have taken away, of links that are up; see watch_own_routes().
  std::uint64_t own_routes_taken = 0;
  bool operator==(const NetworkState&) const = default;
};

class LinkMonitor {
 public:
  using Changed = std::function<void(const NetworkState&)>;

  // Subscribes first, then dumps; `changed` is called once from start() and then once for each batch of notifications
  // that changed something. Lost notifications (ENOBUFS) or an interrupted dump: everything is read again.
  LinkMonitor(boost::asio::io_context& loop, Changed changed);
  ~LinkMonitor();
  tl::expected<void, mip6::Error> start();
  // Reads everything again (after sleep, when what was known of routers is worth nothing); `changed` is called if
  // something differs.
  void reread();
  const NetworkState& state() const;
  // From now on own_routes_taken counts; what is changed by way of the netlink socket with this port is our own doing.
  void watch_own_routes(std::uint32_t port);
  // Notifications that changed nothing of `state()`: each router advertisement renews addresses.
  std::uint64_t unchanged() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with the wait that is pending in the loop
};

}  // namespace mnd::kernel
