// Messages of the kernel, built here, against the state that comes of them; and the monitor on a real netlink socket as
// far as that goes without privileges. Real changes are watched in the lab.
#include "mnd/linux/link_monitor.hpp"

#include <linux/icmpv6.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "mnd/linux/kernel.hpp"
#include "mnd/linux/link_table.hpp"
#include "mnd/linux/neighbour_filter.hpp"
#include "mnd/linux/netlink.hpp"
#include "tests/catch.hpp"

using namespace mnd::kernel;
using Effect = LinkTable::Effect;

namespace {

mip6::Ipv6Address address(const char* text) { return mip6::Ipv6Address::parse(text).value(); }

struct LinkMessage {
  std::uint16_t type = RTM_NEWLINK;
  std::uint8_t family = AF_UNSPEC;
  int index = 3;
  std::string name = "w1";
  unsigned flags = unsigned{IFF_UP} | unsigned{IFF_LOWER_UP};
  std::uint16_t hardware = ARPHRD_ETHER;
  std::uint8_t operational = IF_OPER_UP;
  std::string kind = {};
};

NetlinkMessage bytes(const LinkMessage& link) {
  MessageBuilder builder{link.type, 0};
  ifinfomsg header{};
  header.ifi_family = link.family;
  header.ifi_type = link.hardware;
  header.ifi_index = link.index;
  header.ifi_flags = link.flags;
  builder.header(header);
  if (!link.name.empty()) builder.text(IFLA_IFNAME, link.name);
  builder.attribute(IFLA_OPERSTATE, link.operational);
  builder.attribute(IFLA_ADDRESS, std::array<std::uint8_t, 6>{2, 0, 0, 0, 0, 7});
  if (!link.kind.empty()) builder.begin_nest(IFLA_LINKINFO).text(IFLA_INFO_KIND, link.kind).end_nest();
  return builder.bytes();
}

NetlinkMessage address_bytes(std::uint16_t type, const char* text, std::uint32_t flags = 0, std::uint32_t interface = 3,
                             const char* peer = nullptr) {
  MessageBuilder builder{type, 0};
  builder.header(ifaddrmsg{.ifa_family = AF_INET6,
                           .ifa_prefixlen = 64,
                           .ifa_flags = static_cast<std::uint8_t>(flags),
                           .ifa_scope = 0,
                           .ifa_index = interface});
  if (peer) {
    builder.attribute(IFA_LOCAL, address(text)).attribute(IFA_ADDRESS, address(peer));
  } else {
    builder.attribute(IFA_ADDRESS, address(text));
  }
  builder.attribute(IFA_FLAGS, flags);
  return builder.bytes();
}

struct RouteMessage {
  std::uint16_t type = RTM_NEWROUTE;
  std::uint16_t flags = 0;
  std::uint8_t length = 0;
  std::uint8_t source_length = 0;
  std::uint8_t protocol = RTPROT_RA;
  std::uint32_t table = RT_TABLE_MAIN;
  const char* gateway = "fe80::1";
  std::uint32_t interface = 3;
  std::uint32_t metric = 1024;
  std::optional<std::uint8_t> preference = {};
  std::vector<std::pair<std::uint32_t, const char*>> hops = {};
};

// RTA_MULTIPATH by hand: a list of rtnexthop, each with attributes of its own.
std::vector<std::uint8_t> hop_bytes(const RouteMessage& route) {
  std::vector<std::uint8_t> result;
  for (const auto& [interface, gateway] : route.hops) {
    const auto to = address(gateway);
    const nlattr attribute{.nla_len = sizeof(nlattr) + sizeof to.bytes, .nla_type = RTA_GATEWAY};
    rtnexthop hop{};
    hop.rtnh_len = sizeof hop + sizeof attribute + sizeof to.bytes;
    hop.rtnh_ifindex = static_cast<int>(interface);
    const auto append = [&](const void* data, std::size_t size) {
      const auto* first = static_cast<const std::uint8_t*>(data);
      result.insert(result.end(), first, first + size);
    };
    append(&hop, sizeof hop);
    append(&attribute, sizeof attribute);
    append(to.bytes.data(), to.bytes.size());
  }
  return result;
}

NetlinkMessage bytes(const RouteMessage& route) {
  MessageBuilder builder{route.type, route.flags};
  rtmsg header{};
  header.rtm_family = AF_INET6;
  header.rtm_dst_len = route.length;
  header.rtm_src_len = route.source_length;
  header.rtm_table = static_cast<std::uint8_t>(route.table > 255 ? RT_TABLE_UNSPEC : route.table);
  header.rtm_protocol = route.protocol;
  header.rtm_type = RTN_UNICAST;
  builder.header(header).attribute(RTA_TABLE, route.table).attribute(RTA_PRIORITY, route.metric);
  if (route.preference) builder.attribute(RTA_PREF, *route.preference);
  if (!route.hops.empty()) {
    const auto hops = hop_bytes(route);
    // two hops, each of 8 + 4 + 16 bytes
    std::array<std::uint8_t, 56> payload{};
    REQUIRE(hops.size() == payload.size());
    std::copy(hops.begin(), hops.end(), payload.begin());
    builder.attribute(RTA_MULTIPATH, payload);
  } else {
    if (route.gateway) builder.attribute(RTA_GATEWAY, address(route.gateway));
    builder.attribute(RTA_OIF, route.interface);
  }
  return builder.bytes();
}

struct NeighbourMessage {
  int state = NUD_FAILED;
  std::uint8_t flags = NTF_ROUTER;
  const char* address = "fe80::1";
  std::uint16_t type = RTM_NEWNEIGH;
  std::uint8_t family = AF_INET6;
  int interface = 3;
};

NetlinkMessage bytes(const NeighbourMessage& neighbour) {
  MessageBuilder builder{neighbour.type, 0};
  ndmsg header{};
  header.ndm_family = neighbour.family;
  header.ndm_ifindex = neighbour.interface;
  header.ndm_state = static_cast<std::uint16_t>(neighbour.state);
  header.ndm_flags = neighbour.flags;
  builder.header(header).attribute(NDA_DST, address(neighbour.address));
  if (neighbour.state != NUD_FAILED) builder.attribute(NDA_LLADDR, std::array<std::uint8_t, 6>{2, 0, 0, 0, 0, 1});
  return builder.bytes();
}

const nlmsghdr& as_header(const NetlinkMessage& message) { return *reinterpret_cast<const nlmsghdr*>(message.data()); }
Effect feed(LinkTable& table, const NetlinkMessage& message) { return table.apply(as_header(message)); }
Effect feed(LinkTable& table, const LinkMessage& link) { return feed(table, bytes(link)); }
Effect feed(LinkTable& table, const RouteMessage& route) { return feed(table, bytes(route)); }
Effect feed(LinkTable& table, const NeighbourMessage& neighbour) { return feed(table, bytes(neighbour)); }

LinkTable with_router() {
  LinkTable table;
  feed(table, LinkMessage{});
  feed(table, RouteMessage{});
  return table;
}

}  // namespace

