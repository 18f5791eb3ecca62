// The rtnetlink messages of the payload path, compared with what iproute2 6.1 sends for the command above each (device
// number 1). Attributes may come in another order; where ours differ on purpose the comment says how.
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <cerrno>
#include <map>

#include "mnd/linux/kernel.hpp"
#include "mnd/linux/tunnel.hpp"
#include "mnd/linux/tunnel_device.hpp"
#include "mnd/linux/tunnel_messages.hpp"
#include "tests/catch.hpp"
#include "tests/unit/linux/golden.hpp"

using namespace mnd::kernel;
using golden::address;

namespace {

const auto kHome = address("2001:db8:1::42");
const auto kAgent = address("2001:db8:1::1");
const auto kCareOf = address("2001:db8:a1::7");

// A message without the order of its attributes; `header`: the fixed header of its family.
struct Parts {
  std::vector<std::uint8_t> header;  // netlink's and the family's
  std::map<int, std::vector<std::uint8_t>> attributes;
  bool operator==(const Parts&) const = default;
};

template <typename Header>
Parts parts(const NetlinkMessage& message) {
  const std::size_t header = sizeof(nlmsghdr) + sizeof(Header);
  REQUIRE(message.size() >= header);
  Parts result;
  result.header.assign(message.begin() + 4, message.begin() + static_cast<std::ptrdiff_t>(header));
  for (int type = 1; type < 0x4000; ++type) {
    if (!has_nested(std::span(message).subspan(NLMSG_ALIGN(header)), type)) continue;
    const auto payload = find_attribute(message, sizeof(Header), type);
    result.attributes[type].assign(payload.begin(), payload.end());
  }
  return result;
}

template <typename Header>
Parts golden_parts(std::uint16_t type, std::uint16_t flags, const std::string& payload) {
  return parts<Header>(golden::message(type, flags, payload));
}

constexpr std::uint16_t kAdd = NLM_F_CREATE | NLM_F_EXCL;
constexpr std::uint16_t kReplace = NLM_F_CREATE | NLM_F_REPLACE;

Route tunnel_route(std::uint32_t table) {
  Route route;
  route.table = table;
  route.metric = kDefaultMetric;
  route.interface = 1;
  route.encapsulation = Encapsulation{.source = kCareOf, .destination = kAgent};
  return route;
}

}  // namespace

TEST_CASE("the tunnel device is an external ip6tnl that carries IPv6 only", "[tunnel]") {
  // ip link add mip6 type ip6tnl external; there IFLA_IPTUN_PROTO is 0, any, nests have no flag, the kind no zero
  CHECK(parts<ifinfomsg>(add_tunnel_device("mip6")) ==
        golden_parts<ifinfomsg>(RTM_NEWLINK, kAdd,
                                "00*16 09000300 6d69703600000000 20001280 0b000100 697036746e6c00 00"
                                " 10000280 05000900 29000000 04001300"));
  const auto link = parse_link(add_tunnel_device("mip6"));
  REQUIRE(link);
  CHECK(link->external_tunnel);
}

TEST_CASE("another kind of link with our name is told apart", "[tunnel]") {
  const auto link = MessageBuilder(RTM_NEWLINK, 0)
                        .header(ifinfomsg{})
                        .begin_nest(IFLA_LINKINFO)
                        .text(IFLA_INFO_KIND, "ip6tnl")
                        .end_nest()
                        .text(IFLA_IFALIAS, "mine")
                        .bytes();
  const auto parsed = parse_link(link);
  REQUIRE(parsed);
  CHECK_FALSE(parsed->external_tunnel);
  CHECK(parsed->alias == "mine");
}

TEST_CASE("the device is set up without link-local address, marked and deleted", "[tunnel]") {
  // ip link set dev lo up mtu 1280
  CHECK(set_link_up(1, 1280) ==
        golden::message(RTM_NEWLINK, 0, "0000000001000000 01000000 01000000 08000400 00050000"));
  // ip link set dev lo addrgenmode none; there nests have no flag
  CHECK(no_link_local_address(1) ==
        golden::message(RTM_NEWLINK, 0, "0000000001000000 00*8 10001a80 0c000a80 05000800 01000000"));
  // ip link set dev lo alias hello; there the zero at the end is missing
  CHECK(set_alias(1, "hello") == golden::message(RTM_NEWLINK, 0, "0000000001000000 00*8 0a001400 68656c6c6f00 0000"));
  // ip link del dev lo
  CHECK(delete_link(1) == golden::message(RTM_DELLINK, 0, "0000000001000000 00*8"));
}

