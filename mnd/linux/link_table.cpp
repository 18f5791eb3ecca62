// See link_table.hpp. Parsed by hand: this stands between a notification and the Binding Update.
#include "mnd/linux/link_table.hpp"

#include <linux/icmpv6.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "mnd/linux/kernel.hpp"

namespace mnd::kernel {

namespace {

template <int kMax>
using Attributes = std::array<nlattr*, kMax + 1>;

// The attributes behind a fixed header of type `Header`, false if the message is cut short.
template <class Header, int kMax>
bool parse_attributes(const nlmsghdr& message, Attributes<kMax>& found) {
  auto* mutable_message = const_cast<nlmsghdr*>(&message);  // libnl reads only, but says otherwise
  return nlmsg_valid_hdr(mutable_message, sizeof(Header)) &&
         nlmsg_parse(mutable_message, sizeof(Header), found.data(), kMax, nullptr) == 0;
}

template <class T>
std::optional<T> number_of(const nlattr* attribute) {
  if (!attribute || nla_len(attribute) < static_cast<int>(sizeof(T))) return std::nullopt;
  T value;
  std::memcpy(&value, nla_data(attribute), sizeof value);
  return value;
}

std::optional<mip6::Ipv6Address> address_of(const nlattr* attribute) {
  if (!attribute || nla_len(attribute) != 16) return std::nullopt;
  mip6::Ipv6Address address;
  std::memcpy(address.bytes.data(), nla_data(attribute), address.bytes.size());
  return address;
}

std::string_view text_of(const nlattr* attribute) {
  if (!attribute) return {};
  const std::string_view text{static_cast<const char*>(nla_data(attribute)),
                              static_cast<std::size_t>(nla_len(attribute))};
  return text.substr(0, text.find('\0'));
}

// "tun", "wireguard", "veth", ...; empty for most hardware.
std::string_view kind_of(const nlattr* link_info) {
  Attributes<IFLA_INFO_MAX> info{};
  if (!link_info || nla_parse_nested(info.data(), IFLA_INFO_MAX, const_cast<nlattr*>(link_info), nullptr) != 0)
    return {};
  return text_of(info[IFLA_INFO_KIND]);
}

// Ethernet over something; "tun" is a tap device, too.
constexpr std::array<std::string_view, 7> kEthernetTunnels{"tun",       "gretap", "ip6gretap", "erspan",
                                                           "ip6erspan", "vxlan",  "geneve"};

// PPP is a VPN's as often as a modem's, and tells nothing apart. A modem that speaks PPP then shows as no usable
// address; a care-of address inside a VPN would not show at all.
bool is_tunnel(std::uint16_t hardware, std::string_view kind) {
  switch (hardware) {
    case ARPHRD_TUNNEL:
    case ARPHRD_TUNNEL6:
    case ARPHRD_SIT:
    case ARPHRD_IPGRE:
    case ARPHRD_IP6GRE:
    case ARPHRD_PPP:
      return true;
    case ARPHRD_NONE:
      // cellular modems have this type too, but no kind, or "wwan"
      return !kind.empty() && kind != "wwan";
    case ARPHRD_ETHER:
      return std::ranges::find(kEthernetTunnels, kind) != kEthernetTunnels.end();
    default:
      return false;
  }
}

auto order_of(const Address& address) { return std::tie(address.interface, address.address); }
auto order_of(const DefaultRoute& route) { return std::tie(route.interface, route.gateway, route.metric); }
auto order_of(const Router& router) { return std::tie(router.interface, router.address); }
auto order_of(const SpecificRoute& route) {
  return std::tie(route.interface, route.prefix.address, route.prefix.length, route.gateway, route.metric);
}

// The place of `item` in a sorted list, or where it belongs.
template <class T>
auto place_of(std::vector<T>& list, const T& item) {
  return std::lower_bound(list.begin(), list.end(), item,
                          [](const T& one, const T& other) { return order_of(one) < order_of(other); });
}

// Puts `item` into a sorted list, or over the one of the same order; false if it was there like that.
template <class T>
bool put(std::vector<T>& list, const T& item) {
  const auto place = place_of(list, item);
  if (place == list.end() || order_of(*place) != order_of(item)) {
    list.insert(place, item);
    return true;
  }
  return *place == item ? false : (*place = item, true);
}

template <class T>
bool take(std::vector<T>& list, const T& item) {
  const auto place = place_of(list, item);
  if (place == list.end() || order_of(*place) != order_of(item)) return false;
  list.erase(place);
  return true;
}

std::optional<Address> parse_address(const nlmsghdr& message) {
  Attributes<IFA_MAX> found{};
  if (!parse_attributes<ifaddrmsg, IFA_MAX>(message, found)) return std::nullopt;
  const auto* header = static_cast<const ifaddrmsg*>(nlmsg_data(&message));
  if (header->ifa_family != AF_INET6) return std::nullopt;
  // with a peer, IFA_ADDRESS is the peer's
  const auto own = address_of(found[IFA_LOCAL] ? found[IFA_LOCAL] : found[IFA_ADDRESS]);
  if (!own) return std::nullopt;
  auto flags = number_of<std::uint32_t>(found[IFA_FLAGS]).value_or(header->ifa_flags);
  // An advertisement that goes on deprecating its prefix takes the flag away, and the kernel's timer sets it again.
  if (const auto times = number_of<ifa_cacheinfo>(found[IFA_CACHEINFO]); times && times->ifa_prefered == 0)
    flags |= IFA_F_DEPRECATED;
  return Address{.interface = header->ifa_index,
                 .address = *own,
                 .prefix_length = header->ifa_prefixlen,
                 .flags = flags,
                 .ours = number_of<std::uint8_t>(found[IFA_PROTO]) == kRouteProtocol};
}

// The next hops of RTA_MULTIPATH that have a gateway.
void add_hops(const nlattr* multipath, const DefaultRoute& common, std::vector<DefaultRoute>& routes) {
  auto left = static_cast<std::size_t>(nla_len(multipath));
  const auto* data = static_cast<const std::uint8_t*>(nla_data(multipath));
  while (left >= sizeof(rtnexthop)) {
    rtnexthop hop{};
    std::memcpy(&hop, data, sizeof hop);
    if (hop.rtnh_len < sizeof hop || hop.rtnh_len > left) return;
    Attributes<RTA_MAX> found{};
    auto* first = reinterpret_cast<nlattr*>(const_cast<std::uint8_t*>(data + sizeof hop));
    if (nla_parse(found.data(), RTA_MAX, first, hop.rtnh_len - static_cast<int>(sizeof hop), nullptr) == 0)
      if (const auto gateway = address_of(found[RTA_GATEWAY]))
        routes.push_back({static_cast<std::uint32_t>(hop.rtnh_ifindex), *gateway, common.metric, common.preference});
    const std::size_t step = RTNH_ALIGN(hop.rtnh_len);
    if (step >= left) return;
    data += step;
    left -= step;
  }
}

// RFC 4191 section 2.1; the reserved value counts as medium.
int preference_of(const nlattr* attribute) {
  switch (number_of<std::uint8_t>(attribute).value_or(ICMPV6_ROUTER_PREF_MEDIUM)) {
    case ICMPV6_ROUTER_PREF_HIGH:
      return 1;
    case ICMPV6_ROUTER_PREF_LOW:
      return -1;
    default:
      return 0;
  }
}

// The next hops of a default route of the main table that is not ours; empty: another kind of route.
std::optional<std::vector<DefaultRoute>> parse_route(const nlmsghdr& message) {
  Attributes<RTA_MAX> found{};
  if (!parse_attributes<rtmsg, RTA_MAX>(message, found)) return std::nullopt;
  const auto* header = static_cast<const rtmsg*>(nlmsg_data(&message));
  if (header->rtm_family != AF_INET6 || header->rtm_dst_len != 0 || header->rtm_src_len != 0 ||
      header->rtm_type != RTN_UNICAST || header->rtm_protocol == kRouteProtocol || (header->rtm_flags & RTM_F_CLONED))
    return std::nullopt;
  if (number_of<std::uint32_t>(found[RTA_TABLE]).value_or(header->rtm_table) != RT_TABLE_MAIN) return std::nullopt;
  DefaultRoute route{.interface = number_of<std::uint32_t>(found[RTA_OIF]).value_or(0),
                     .gateway = address_of(found[RTA_GATEWAY]).value_or(mip6::Ipv6Address{}),
                     .metric = number_of<std::uint32_t>(found[RTA_PRIORITY]).value_or(0),
                     .preference = preference_of(found[RTA_PREF])};
  std::vector<DefaultRoute> routes;
  if (found[RTA_MULTIPATH])
    add_hops(found[RTA_MULTIPATH], route, routes);
  else if (route.interface != 0 && !found[RTA_VIA])
    routes.push_back(route);
  return routes;
}

std::optional<SpecificRoute> parse_specific_route(const nlmsghdr& message) {
  Attributes<RTA_MAX> found{};
  if (!parse_attributes<rtmsg, RTA_MAX>(message, found)) return std::nullopt;
  const auto* header = static_cast<const rtmsg*>(nlmsg_data(&message));
  if (header->rtm_family != AF_INET6 || header->rtm_dst_len == 0 || header->rtm_src_len != 0 ||
      header->rtm_type != RTN_UNICAST || header->rtm_protocol == kRouteProtocol || (header->rtm_flags & RTM_F_CLONED))
    return std::nullopt;
  if (number_of<std::uint32_t>(found[RTA_TABLE]).value_or(header->rtm_table) != RT_TABLE_MAIN) return std::nullopt;
  const auto destination = address_of(found[RTA_DST]);
  const auto interface = number_of<std::uint32_t>(found[RTA_OIF]);
  if (!destination || !destination->is_global_unicast() || !interface || found[RTA_PREFSRC] || found[RTA_ENCAP])
    return std::nullopt;
  return SpecificRoute{.interface = *interface,
                       .prefix = {*destination, header->rtm_dst_len},
                       .gateway = address_of(found[RTA_GATEWAY]).value_or(mip6::Ipv6Address{}),
                       .metric = number_of<std::uint32_t>(found[RTA_PRIORITY]).value_or(0)};
}

}  // namespace

bool LinkTable::brings_back(const nlmsghdr& message) const {
  if (message.nlmsg_type == RTM_NEWADDR && !removed_addresses_.empty()) {
    const auto address = parse_address(message);
    return address && removed_addresses_.count({address->interface, address->address}) != 0;
  }
  if (message.nlmsg_type == RTM_NEWLINK && !downed_links_.empty() &&
      nlmsg_valid_hdr(const_cast<nlmsghdr*>(&message), sizeof(ifinfomsg))) {
    const auto* header = static_cast<const ifinfomsg*>(nlmsg_data(&message));
    return (header->ifi_flags & IFF_UP) && downed_links_.count(static_cast<std::uint32_t>(header->ifi_index)) != 0;
  }
  return false;
}

void LinkTable::forget_removals() {
  removed_addresses_.clear();
  downed_links_.clear();
}

LinkTable::Effect LinkTable::apply(const nlmsghdr& message) {
  switch (message.nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return apply_link(message);
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return apply_address(message);
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return apply_route(message);
    case RTM_NEWNEIGH:
      return apply_neighbour(message);
    default:
      return Effect::kNone;
  }
}

LinkTable::Effect LinkTable::apply_link(const nlmsghdr& message) {
  Attributes<IFLA_MAX> found{};
  if (!parse_attributes<ifinfomsg, IFLA_MAX>(message, found)) return Effect::kNone;
  const auto* header = static_cast<const ifinfomsg*>(nlmsg_data(&message));
  // a bridge tells about its ports with its own family: a port that leaves is no link that goes
  if (header->ifi_family != AF_UNSPEC) return Effect::kNone;
  const auto index = static_cast<std::uint32_t>(header->ifi_index);
  if (message.nlmsg_type == RTM_DELLINK) return remove_link(index);
  // wireless events carry nothing but their own attribute
  if (!found[IFLA_IFNAME]) return Effect::kNone;

  Link link{.index = index, .name = std::string{text_of(found[IFLA_IFNAME])}};
  const auto operational = number_of<std::uint8_t>(found[IFLA_OPERSTATE]).value_or(IF_OPER_UNKNOWN);
  link.up = (header->ifi_flags & IFF_UP) != 0;
  link.running = (header->ifi_flags & IFF_LOWER_UP) && (operational == IF_OPER_UP || operational == IF_OPER_UNKNOWN);
  link.loopback = (header->ifi_flags & IFF_LOOPBACK) != 0;
  link.multicast = (header->ifi_flags & IFF_MULTICAST) != 0;
  link.no_neighbours = (header->ifi_flags & (IFF_POINTOPOINT | IFF_NOARP)) != 0;
  link.ours = link.name == kTunnelName || link.name == kAgentTunnelName;
  link.tunnel = !link.ours && is_tunnel(header->ifi_type, kind_of(found[IFLA_LINKINFO]));
  if (header->ifi_type == ARPHRD_ETHER && found[IFLA_ADDRESS] && nla_len(found[IFLA_ADDRESS]) == 6)
    std::memcpy(link.ethernet.data(), nla_data(found[IFLA_ADDRESS]), link.ethernet.size());

  auto& known = state_.links[index];
  if (known == link) return Effect::kNone;
  if (known.up && !link.up) downed_links_.insert(index);
  // Hops of a multipath route come back to life untold. And with sysctl skip_notify_on_dev_down, routes went untold:
  // they did no harm while the link was down.
  const bool comes_up = known.index != 0 && !known.up && link.up;
  // The cable may be plugged in elsewhere next.
  if (!link.running) std::erase_if(state_.unreachable_routers, [&](const auto& one) { return one.interface == index; });
  known = std::move(link);
  return comes_up ? Effect::kReread : Effect::kChanged;
}

LinkTable::Effect LinkTable::remove_link(std::uint32_t index) {
  bool changed = state_.links.erase(index) != 0;
  changed |= std::erase_if(state_.default_routes, [&](const auto& route) { return route.interface == index; }) != 0;
  std::erase_if(state_.unreachable_routers, [&](const auto& router) { return router.interface == index; });
  changed |= std::erase_if(state_.specific_routes, [&](const auto& route) { return route.interface == index; }) != 0;
  changed |= std::erase_if(state_.addresses, [&](const auto& address) { return address.interface == index; }) != 0;
  if (changed) downed_links_.insert(index);
  return changed ? Effect::kChanged : Effect::kNone;
}

LinkTable::Effect LinkTable::apply_address(const nlmsghdr& message) {
  const auto address = parse_address(message);
  if (!address) return Effect::kNone;
  if (message.nlmsg_type == RTM_NEWADDR) return put(state_.addresses, *address) ? Effect::kChanged : Effect::kNone;
  if (!take(state_.addresses, *address)) return Effect::kNone;
  removed_addresses_.insert({address->interface, address->address});
  return Effect::kChanged;
}

// With a link that goes down, or an interface that goes, the kernel takes our routes along: it says so before.
bool LinkTable::takes_own_route(const nlmsghdr& message) const {
  if (message.nlmsg_type != RTM_DELROUTE || own_ports_.empty() || own_ports_.count(message.nlmsg_pid) != 0)
    return false;
  Attributes<RTA_MAX> found{};
  if (!parse_attributes<rtmsg, RTA_MAX>(message, found)) return false;
  const auto* header = static_cast<const rtmsg*>(nlmsg_data(&message));
  if (header->rtm_family != AF_INET6 || header->rtm_protocol != kRouteProtocol) return false;
  const auto link = state_.links.find(number_of<std::uint32_t>(found[RTA_OIF]).value_or(0));
  return link != state_.links.end() && link->second.up;
}

LinkTable LinkTable::successor() const {
  LinkTable table;
  table.own_ports_ = own_ports_;
  table.state_.own_routes_taken = state_.own_routes_taken;
  return table;
}

LinkTable::Effect LinkTable::apply_route(const nlmsghdr& message) {
  if (takes_own_route(message)) {
    ++state_.own_routes_taken;
    return Effect::kChanged;
  }
  if (const auto specific = parse_specific_route(message)) {
    if (message.nlmsg_type == RTM_DELROUTE)
      return take(state_.specific_routes, *specific) ? Effect::kChanged : Effect::kNone;
    if (message.nlmsg_flags & NLM_F_REPLACE) return Effect::kReread;
    return put(state_.specific_routes, *specific) ? Effect::kChanged : Effect::kNone;
  }
  const auto routes = parse_route(message);
  if (!routes) return Effect::kNone;
  // the route that was replaced is told by nobody
  if (message.nlmsg_type == RTM_NEWROUTE && (message.nlmsg_flags & NLM_F_REPLACE)) return Effect::kReread;
  bool changed = false;
  for (const auto& route : *routes)
    changed |=
        message.nlmsg_type == RTM_NEWROUTE ? put(state_.default_routes, route) : take(state_.default_routes, route);
  if (changed) std::erase_if(state_.unreachable_routers, [&](const Router& router) { return !is_gateway(router); });
  return changed ? Effect::kChanged : Effect::kNone;
}

// Only who was given up is unreachable, and only who was heard is so no more: what is being asked (INCOMPLETE, DELAY,
// PROBE) is what it was before.
LinkTable::Effect LinkTable::apply_neighbour(const nlmsghdr& message) {
  Attributes<NDA_MAX> found{};
  if (!parse_attributes<ndmsg, NDA_MAX>(message, found)) return Effect::kNone;
  const auto* header = static_cast<const ndmsg*>(nlmsg_data(&message));
  const auto address = address_of(found[NDA_DST]);
  if (header->ndm_family != AF_INET6 || !address) return Effect::kNone;
  const Router router{.interface = static_cast<std::uint32_t>(header->ndm_ifindex), .address = *address};
  bool changed = false;
  if (header->ndm_state & NUD_FAILED)
    changed = is_gateway(router) && put(state_.unreachable_routers, router);
  else if (header->ndm_state & (NUD_REACHABLE | NUD_STALE))
    changed = take(state_.unreachable_routers, router);
  return changed ? Effect::kChanged : Effect::kNone;
}

void LinkTable::assume_unreachable(const std::vector<Router>& routers) {
  for (const auto& router : routers)
    if (is_gateway(router)) put(state_.unreachable_routers, router);
}

bool LinkTable::forget_unreachable() { return !std::exchange(state_.unreachable_routers, {}).empty(); }

bool LinkTable::is_gateway(const Router& router) const {
  return std::ranges::any_of(state_.default_routes, [&](const DefaultRoute& route) {
    return route.interface == router.interface && route.gateway == router.address;
  });
}

}  // namespace mnd::kernel