TEST_CASE("a link runs with carrier, if it is up or does not say") {
  LinkTable table;
  REQUIRE(feed(table, LinkMessage{}) == Effect::kChanged);
  const auto& link = table.state().links.at(3);
  CHECK(link.name == "w1");
  CHECK((link.up && link.running && !link.loopback && !link.ours && !link.tunnel));
  CHECK(link.ethernet == std::array<std::uint8_t, 6>{2, 0, 0, 0, 0, 7});
  CHECK(feed(table, LinkMessage{}) == Effect::kNone);
  CHECK(feed(table, LinkMessage{.operational = IF_OPER_UNKNOWN}) == Effect::kNone);
  CHECK(feed(table, LinkMessage{.operational = IF_OPER_DORMANT}) == Effect::kChanged);
  CHECK_FALSE(table.state().links.at(3).running);
  feed(table, LinkMessage{.flags = IFF_UP});
  CHECK_FALSE(table.state().links.at(3).running);
  CHECK(table.state().links.at(3).up);
}

TEST_CASE("tunnels of others and devices of ours are told apart from links that can carry us") {
  LinkTable table;
  const auto link = [&](std::uint16_t hardware, const char* kind, const char* name = "x0") {
    feed(table, LinkMessage{.name = name, .hardware = hardware, .kind = kind});
    return table.state().links.at(3);
  };
  CHECK(link(ARPHRD_NONE, "wireguard").tunnel);
  CHECK(link(ARPHRD_NONE, "tun").tunnel);
  CHECK(link(ARPHRD_TUNNEL6, "ip6tnl").tunnel);
  CHECK(link(ARPHRD_PPP, "ppp").tunnel);
  for (const char* kind : {"tun", "gretap", "ip6gretap", "erspan", "ip6erspan", "vxlan", "geneve"})
    CHECK(link(ARPHRD_ETHER, kind).tunnel);
  CHECK_FALSE(link(ARPHRD_NONE, "wwan").tunnel);
  CHECK_FALSE(link(ARPHRD_ETHER, "").tunnel);
  CHECK_FALSE(link(ARPHRD_NONE, "").tunnel);  // a cellular modem
  CHECK_FALSE(link(ARPHRD_ETHER, "veth").tunnel);
  CHECK(link(ARPHRD_TUNNEL6, "ip6tnl", kTunnelName).ours);
  CHECK_FALSE(link(ARPHRD_TUNNEL6, "ip6tnl", kTunnelName).tunnel);
}