TEST_CASE("the home address has no DAD, no prefix route, the home flag and our mark", "[tunnel]") {
  const HomeAddress deprecated{
      .interface = 1, .address = kHome, .prefix_length = 128, .home_flag = true, .preferred = false};
  // ip addr change HOME/128 dev lo home nodad noprefixroute preferred_lft 0 valid_lft forever, and IFA_PROTO 175
  const std::string payload =
      "0a80000001000000 14000200 20010db80001 00*9 42 08000800 12020000 14000100 20010db80001 00*9 42"
      " 14000600 00000000 ffffffff 00*8 05000b00 af000000";
  CHECK(parts<ifaddrmsg>(change_address(deprecated)) == golden_parts<ifaddrmsg>(RTM_NEWADDR, kReplace, payload));
  CHECK(parts<ifaddrmsg>(add_address(deprecated)) == golden_parts<ifaddrmsg>(RTM_NEWADDR, kAdd, payload));
  // ip addr del HOME/128 dev lo; there without IFA_ADDRESS
  CHECK(parts<ifaddrmsg>(delete_address(deprecated)) ==
        golden_parts<ifaddrmsg>(RTM_DELADDR, 0,
                                "0a80000001000000 14000200 20010db80001 00*9 42 14000100 20010db80001 00*9 42"));
}

TEST_CASE("a dumped address is ours only by its mark", "[tunnel]") {
  const auto ours = parse_address(add_address({.interface = 3, .address = kHome, .prefix_length = 64}));
  REQUIRE(ours);
  CHECK(ours->ours);
  CHECK(ours->address.interface == 3);
  CHECK(ours->address.address == kHome);
  CHECK(ours->address.prefix_length == 64);
  const auto foreign = parse_address(
      golden::message(RTM_NEWADDR, 0, "0a40800003000000 14000100 20010db80001 00*9 42 08000800 80000000"));
  REQUIRE(foreign);
  CHECK(foreign->address.address == kHome);
  CHECK_FALSE(foreign->ours);
}

TEST_CASE("a move is one route of the home table", "[tunnel]") {
  // ip -6 route replace default encap ip6 dst AGENT src CAREOF dev lo table 6275 metric 6 proto 175; there RTA_DST too
  CHECK(parts<rtmsg>(replace_route(tunnel_route(kHomeTable))) ==
        golden_parts<rtmsg>(RTM_NEWROUTE, kReplace,
                            "0a00000000af0001 00000000 2c001680 14000200 20010db80001 00*9 01"
                            " 14000300 20010db800a1 00*9 07 06001500 04000000 08000f00 83180000 08000600 06000000"
                            " 08000400 01000000"));
}

TEST_CASE("a route of the main table can prefer a source and tell TCP its segments' size", "[tunnel]") {
  // ip -6 route replace default encap ip6 dst AGENT src CAREOF dev lo src HOME metric 6 proto 175 advmss 1180; there
  // the nest has no flag
  Route main = tunnel_route(kMainTable);
  main.preferred_source = kHome;
  main.advertised_mss = 1180;
  CHECK(parts<rtmsg>(replace_route(main)) ==
        golden_parts<rtmsg>(RTM_NEWROUTE, kReplace,
                            "0a000000feaf0001 00000000 2c001680 14000200 20010db80001 00*9 01"
                            " 14000300 20010db800a1 00*9 07 06001500 04000000 14000700 20010db80001 00*9 42"
                            " 08000600 06000000 08000400 01000000 0c000880 08000800 9c040000"));
}

