// Builds and reads the rtnetlink messages of links, addresses, routes, rules and neighbours.
#include "mnd/linux/tunnel_messages.hpp"

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/lwtunnel.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <cstring>

#include "mnd/linux/kernel.hpp"

namespace mnd::kernel {

namespace {

constexpr std::uint32_t kForever = 0xffffffff;
// Of <linux/fib_rules.h>; with it a rule's source is looked at before a packet has one.
constexpr std::uint32_t kFindSource = FIB_RULE_FIND_SADDR;
constexpr const char* kTunnelKind = "ip6tnl";

ifinfomsg link_header(std::uint32_t interface) {
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(interface);
  return header;
}

std::uint8_t to_u8(std::span<const std::uint8_t> payload) { return payload.empty() ? std::uint8_t{0} : payload[0]; }

NetlinkMessage address_message(std::uint16_t type, std::uint16_t flags, const HomeAddress& address) {
  ifaddrmsg header{};
  header.ifa_family = AF_INET6;
  header.ifa_prefixlen = address.prefix_length;
  header.ifa_index = address.interface;
  MessageBuilder message(type, flags);
  message.header(header).attribute(IFA_LOCAL, address.address).attribute(IFA_ADDRESS, address.address);
  if (type == RTM_DELADDR) return message.bytes();
  std::uint32_t address_flags = IFA_F_NODAD | IFA_F_NOPREFIXROUTE;
  if (address.home_flag) address_flags |= IFA_F_HOMEADDRESS;
  ifa_cacheinfo lifetime{};
  lifetime.ifa_prefered = address.preferred ? kForever : 0;
  lifetime.ifa_valid = kForever;
  return message.attribute(IFA_FLAGS, address_flags)
      .attribute(IFA_CACHEINFO, lifetime)
      .attribute(IFA_PROTO, kRouteProtocol)
      .bytes();
}

void put_encapsulation(MessageBuilder& message, const Encapsulation& encapsulation) {
  const std::uint16_t type = LWTUNNEL_ENCAP_IP6;
  message.begin_nest(RTA_ENCAP)
      .attribute(LWTUNNEL_IP6_DST, encapsulation.destination)
      .attribute(LWTUNNEL_IP6_SRC, encapsulation.source)
      .end_nest()
      .attribute(RTA_ENCAP_TYPE, type);
}

MessageBuilder& put_route(MessageBuilder& message, const Route& route) {
  rtmsg header{};
  header.rtm_family = AF_INET6;
  header.rtm_dst_len = route.destination.length;
  header.rtm_src_len = route.source.length;
  header.rtm_table = route.table < 256 ? static_cast<std::uint8_t>(route.table) : std::uint8_t{RT_TABLE_UNSPEC};
  header.rtm_protocol = kRouteProtocol;
  header.rtm_scope = RT_SCOPE_UNIVERSE;
  header.rtm_type = route.unreachable ? RTN_UNREACHABLE : RTN_UNICAST;
  message.header(header);
  if (route.table >= 256) message.attribute(RTA_TABLE, route.table);
  if (route.destination.length != 0) message.attribute(RTA_DST, route.destination.address);
  if (route.source.length != 0) message.attribute(RTA_SRC, route.source.address);
  if (route.metric != 0) message.attribute(RTA_PRIORITY, route.metric);
  if (route.interface != 0) message.attribute(RTA_OIF, route.interface);
  if (route.gateway) message.attribute(RTA_GATEWAY, *route.gateway);
  return message;
}

NetlinkMessage rule_message(std::uint16_t type, std::uint16_t flags, const Rule& rule) {
  fib_rule_hdr header{};
  header.family = AF_INET6;
  if (rule.source) header.src_len = kHostLength;
  if (rule.destination) header.dst_len = kHostLength;
  header.table = RT_TABLE_UNSPEC;
  header.action = FR_ACT_TO_TBL;
  if (rule.chooses_source) header.flags = kFindSource;
  MessageBuilder message(type, flags);
  message.header(header);
  if (rule.source) message.attribute(FRA_SRC, *rule.source);
  if (rule.destination) message.attribute(FRA_DST, *rule.destination);
  message.attribute(FRA_TABLE, rule.table).attribute(FRA_PRIORITY, rule.priority);
  if (rule.protocol != 0) message.attribute(FRA_IP_PROTO, rule.protocol);
  if (rule.no_default) message.attribute(FRA_SUPPRESS_PREFIXLEN, std::uint32_t{0});
  return message.attribute(FRA_PROTOCOL, kRouteProtocol).bytes();
}

NetlinkMessage proxy_message(std::uint16_t type, std::uint16_t flags, std::uint32_t interface,
                             const mip6::Ipv6Address& address) {
  ndmsg header{};
  header.ndm_family = AF_INET6;
  header.ndm_ifindex = static_cast<int>(interface);
  header.ndm_flags = NTF_PROXY;
  return MessageBuilder(type, flags)
      .header(header)
      .attribute(NDA_DST, address)
      .attribute(NDA_PROTOCOL, kRouteProtocol)
      .bytes();
}

template <typename Header>
NetlinkMessage dump_message(std::uint16_t type) {
  // Every header of rtnetlink used here begins with the family.
  Header header{};
  const std::uint8_t family = AF_INET6;
  std::memcpy(&header, &family, sizeof family);
  return MessageBuilder(type, 0).header(header).bytes();
}

NetlinkMessage new_route(std::uint16_t flags, const Route& route) {
  MessageBuilder message(RTM_NEWROUTE, flags);
  put_route(message, route);
  if (route.encapsulation) put_encapsulation(message, *route.encapsulation);
  if (route.preferred_source) message.attribute(RTA_PREFSRC, *route.preferred_source);
  if (route.mtu != 0 || route.advertised_mss != 0) {
    message.begin_nest(RTA_METRICS);
    if (route.mtu != 0) message.attribute(RTAX_MTU, route.mtu);
    if (route.advertised_mss != 0) message.attribute(RTAX_ADVMSS, route.advertised_mss);
    message.end_nest();
  }
  return message.bytes();
}

}  // namespace

NetlinkMessage add_tunnel_device(std::string_view name) {
  const std::uint8_t only_ipv6 = IPPROTO_IPV6;
  return MessageBuilder(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL)
      .header(ifinfomsg{})
      .text(IFLA_IFNAME, name)
      .begin_nest(IFLA_LINKINFO)
      .text(IFLA_INFO_KIND, kTunnelKind)
      .begin_nest(IFLA_INFO_DATA)
      .attribute(IFLA_IPTUN_PROTO, only_ipv6)
      .flag(IFLA_IPTUN_COLLECT_METADATA)
      .end_nest()
      .end_nest()
      .bytes();
}

NetlinkMessage get_link(std::string_view name) {
  return MessageBuilder(RTM_GETLINK, 0).header(ifinfomsg{}).text(IFLA_IFNAME, name).bytes();
}

NetlinkMessage delete_link(std::uint32_t interface) {
  return MessageBuilder(RTM_DELLINK, 0).header(link_header(interface)).bytes();
}

NetlinkMessage set_link_up(std::uint32_t interface, std::uint32_t mtu) {
  ifinfomsg header = link_header(interface);
  header.ifi_flags = header.ifi_change = IFF_UP;
  return MessageBuilder(RTM_NEWLINK, 0).header(header).attribute(IFLA_MTU, mtu).bytes();
}

NetlinkMessage no_link_local_address(std::uint32_t interface) {
  const std::uint8_t mode = IN6_ADDR_GEN_MODE_NONE;
  return MessageBuilder(RTM_NEWLINK, 0)
      .header(link_header(interface))
      .begin_nest(IFLA_AF_SPEC)
      .begin_nest(AF_INET6)
      .attribute(IFLA_INET6_ADDR_GEN_MODE, mode)
      .end_nest()
      .end_nest()
      .bytes();
}

NetlinkMessage set_alias(std::uint32_t interface, std::string_view alias) {
  return MessageBuilder(RTM_NEWLINK, 0).header(link_header(interface)).text(IFLA_IFALIAS, alias).bytes();
}

std::optional<DumpedLink> parse_link(const NetlinkMessage& message) {
  const auto* header = family_header<ifinfomsg>(message);
  if (header == nullptr) return std::nullopt;
  const auto info = find_attribute(message, sizeof *header, IFLA_LINKINFO);
  // A flag is present or not; it has no payload that could be looked at.
  const auto data = find_nested(info, IFLA_INFO_DATA);
  return DumpedLink{
      .index = static_cast<std::uint32_t>(header->ifi_index),
      .external_tunnel =
          to_text(find_nested(info, IFLA_INFO_KIND)) == kTunnelKind && has_nested(data, IFLA_IPTUN_COLLECT_METADATA),
      .alias = to_text(find_attribute(message, sizeof *header, IFLA_IFALIAS)),
  };
}

NetlinkMessage add_address(const HomeAddress& address) {
  return address_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, address);
}
NetlinkMessage change_address(const HomeAddress& address) {
  return address_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, address);
}
NetlinkMessage delete_address(const HomeAddress& address) { return address_message(RTM_DELADDR, 0, address); }
NetlinkMessage dump_addresses() { return dump_message<ifaddrmsg>(RTM_GETADDR); }