TEST_CASE("a port that leaves a bridge, or a wireless event, is not a link that goes") {
  LinkTable table;
  feed(table, LinkMessage{});
  CHECK(feed(table, LinkMessage{.type = RTM_DELLINK, .family = AF_BRIDGE}) == Effect::kNone);
  CHECK(feed(table, LinkMessage{.name = "", .flags = 0}) == Effect::kNone);
  CHECK(table.state().links.at(3).up);
}

TEST_CASE("a link that is renamed keeps its index") {
  LinkTable table;
  feed(table, LinkMessage{});
  CHECK(feed(table, LinkMessage{.name = "wlan0"}) == Effect::kChanged);
  CHECK(table.state().links.size() == 1);
  CHECK(table.state().links.at(3).name == "wlan0");
}

TEST_CASE("a link that goes takes its addresses and default routes along") {
  LinkTable table;
  feed(table, LinkMessage{});
  feed(table, address_bytes(RTM_NEWADDR, "2001:db8:a1::7"));
  feed(table, address_bytes(RTM_NEWADDR, "2001:db8:a2::7", 0, 4));
  feed(table, RouteMessage{});
  CHECK(feed(table, LinkMessage{.type = RTM_DELLINK}) == Effect::kChanged);
  CHECK(table.state().links.empty());
  CHECK(table.state().default_routes.empty());
  REQUIRE(table.state().addresses.size() == 1);
  CHECK(table.state().addresses[0].interface == 4);
}

TEST_CASE("an address comes, changes its flags and goes") {
  LinkTable table;
  CHECK(feed(table, address_bytes(RTM_NEWADDR, "2001:db8:a1::7", IFA_F_TENTATIVE)) == Effect::kChanged);
  CHECK(feed(table, address_bytes(RTM_NEWADDR, "2001:db8:a1::7", IFA_F_TENTATIVE)) == Effect::kNone);
  CHECK(feed(table, address_bytes(RTM_NEWADDR, "2001:db8:a1::7", IFA_F_MANAGETEMPADDR)) == Effect::kChanged);
  CHECK(table.state().addresses == std::vector<Address>{{3, address("2001:db8:a1::7"), 64, IFA_F_MANAGETEMPADDR}});
  CHECK(feed(table, address_bytes(RTM_DELADDR, "2001:db8:a1::7")) == Effect::kChanged);
  CHECK(table.state().addresses.empty());
  CHECK(feed(table, address_bytes(RTM_DELADDR, "2001:db8:a1::7")) == Effect::kNone);
}

TEST_CASE("an address that is preferred for no time is deprecated, whether its flag says so or not") {
  LinkTable table;
  const auto told = [&](std::uint32_t flags, std::uint32_t preferred) {
    MessageBuilder builder{RTM_NEWADDR, 0};
    builder.header(
        ifaddrmsg{.ifa_family = AF_INET6, .ifa_prefixlen = 64, .ifa_flags = 0, .ifa_scope = 0, .ifa_index = 3});
    builder.attribute(IFA_ADDRESS, address("2001:db8:a1::7"));
    builder.attribute(IFA_CACHEINFO,
                      ifa_cacheinfo{.ifa_prefered = preferred, .ifa_valid = 1800, .cstamp = 0, .tstamp = 0});
    builder.attribute(IFA_FLAGS, flags);
    return feed(table, builder.bytes());
  };
  CHECK(told(0, 1800) == Effect::kChanged);
  CHECK_FALSE(table.state().addresses.at(0).flags & IFA_F_DEPRECATED);
  CHECK(told(IFA_F_DEPRECATED, 0) == Effect::kChanged);
  CHECK(told(0, 0) == Effect::kNone);
  CHECK(told(0, 1800) == Effect::kChanged);
}

