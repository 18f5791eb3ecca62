// The rtnetlink messages of the payload path (device, addresses, routes, rules, filters, proxy neighbours), and the
// reading of dumped ones. Internal to mnd/linux. All carry kRouteProtocol where the kernel has a place for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libmip6/address.hpp"
#include "mnd/linux/netlink.hpp"

namespace mnd::kernel {

inline constexpr std::uint32_t kMainTable = 254;

// Links. The device is an ip6tnl without addresses of its own (`external`) that carries IPv6 only.
NetlinkMessage add_tunnel_device(std::string_view name);
NetlinkMessage get_link(std::string_view name);
NetlinkMessage delete_link(std::uint32_t interface);
NetlinkMessage set_link_up(std::uint32_t interface, std::uint32_t mtu);  // bytes
NetlinkMessage no_link_local_address(std::uint32_t interface);           // addrgenmode none
NetlinkMessage set_alias(std::uint32_t interface, std::string_view alias);

struct DumpedLink {
  std::uint32_t index = 0;
  bool external_tunnel = false;  // ip6tnl external
  std::string alias;
};
std::optional<DumpedLink> parse_link(const NetlinkMessage& message);

// Addresses: never with DAD (RFC 6275 section 11.5.5), never with a prefix route.
struct HomeAddress {
  std::uint32_t interface = 0;
  mip6::Ipv6Address address;
  std::uint8_t prefix_length = 128;
  bool home_flag = false;  // the kernel takes type 2 routing headers for it
  bool preferred = true;   // false: deprecated
};
NetlinkMessage add_address(const HomeAddress& address);     // EEXIST if it is there
NetlinkMessage change_address(const HomeAddress& address);  // or add
NetlinkMessage delete_address(const HomeAddress& address);
NetlinkMessage dump_addresses();

struct DumpedAddress {
  HomeAddress address;
  bool ours = false;
};
std::optional<DumpedAddress> parse_address(const NetlinkMessage& message);

struct Encapsulation {
  mip6::Ipv6Address source;
  mip6::Ipv6Address destination;
  bool operator==(const Encapsulation&) const = default;
};
struct Route {
  std::uint32_t table = kMainTable;
  std::uint32_t metric = 0;                  // 0: the kernel's default, 1024
  mip6::Ipv6Prefix destination;              // ::/0 is the default route
  mip6::Ipv6Prefix source;                   // ::/0: any
  std::uint32_t interface = 0;               // 0: none
  std::optional<mip6::Ipv6Address> gateway;  // empty: on-link
  std::optional<Encapsulation> encapsulation;
  std::optional<mip6::Ipv6Address> preferred_source;
  std::uint32_t mtu = 0;             // bytes; 0: the device's
  std::uint32_t advertised_mss = 0;  // of TCP, bytes; 0: what the kernel thinks right
  bool unreachable = false;
  bool operator==(const Route&) const = default;
};
// The route of the same table, destination, source and metric is replaced, whosever it is: for tables of our own.
NetlinkMessage replace_route(const Route& route);
NetlinkMessage add_route(const Route& route);  // EEXIST if there is one of the same destination, source and metric
// Only one of ours. What `route` leaves open (metric, interface, gateway) is not compared.
NetlinkMessage delete_route(const Route& route);
NetlinkMessage dump_routes();
// Asks by which route a new connection would go there; the answer has its device, which may be 0.
NetlinkMessage ask_way(const mip6::Ipv6Address& destination);
std::uint32_t parse_way(const NetlinkMessage& message);

struct DumpedRoute {
  Route route;
  bool ours = false;
};
std::optional<DumpedRoute> parse_route(const NetlinkMessage& message);  // empty also for local and cached routes

// Which packets look into which table.
struct Rule {
  std::uint32_t priority = 0;  // the lower one is asked first; of equals the older one
  std::uint32_t table = kMainTable;
  std::optional<mip6::Ipv6Address> source;
  std::optional<mip6::Ipv6Address> destination;
  std::uint8_t protocol = 0;  // of what the packets carry; 0: any
  // Also for what has no source yet, if the kernel would choose `source` on the device that the table leads to.
  bool chooses_source = false;
  bool no_default = false;  // the table's default routes don't count
  bool operator==(const Rule&) const = default;
};
NetlinkMessage add_rule(const Rule& rule);  // EEXIST if it is there
NetlinkMessage delete_rule(const Rule& rule);
NetlinkMessage dump_rules();

struct DumpedRule {
  Rule rule;  // of somebody else's not all is in it
  bool ours = false;
};
std::optional<DumpedRule> parse_rule(const NetlinkMessage& message);

// Source check of the tunnel: filters on what the device received.
struct TunnelFilter {
  mip6::Ipv6Address outer_source;
  std::optional<mip6::Ipv6Address> inner_source;
  std::optional<mip6::Ipv6Address> inner_destination;
  std::uint32_t handle = 0;
  bool operator==(const TunnelFilter&) const = default;
};
NetlinkMessage add_ingress(std::uint32_t interface);                       // EEXIST if it is there
NetlinkMessage drop_the_rest(std::uint32_t interface);                     // EEXIST if it is there
NetlinkMessage get_drop_filter(std::uint32_t interface);                   // that last one
NetlinkMessage pass(std::uint32_t interface, const TunnelFilter& filter);  // adds or replaces by handle
NetlinkMessage remove_pass(std::uint32_t interface, std::uint32_t handle);
NetlinkMessage dump_filters(std::uint32_t interface);
std::optional<TunnelFilter> parse_pass(const NetlinkMessage& message);

NetlinkMessage add_proxy_neighbour(std::uint32_t interface, const mip6::Ipv6Address& address);
NetlinkMessage delete_proxy_neighbour(std::uint32_t interface, const mip6::Ipv6Address& address);
NetlinkMessage dump_proxy_neighbours();

struct DumpedProxy {
  std::uint32_t interface = 0;
  mip6::Ipv6Address address;
  bool ours = false;
};
std::optional<DumpedProxy> parse_proxy_neighbour(const NetlinkMessage& message);

}  // namespace mnd::kernel