std::optional<DumpedAddress> parse_address(const NetlinkMessage& message) {
  const auto* header = family_header<ifaddrmsg>(message);
  if (header == nullptr || header->ifa_family != AF_INET6) return std::nullopt;
  auto bytes = find_attribute(message, sizeof *header, IFA_LOCAL);
  if (bytes.empty()) bytes = find_attribute(message, sizeof *header, IFA_ADDRESS);
  const std::uint32_t flags = to_u32(find_attribute(message, sizeof *header, IFA_FLAGS), header->ifa_flags);
  return DumpedAddress{.address = {.interface = header->ifa_index,
                                   .address = to_address(bytes),
                                   .prefix_length = header->ifa_prefixlen,
                                   .home_flag = (flags & IFA_F_HOMEADDRESS) != 0,
                                   .preferred = (flags & IFA_F_DEPRECATED) == 0},
                       .ours = to_u8(find_attribute(message, sizeof *header, IFA_PROTO)) == kRouteProtocol};
}

NetlinkMessage replace_route(const Route& route) { return new_route(NLM_F_CREATE | NLM_F_REPLACE, route); }
NetlinkMessage add_route(const Route& route) { return new_route(NLM_F_CREATE | NLM_F_EXCL, route); }

NetlinkMessage delete_route(const Route& route) {
  MessageBuilder message(RTM_DELROUTE, 0);
  return put_route(message, route).bytes();
}