TEST_CASE("with a peer, the address is our own end") {
  LinkTable table;
  feed(table, address_bytes(RTM_NEWADDR, "2001:db8:a1::7", 0, 3, "2001:db8:a1::8"));
  CHECK(table.state().addresses.at(0).address == address("2001:db8:a1::7"));
}

TEST_CASE("the order in which addresses come makes no difference") {
  LinkTable one;
  LinkTable other;
  for (const char* text : {"2001:db8::1", "2001:db8::2", "2001:db8::3"}) feed(one, address_bytes(RTM_NEWADDR, text));
  for (const char* text : {"2001:db8::3", "2001:db8::1", "2001:db8::2"}) feed(other, address_bytes(RTM_NEWADDR, text));
  CHECK(one.state() == other.state());
}

TEST_CASE("default routes are those of the main table that are not ours") {
  LinkTable table;
  CHECK(feed(table, RouteMessage{.length = 64}) == Effect::kNone);
  CHECK(feed(table, RouteMessage{.source_length = 128}) == Effect::kNone);
  CHECK(feed(table, RouteMessage{.protocol = kRouteProtocol}) == Effect::kNone);
  CHECK(feed(table, RouteMessage{.table = kHomeTable}) == Effect::kNone);
  CHECK(feed(table, RouteMessage{.table = RT_TABLE_LOCAL}) == Effect::kNone);
  CHECK(feed(table, RouteMessage{}) == Effect::kChanged);
  CHECK(feed(table, RouteMessage{}) == Effect::kNone);
  CHECK(table.state().default_routes == std::vector<DefaultRoute>{{3, address("fe80::1"), 1024, 0}});
  CHECK(feed(table, RouteMessage{.type = RTM_DELROUTE, .metric = 5}) == Effect::kNone);
  CHECK(feed(table, RouteMessage{.type = RTM_DELROUTE}) == Effect::kChanged);
  CHECK(table.state().default_routes.empty());
}

TEST_CASE("a default route without a gateway is one to everybody on the link") {
  LinkTable table;
  CHECK(feed(table, RouteMessage{.gateway = nullptr}) == Effect::kChanged);
  CHECK(table.state().default_routes == std::vector<DefaultRoute>{{3, mip6::Ipv6Address{}, 1024, 0}});
  CHECK(feed(table, RouteMessage{.type = RTM_DELROUTE, .gateway = nullptr}) == Effect::kChanged);
  feed(table, LinkMessage{});
  CHECK_FALSE(table.state().links.at(3).no_neighbours);
  for (const unsigned flag : {unsigned{IFF_POINTOPOINT}, unsigned{IFF_NOARP}}) {
    feed(table, LinkMessage{.flags = unsigned{IFF_UP} | unsigned{IFF_LOWER_UP} | flag, .hardware = ARPHRD_NONE});
    CHECK(table.state().links.at(3).no_neighbours);
  }
}

TEST_CASE("a link without multicast is told from others: a router can't be asked for there") {
  LinkTable table;
  feed(table, LinkMessage{});
  CHECK_FALSE(table.state().links.at(3).multicast);
  feed(table, LinkMessage{.flags = unsigned{IFF_UP} | unsigned{IFF_LOWER_UP} | unsigned{IFF_MULTICAST}});
  CHECK(table.state().links.at(3).multicast);
}

TEST_CASE("a router's preference is told, and that it is another one") {
  LinkTable table;
  const auto preference = [&](std::uint8_t told) {
    feed(table, RouteMessage{.preference = told});
    REQUIRE(table.state().default_routes.size() == 1);
    return table.state().default_routes[0].preference;
  };
  CHECK(preference(ICMPV6_ROUTER_PREF_HIGH) == 1);
  CHECK(preference(ICMPV6_ROUTER_PREF_MEDIUM) == 0);
  CHECK(preference(ICMPV6_ROUTER_PREF_LOW) == -1);
  CHECK(preference(ICMPV6_ROUTER_PREF_INVALID) == 0);
  CHECK(feed(table, RouteMessage{.preference = ICMPV6_ROUTER_PREF_HIGH}) == Effect::kChanged);
}