TEST_CASE("packets from a care-of address have a default route of their own", "[tunnel]") {
  Route route;
  route.source = {kCareOf, 128};
  route.interface = 1;
  // ip -6 route del default from CAREOF/128 dev lo proto 175; there type and scope are nowhere, which deletes the same
  CHECK(parts<rtmsg>(delete_route(route)) ==
        golden_parts<rtmsg>(RTM_DELROUTE, 0,
                            "0a008000feaf0001 00000000 14000200 20010db800a1 00*9 07 08000400 01000000"));
  route.gateway = address("fe80::1");
  // ip -6 route replace default from CAREOF/128 via fe80::1 dev lo proto 175
  CHECK(parts<rtmsg>(replace_route(route)) ==
        golden_parts<rtmsg>(RTM_NEWROUTE, kReplace,
                            "0a008000feaf0001 00000000 14000200 20010db800a1 00*9 07 14000500 fe80 00*13 01"
                            " 08000400 01000000"));
  // ip -6 route add ...: not where somebody else's is
  CHECK(parts<rtmsg>(add_route(route)) ==
        golden_parts<rtmsg>(RTM_NEWROUTE, kAdd,
                            "0a008000feaf0001 00000000 14000200 20010db800a1 00*9 07 14000500 fe80 00*13 01"
                            " 08000400 01000000"));
}

TEST_CASE("a route can be for packets without a source yet", "[tunnel]") {
  Route route;
  route.destination = {kAgent, 128};
  route.source = {{}, 128};
  route.interface = 1;
  route.preferred_source = kCareOf;
  // ip -6 route replace AGENT/128 from ::/128 dev lo src CAREOF proto 175
  CHECK(parts<rtmsg>(replace_route(route)) ==
        golden_parts<rtmsg>(RTM_NEWROUTE, kReplace,
                            "0a808000feaf0001 00000000 14000100 20010db80001 00*9 01 14000200 00*16"
                            " 14000700 20010db800a1 00*9 07 08000400 01000000"));
  REQUIRE(parse_route(replace_route(route)));
  CHECK(parse_route(replace_route(route))->route == route);
}

TEST_CASE("the last route of the home table refuses", "[tunnel]") {
  Route route;
  route.table = kHomeTable;
  route.metric = 0xffffffff;
  route.unreachable = true;
  // ip -6 route replace unreachable default table 6275 metric 4294967295 proto 175
  CHECK(parts<rtmsg>(replace_route(route)) ==
        golden_parts<rtmsg>(RTM_NEWROUTE, kReplace, "0a00000000af0007 00000000 08000f00 83180000 08000600 ff*4"));
}

TEST_CASE("a dumped route is what was added, and ours only by its protocol", "[tunnel]") {
  Route route = tunnel_route(kHomeTable);
  route.source = {kHome, 128};
  route.destination = {kAgent, 64};
  route.preferred_source = kHome;
  route.mtu = 1240;
  route.advertised_mss = 1180;
  auto message = replace_route(route);
  const auto dumped = parse_route(message);
  REQUIRE(dumped);
  CHECK(dumped->route == route);
  CHECK(dumped->ours);
  message[sizeof(nlmsghdr) + offsetof(rtmsg, rtm_protocol)] = RTPROT_RA;
  REQUIRE(parse_route(message));
  CHECK_FALSE(parse_route(message)->ours);
  message[sizeof(nlmsghdr) + offsetof(rtmsg, rtm_type)] = RTN_LOCAL;
  CHECK_FALSE(parse_route(message));
}

TEST_CASE("a rule sends packets from the home address to the home table", "[tunnel]") {
  const Rule rule{.priority = 6275, .table = kHomeTable, .source = kHome, .destination = std::nullopt};
  // ip -6 rule add from HOME lookup 6275 pref 6275 protocol 175
  CHECK(parts<rtmsg>(add_rule(rule)) ==
        golden_parts<rtmsg>(RTM_NEWRULE, kAdd,
                            "0a00800000000001 00000000 14000200 20010db80001 00*9 42 08000f00 83180000"
                            " 08000600 83180000 05001500 af000000"));
  const auto dumped = parse_rule(add_rule(rule));
  REQUIRE(dumped);
  CHECK(dumped->rule == rule);
  CHECK(dumped->ours);
  // The same without protocol is somebody else's.
  const auto foreign = parse_rule(golden::message(
      RTM_NEWRULE, 0, "0a00800000000001 00000000 14000200 20010db80001 00*9 42 08000f00 83180000 08000600 83180000"));
  REQUIRE(foreign);
  CHECK_FALSE(foreign->ours);
}