NetlinkMessage ask_way(const mip6::Ipv6Address& destination) {
  MessageBuilder message(RTM_GETROUTE, 0);
  rtmsg header{};
  header.rtm_family = AF_INET6;
  header.rtm_dst_len = 128;
  return message.header(header).attribute(RTA_DST, destination).bytes();
}

std::uint32_t parse_way(const NetlinkMessage& message) {
  const auto* header = family_header<rtmsg>(message);
  return header == nullptr ? 0 : to_u32(find_attribute(message, sizeof *header, RTA_OIF));
}

NetlinkMessage dump_routes() { return dump_message<rtmsg>(RTM_GETROUTE); }

std::optional<DumpedRoute> parse_route(const NetlinkMessage& message) {
  const auto* header = family_header<rtmsg>(message);
  if (header == nullptr || header->rtm_family != AF_INET6) return std::nullopt;
  if (header->rtm_type != RTN_UNICAST && header->rtm_type != RTN_UNREACHABLE) return std::nullopt;
  if ((header->rtm_flags & RTM_F_CLONED) != 0) return std::nullopt;
  const auto find = [&](int type) { return find_attribute(message, sizeof *header, type); };
  const auto address = [&](int type) -> std::optional<mip6::Ipv6Address> {
    const auto bytes = find(type);
    if (bytes.empty()) return std::nullopt;
    return to_address(bytes);
  };
  DumpedRoute dumped;
  dumped.ours = header->rtm_protocol == kRouteProtocol;
  Route& route = dumped.route;
  route.table = to_u32(find(RTA_TABLE), header->rtm_table);
  route.metric = to_u32(find(RTA_PRIORITY));
  route.destination = {to_address(find(RTA_DST)), header->rtm_dst_len};
  route.source = {to_address(find(RTA_SRC)), header->rtm_src_len};
  route.gateway = address(RTA_GATEWAY);
  route.preferred_source = address(RTA_PREFSRC);
  route.mtu = to_u32(find_nested(find(RTA_METRICS), RTAX_MTU));
  route.advertised_mss = to_u32(find_nested(find(RTA_METRICS), RTAX_ADVMSS));
  route.unreachable = header->rtm_type == RTN_UNREACHABLE;
  // The kernel shows an unreachable route on the loopback device.
  if (!route.unreachable) route.interface = to_u32(find(RTA_OIF));
  if (const auto nest = find(RTA_ENCAP); !nest.empty()) {
    route.encapsulation = Encapsulation{.source = to_address(find_nested(nest, LWTUNNEL_IP6_SRC)),
                                        .destination = to_address(find_nested(nest, LWTUNNEL_IP6_DST))};
  }
  return dumped;
}