TEST_CASE("routes of ours that others take away are counted, those of links that go down are not") {
  LinkTable table;
  feed(table, LinkMessage{});
  const auto taken = [&table](RouteMessage route, std::uint32_t by) {
    route.type = RTM_DELROUTE;
    route.protocol = kRouteProtocol;
    auto message = bytes(route);
    reinterpret_cast<nlmsghdr*>(message.data())->nlmsg_pid = by;
    const auto before = table.state().own_routes_taken;
    const auto effect = feed(table, message);
    CHECK((effect == Effect::kChanged) == (table.state().own_routes_taken == before + 1));
    return table.state().own_routes_taken != before;
  };
  CHECK_FALSE(taken({}, 999));
  table.watch_own_routes(17);
  table.watch_own_routes(18);
  CHECK(taken({}, 999));
  CHECK(taken({}, 0));  // the kernel itself: IPv6 was switched off
  CHECK(taken({.length = 64, .source_length = 128, .table = kHomeTable}, 999));
  CHECK_FALSE(taken({}, 17));
  CHECK_FALSE(taken({}, 18));
  CHECK_FALSE(taken({.interface = 9}, 999));
  CHECK(feed(table, RouteMessage{.type = RTM_DELROUTE, .gateway = "fe80::9"}) == Effect::kNone);  // not ours
  CHECK(table.successor().state().own_routes_taken == table.state().own_routes_taken);
  feed(table, LinkMessage{.flags = 0});
  CHECK_FALSE(taken({}, 0));
}

TEST_CASE("every next hop of a multipath route is a default route") {
  LinkTable table;
  const RouteMessage route{.hops = {{3, "fe80::1"}, {4, "fe80::2"}}};
  CHECK(feed(table, route) == Effect::kChanged);
  CHECK(table.state().default_routes ==
        std::vector<DefaultRoute>{{3, address("fe80::1"), 1024, 0}, {4, address("fe80::2"), 1024, 0}});
  CHECK(feed(table, RouteMessage{.type = RTM_DELROUTE}) == Effect::kChanged);
  CHECK(table.state().default_routes.size() == 1);
}

TEST_CASE("specific routes are those of the main table to global addresses that choose no source, and not ours") {
  const auto route = [](std::uint16_t type, const char* to, std::uint8_t protocol = RTPROT_KERNEL,
                        const char* source = nullptr) {
    MessageBuilder builder{type, 0};
    rtmsg header{};
    header.rtm_family = AF_INET6;
    header.rtm_dst_len = 64;
    header.rtm_table = RT_TABLE_MAIN;
    header.rtm_protocol = protocol;
    header.rtm_type = RTN_UNICAST;
    builder.header(header).attribute(RTA_DST, address(to)).attribute(RTA_OIF, std::uint32_t{3});
    builder.attribute(RTA_PRIORITY, std::uint32_t{256});
    if (source) builder.attribute(RTA_PREFSRC, address(source));
    return builder.bytes();
  };
  LinkTable table;
  const auto apply = [&](const NetlinkMessage& message) { return table.apply(*header_of(message)); };
  CHECK(apply(route(RTM_NEWROUTE, "2001:db8:a1::")) == Effect::kChanged);
  CHECK(apply(route(RTM_NEWROUTE, "2001:db8:a1::")) == Effect::kNone);
  CHECK(table.state().specific_routes ==
        std::vector<SpecificRoute>{
            {.interface = 3, .prefix = {address("2001:db8:a1::"), 64}, .gateway = {}, .metric = 256}});
  CHECK(apply(route(RTM_NEWROUTE, "fe80::")) == Effect::kNone);
  CHECK(apply(route(RTM_NEWROUTE, "2001:db8:a2::", kRouteProtocol)) == Effect::kNone);
  CHECK(apply(route(RTM_NEWROUTE, "2001:db8:a2::", RTPROT_STATIC, "2001:db8:a1::7")) == Effect::kNone);
  CHECK(table.state().default_routes.empty());
  CHECK(apply(route(RTM_DELROUTE, "2001:db8:a1::")) == Effect::kChanged);
  CHECK(table.state().specific_routes.empty());
}

TEST_CASE("what a message does not tell is read again: a replaced route, a link that came up") {
  LinkTable table;
  feed(table, LinkMessage{.flags = 0});
  CHECK(feed(table, RouteMessage{.flags = NLM_F_REPLACE}) == Effect::kReread);
  CHECK(feed(table, RouteMessage{.flags = NLM_F_REPLACE, .gateway = nullptr}) == Effect::kReread);
  CHECK(feed(table, LinkMessage{}) == Effect::kReread);
  CHECK(feed(table, LinkMessage{.flags = 0}) == Effect::kChanged);
}