TEST_CASE("rules for the home agent, for all but default routes, and for what has no source yet", "[tunnel]") {
  const Rule to_agent{.priority = 6275, .table = kMainTable, .source = std::nullopt, .destination = kAgent};
  // ip -6 rule add to AGENT lookup main pref 6275 protocol 175; there the table is in the header, too
  CHECK(parts<rtmsg>(add_rule(to_agent)) ==
        golden_parts<rtmsg>(RTM_NEWRULE, kAdd,
                            "0a80000000000001 00000000 14000100 20010db80001 00*9 01 08000f00 fe000000"
                            " 08000600 83180000 05001500 af000000"));
  const Rule specific{
      .priority = 32765, .table = kMainTable, .source = std::nullopt, .destination = std::nullopt, .no_default = true};
  // ip -6 rule add lookup main suppress_prefixlength 0 pref 32765 protocol 175; there the table is in the header, too
  CHECK(parts<rtmsg>(add_rule(specific)) ==
        golden_parts<rtmsg>(RTM_NEWRULE, kAdd,
                            "0a00000000000001 00000000 08000f00 fe000000 08000600 fd7f0000 08000e00 00000000"
                            " 05001500 af000000"));
  const Rule chooses{
      .priority = 32765, .table = kHomeTable, .source = kHome, .destination = std::nullopt, .chooses_source = true};
  // ip -6 rule add from HOME lookup 6275 pref 32765 protocol 175, and the flag FIB_RULE_FIND_SADDR
  CHECK(parts<rtmsg>(add_rule(chooses)) ==
        golden_parts<rtmsg>(RTM_NEWRULE, kAdd,
                            "0a00800000000001 00000100 14000200 20010db80001 00*9 42 08000f00 83180000"
                            " 08000600 fd7f0000 05001500 af000000"));
  Rule tcp = to_agent;
  tcp.protocol = IPPROTO_TCP;
  // ip -6 rule add to AGENT ipproto tcp lookup main pref 6275 protocol 175; there the table is in the header, too
  CHECK(parts<rtmsg>(add_rule(tcp)) ==
        golden_parts<rtmsg>(RTM_NEWRULE, kAdd,
                            "0a80000000000001 00000000 14000100 20010db80001 00*9 01 08000f00 fe000000"
                            " 08000600 83180000 05001600 06000000 05001500 af000000"));
  for (const Rule& rule : {to_agent, specific, chooses, tcp}) {
    REQUIRE(parse_rule(add_rule(rule)));
    CHECK(parse_rule(add_rule(rule))->rule == rule);
  }
}

TEST_CASE("the source check passes what comes from the right ends and drops the rest", "[tunnel]") {
  // tc qdisc add dev lo clsact
  CHECK(add_ingress(1) ==
        golden::message(RTM_NEWQDISC, kAdd, "0000000001000000 0000ffff f1ffffff 00000000 0b000100 636c7361637400 00"));
  // tc filter add dev lo ingress protocol ipv6 pref 1 handle 1 flower enc_src_ip AGENT dst_ip HOME action pass; with
  // NLM_F_EXCL, without flags of nests, and with TCA_FLOWER_FLAGS 0
  const TunnelFilter filter{
      .outer_source = kAgent, .inner_source = std::nullopt, .inner_destination = kHome, .handle = 1};
  CHECK(pass(1, filter) ==
        golden::message(RTM_NEWTFILTER, NLM_F_CREATE,
                        "0000000001000000 01000000 f2ffffff 86dd0100 0b000100 666c6f77657200 00"
                        " 8c000280 14001f00 20010db80001 00*9 01 14002000 ff*16"
                        " 14001000 20010db80001 00*9 42 14001100 ff*16"
                        " 30000380 2c000180 09000100 6761637400000000 1c000280 18000200 00*20 06000800 86dd0000"));
  // tc filter add dev lo ingress protocol all pref 100 handle 1 matchall action drop; without flags of nests
  CHECK(drop_the_rest(1) ==
        golden::message(RTM_NEWTFILTER, kAdd,
                        "0000000001000000 01000000 f2ffffff 00036400 0d000100 6d61746368616c6c00 000000"
                        " 34000280 30000280 2c000180 09000100 6761637400000000 1c000280 18000200"
                        " 00000000 00000000 02000000 00000000 00000000"));
}