NetlinkMessage add_rule(const Rule& rule) { return rule_message(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule); }
NetlinkMessage delete_rule(const Rule& rule) { return rule_message(RTM_DELRULE, 0, rule); }
NetlinkMessage dump_rules() { return dump_message<fib_rule_hdr>(RTM_GETRULE); }

std::optional<DumpedRule> parse_rule(const NetlinkMessage& message) {
  const auto* header = family_header<fib_rule_hdr>(message);
  if (header == nullptr || header->family != AF_INET6) return std::nullopt;
  const auto find = [&](int type) { return find_attribute(message, sizeof *header, type); };
  const auto host = [&](int type, std::uint8_t length) -> std::optional<mip6::Ipv6Address> {
    if (length != kHostLength) return std::nullopt;
    return to_address(find(type));
  };
  // The kernel tells of no suppressed prefixes as of -1.
  return DumpedRule{.rule = {.priority = to_u32(find(FRA_PRIORITY)),
                             .table = to_u32(find(FRA_TABLE), header->table),
                             .source = host(FRA_SRC, header->src_len),
                             .destination = host(FRA_DST, header->dst_len),
                             .protocol = to_u8(find(FRA_IP_PROTO)),
                             .chooses_source = (header->flags & kFindSource) != 0,
                             .no_default = to_u32(find(FRA_SUPPRESS_PREFIXLEN), kForever) == 0},
                    .ours = to_u8(find(FRA_PROTOCOL)) == kRouteProtocol};
}

NetlinkMessage add_proxy_neighbour(std::uint32_t interface, const mip6::Ipv6Address& address) {
  return proxy_message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, interface, address);
}
NetlinkMessage delete_proxy_neighbour(std::uint32_t interface, const mip6::Ipv6Address& address) {
  return proxy_message(RTM_DELNEIGH, 0, interface, address);
}
NetlinkMessage dump_proxy_neighbours() {
  ndmsg header{};
  header.ndm_family = AF_INET6;
  header.ndm_flags = NTF_PROXY;
  return MessageBuilder(RTM_GETNEIGH, 0).header(header).bytes();
}

std::optional<DumpedProxy> parse_proxy_neighbour(const NetlinkMessage& message) {
  const auto* header = family_header<ndmsg>(message);
  if (header == nullptr || header->ndm_family != AF_INET6 || (header->ndm_flags & NTF_PROXY) == 0) return std::nullopt;
  return DumpedProxy{.interface = static_cast<std::uint32_t>(header->ndm_ifindex),
                     .address = to_address(find_attribute(message, sizeof *header, NDA_DST)),
                     .ours = to_u8(find_attribute(message, sizeof *header, NDA_PROTOCOL)) == kRouteProtocol};
}

}  // namespace mnd::kernel