TEST_CASE("an address that was taken away and comes back is noticed, until that is forgotten") {
  LinkTable table;
  const auto back = address_bytes(RTM_NEWADDR, "2001:db8:a1::7");
  feed(table, back);
  CHECK_FALSE(table.brings_back(as_header(back)));
  feed(table, address_bytes(RTM_DELADDR, "2001:db8:a1::7"));
  CHECK(table.brings_back(as_header(back)));
  CHECK_FALSE(table.brings_back(as_header(address_bytes(RTM_NEWADDR, "2001:db8:a1::8"))));
  table.forget_removals();
  CHECK_FALSE(table.brings_back(as_header(back)));
}

TEST_CASE("a link that went down and comes up is noticed") {
  LinkTable table;
  feed(table, LinkMessage{});
  feed(table, LinkMessage{.flags = 0});
  CHECK(table.brings_back(as_header(bytes(LinkMessage{}))));
  CHECK_FALSE(table.brings_back(as_header(bytes(LinkMessage{.flags = 0}))));
}

TEST_CASE("a router that was given up is unreachable until it is heard again, not while it is asked") {
  LinkTable table = with_router();
  CHECK(feed(table, NeighbourMessage{.state = NUD_STALE}) == Effect::kNone);
  CHECK(feed(table, NeighbourMessage{}) == Effect::kChanged);
  CHECK(table.state().unreachable_routers == std::vector<Router>{{3, address("fe80::1")}});
  CHECK(feed(table, NeighbourMessage{}) == Effect::kNone);
  for (const int state : {NUD_INCOMPLETE, NUD_DELAY, NUD_PROBE})
    CHECK(feed(table, NeighbourMessage{.state = state}) == Effect::kNone);
  CHECK(feed(table, NeighbourMessage{.type = RTM_DELNEIGH}) == Effect::kNone);
  CHECK(table.state().unreachable_routers.size() == 1);
  for (const int state : {NUD_REACHABLE, NUD_STALE}) {
    CHECK(feed(table, NeighbourMessage{.state = state}) == Effect::kChanged);
    CHECK(table.state().unreachable_routers.empty());
    CHECK(feed(table, NeighbourMessage{.flags = 0}) == Effect::kChanged);  // it never answered: not known as a router
  }
}

TEST_CASE("of neighbours only the gateways of default routes matter") {
  LinkTable table = with_router();
  CHECK(feed(table, NeighbourMessage{.address = "fe80::2"}) == Effect::kNone);
  CHECK(feed(table, NeighbourMessage{.interface = 4}) == Effect::kNone);
  CHECK(feed(table, NeighbourMessage{.family = AF_INET}) == Effect::kNone);
  CHECK(table.state().unreachable_routers.empty());
}

TEST_CASE("an unreachable router is forgotten with its last default route, its link's carrier and its link") {
  const auto unreachable = [] {
    LinkTable table = with_router();
    feed(table, RouteMessage{.metric = 5});
    feed(table, NeighbourMessage{});
    return table;
  };
  LinkTable table = unreachable();
  feed(table, RouteMessage{.type = RTM_DELROUTE, .metric = 5});
  CHECK(table.state().unreachable_routers.size() == 1);
  feed(table, RouteMessage{.type = RTM_DELROUTE});
  CHECK(table.state().unreachable_routers.empty());
  table = unreachable();
  feed(table, LinkMessage{.flags = IFF_UP});
  CHECK(table.state().unreachable_routers.empty());
  table = unreachable();
  feed(table, LinkMessage{.type = RTM_DELLINK});
  CHECK(table.state().unreachable_routers.empty());
  table = unreachable();
  CHECK(table.forget_unreachable());
  CHECK(table.state().unreachable_routers.empty());
  CHECK_FALSE(table.forget_unreachable());
}

TEST_CASE("what was known to be unreachable is assumed of the gateways that are there") {
  LinkTable table = with_router();
  table.assume_unreachable({{3, address("fe80::2")}, {3, address("fe80::1")}, {4, address("fe80::1")}});
  CHECK(table.state().unreachable_routers == std::vector<Router>{{3, address("fe80::1")}});
  feed(table, NeighbourMessage{.state = NUD_REACHABLE});
  CHECK(table.state().unreachable_routers.empty());
}