TEST_CASE("a dumped filter gives its addresses and the handle that deletes it", "[tunnel]") {
  const TunnelFilter filter{
      .outer_source = kCareOf, .inner_source = kHome, .inner_destination = std::nullopt, .handle = 7};
  CHECK(parse_pass(pass(1, filter)) == filter);
  CHECK_FALSE(parse_pass(drop_the_rest(1)));
  // tc filter del dev lo ingress protocol ipv6 pref 1 handle 7 flower; there with empty options
  CHECK(remove_pass(1, 7) ==
        golden::message(RTM_DELTFILTER, 0, "0000000001000000 07000000 f2ffffff 86dd0100 0b000100 666c6f77657200 00"));
}

TEST_CASE("a proxy neighbour carries our mark", "[tunnel]") {
  // ip -6 neigh add proxy HOME dev lo protocol 175; there with NLM_F_EXCL, which the kernel does not look at
  CHECK(parts<ndmsg>(add_proxy_neighbour(1, kHome)) ==
        golden_parts<ndmsg>(RTM_NEWNEIGH, kReplace,
                            "0a000000 01000000 00000800 05000c00 af000000 14000100 20010db80001 00*9 42"));
  const auto ours = parse_proxy_neighbour(add_proxy_neighbour(1, kHome));
  REQUIRE(ours);
  CHECK(ours->ours);
  CHECK(ours->interface == 1);
  CHECK(ours->address == kHome);
  const auto foreign = parse_proxy_neighbour(
      golden::message(RTM_NEWNEIGH, 0, "0a000000 01000000 00000800 14000100 20010db80001 00*9 42"));
  REQUIRE(foreign);
  CHECK_FALSE(foreign->ours);
}

TEST_CASE("the way of a new connection is asked for as ip route get asks, and the answer has its device", "[tunnel]") {
  // ip -6 route get 2000::
  CHECK(ask_way(kSomewhere) == golden::message(RTM_GETROUTE, 0, "0a80 00*10 14000100 20 00*15"));
  rtmsg header{};
  header.rtm_family = AF_INET6;
  header.rtm_flags = RTM_F_CLONED;
  const auto answer = MessageBuilder(RTM_NEWROUTE, 0).header(header).attribute(RTA_OIF, std::uint32_t{7}).bytes();
  CHECK(parse_way(answer) == 7);
  for (std::size_t size = 0; size < answer.size(); ++size)
    CHECK(parse_way({answer.begin(), answer.begin() + static_cast<std::ptrdiff_t>(size)}) == 0);
}

TEST_CASE("messages cut short give nothing, or less", "[tunnel]") {
  const auto route = replace_route(tunnel_route(kHomeTable));
  // RTA_ENCAP_TYPE, the last attribute, is not read.
  for (std::size_t size = 0; size < route.size() - 8; ++size) {
    const NetlinkMessage cut(route.begin(), route.begin() + static_cast<std::ptrdiff_t>(size));
    if (size < sizeof(nlmsghdr) + sizeof(rtmsg)) {
      CHECK_FALSE(parse_route(cut));
    } else {
      REQUIRE(parse_route(cut));
      CHECK(parse_route(cut)->route != tunnel_route(kHomeTable));
    }
  }
}

TEST_CASE("of steps that are all done the first error stays", "[tunnel]") {
  const auto failed = [](int number) {
    return tl::unexpected(mip6::Error{.tried = "t", .on = "o", .reason = {}, .remedy = {}, .os_error = number});
  };
  FirstError result;
  result.keep(tl::expected<int, mip6::Error>(7));
  CHECK(result.value());
  result.keep(tl::expected<int, mip6::Error>(failed(EPERM)));
  result.keep(tl::expected<void, mip6::Error>(failed(ENODEV)));
  result.keep(tl::expected<void, mip6::Error>());
  REQUIRE_FALSE(result.value());
  CHECK(result.value().error().os_error == EPERM);
}