// Any datagram socket runs the program as a netlink socket does.
TEST_CASE("of neighbours only what may be a router that was given up or heard again wakes us up") {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM, 0, ends.data()) == 0);
  const bool hears_recovery = GENERATE(true, false);
  REQUIRE(keep_out_other_neighbours(ends[0], !hears_recovery));
  REQUIRE(keep_out_other_neighbours(ends[0], hears_recovery));
  const auto let_in = [&](const NetlinkMessage& message) {
    REQUIRE(::send(ends[1], message.data(), message.size(), 0) == static_cast<ssize_t>(message.size()));
    std::array<std::uint8_t, 512> buffer{};
    const auto got = ::recv(ends[0], buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got >= 0) CHECK(got == static_cast<ssize_t>(message.size()));
    return got >= 0;
  };
  CHECK(let_in(bytes(LinkMessage{})));
  CHECK(let_in(address_bytes(RTM_NEWADDR, "2001:db8:a1::7")));
  CHECK(let_in(address_bytes(RTM_DELADDR, "2001:db8:a1::7")));
  CHECK(let_in(bytes(RouteMessage{})));
  CHECK(let_in(bytes(RouteMessage{.type = RTM_DELROUTE})));
  CHECK(let_in(bytes(NeighbourMessage{})));
  CHECK(let_in(bytes(NeighbourMessage{.flags = 0})));
  CHECK(let_in(bytes(NeighbourMessage{.state = NUD_REACHABLE})) == hears_recovery);
  CHECK(let_in(bytes(NeighbourMessage{.state = NUD_STALE, .flags = NTF_ROUTER | NTF_EXT_LEARNED})) == hears_recovery);
  CHECK_FALSE(let_in(bytes(NeighbourMessage{.state = NUD_REACHABLE, .flags = 0})));
  CHECK_FALSE(let_in(bytes(NeighbourMessage{.state = NUD_STALE, .flags = NTF_EXT_LEARNED})));
  for (const int state : {NUD_INCOMPLETE, NUD_DELAY, NUD_PROBE, NUD_PERMANENT, NUD_NOARP})
    CHECK_FALSE(let_in(bytes(NeighbourMessage{.state = state})));
  CHECK_FALSE(let_in(bytes(NeighbourMessage{.family = AF_INET})));
  CHECK_FALSE(let_in(bytes(NeighbourMessage{.type = RTM_DELNEIGH})));
  CHECK_FALSE(let_in(bytes(NeighbourMessage{.type = RTM_GETNEIGH})));
  for (const int end : ends) ::close(end);
}

TEST_CASE("a message cut short anywhere changes nothing, or what it says up to there") {
  for (const auto& message :
       {bytes(LinkMessage{.kind = "veth"}), address_bytes(RTM_NEWADDR, "2001:db8:a1::7"), bytes(RouteMessage{}),
        bytes(RouteMessage{.hops = {{3, "fe80::1"}, {4, "fe80::2"}}}), bytes(NeighbourMessage{})}) {
    for (std::size_t size = sizeof(nlmsghdr); size < message.size(); ++size) {
      auto cut = NetlinkMessage(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(size));
      const auto length = static_cast<std::uint32_t>(size);
      std::memcpy(cut.data(), &length, sizeof length);
      LinkTable table;
      feed(table, RouteMessage{});
      feed(table, cut);
      table.brings_back(as_header(cut));
      CHECK(table.state().unreachable_routers.empty());
      CHECK(table.state().addresses.size() + table.state().default_routes.size() <= 3);
    }
  }
}

TEST_CASE("the monitor tells the state once at its start, and not again when nothing changed") {
  boost::asio::io_context loop;
  int told = 0;
  LinkMonitor monitor{loop, [&](const NetworkState& state) {
                        ++told;
                        CHECK_FALSE(state.links.empty());
                      }};
  REQUIRE(monitor.start());
  CHECK(told == 1);
  CHECK(std::any_of(monitor.state().links.begin(), monitor.state().links.end(),
                    [](const auto& entry) { return entry.second.loopback && entry.second.index == entry.first; }));
}

TEST_CASE("a monitor that is gone leaves nothing in the loop") {
  boost::asio::io_context loop;
  {
    LinkMonitor monitor{loop, [](const NetworkState&) {}};
    REQUIRE(monitor.start());
  }
  loop.run();
  SUCCEED("the loop ended");
}
