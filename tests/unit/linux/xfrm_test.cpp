// Every xfrm message of the project, compared with what `ip xfrm` of iproute2 6.1 sends for the command above it
// (captured with strace), or with the struct written out by hand where `ip` has no such command.
#include <linux/xfrm.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "mnd/linux/kernel.hpp"
#include "mnd/linux/xfrm_messages.hpp"
#include "mnd/linux/xfrm_policies.hpp"
#include "tests/catch.hpp"
#include "tests/unit/linux/golden.hpp"

using namespace mnd::kernel;
using golden::address;

namespace {

const auto kHome = address("2001:db8:1::42");
const auto kAgent = address("2001:db8:1::1");
const auto kCareOf = address("2001:db8:a1::7");

PolicyKey out_key(bool sub) {
  return {.source = kHome, .destination = kAgent, .direction = XFRM_POLICY_OUT, .type = kBindingUpdateType, .sub = sub};
}
PolicyKey in_key(bool sub) {
  return {.source = kAgent, .destination = kHome, .direction = XFRM_POLICY_IN, .type = std::nullopt, .sub = sub};
}
PolicyKey any_key() {
  return {.source = {},
          .source_length = 0,
          .destination = kAgent,
          .direction = XFRM_POLICY_IN,
          .type = std::nullopt,
          .sub = true};
}

}  // namespace

TEST_CASE("care-of address states are those of ip xfrm state", "[xfrm]") {
  const std::string home_address_option =
      "00*56 20010db80001 00*9 01000000003c00000020010db80001 00*9 42 ff*32 00*84 0a0002 00*9"
      " 14000e0020010db800a1 00*9 07";
  // ip xfrm state add src HOME dst AGENT proto hao mode ro coa CAREOF
  CHECK(care_of_state(XFRM_MSG_NEWSA, kHome, kAgent, IPPROTO_DSTOPTS, kCareOf) ==
        golden::message(XFRM_MSG_NEWSA, 0, home_address_option));
  // ip xfrm state update src HOME dst AGENT proto hao mode ro coa CAREOF
  CHECK(care_of_state(XFRM_MSG_UPDSA, kHome, kAgent, IPPROTO_DSTOPTS, kCareOf) ==
        golden::message(XFRM_MSG_UPDSA, 0, home_address_option));
  // ip xfrm state update src AGENT dst HOME proto route2 mode ro coa CAREOF
  CHECK(care_of_state(XFRM_MSG_UPDSA, kAgent, kHome, IPPROTO_ROUTING, kCareOf) ==
        golden::message(XFRM_MSG_UPDSA, 0,
                        "00*56 20010db80001 00*9 42000000002b00000020010db80001 00*9 01 ff*32 00*84 0a0002 00*9"
                        " 14000e0020010db800a1 00*9 07"));
  // ip xfrm state add src :: dst :: proto hao mode ro coa :: flag wildrecv
  CHECK(add_wildcard_home_address_state() ==
        golden::message(XFRM_MSG_NEWSA, 0, "00*76 3c 00*19 ff*32 00*84 0a00020008 00*7 14000e 00*17"));
}

TEST_CASE("ESP states with manual keys are those of ip xfrm state", "[xfrm]") {
  const ManualSa sa{.spi = 0x1a2b3c4d,
                    .encryption_key = golden::hex("8f1c2e90ab55d3077c6e41b2f9d80a63"),
                    .integrity = Integrity::kHmacSha256,
                    .integrity_key = golden::hex("31d7f4a8096ce25b8d10fa4793be6c05d84127fb6e90a35c1f62d80e47b93a16")};
  // ip xfrm state add src HOME dst AGENT proto esp spi 0x1a2b3c4d reqid 11 mode transport
  //    auth-trunc 'hmac(sha256)' 0x31d7... 128 enc 'cbc(aes)' 0x8f1c...
  CHECK(manual_esp_state(kHome, kAgent, 11, sa) ==
        golden::message(XFRM_MSG_NEWSA, 0,
                        "00*56 20010db80001 00*9 011a2b3c4d3200000020010db80001 00*9 42 ff*32 00*80 0b0000000a 00*11"
                        " 6c001400686d61632873686132353629 00*53 01000080000000"
                        " 31d7f4a8096ce25b8d10fa4793be6c05d84127fb6e90a35c1f62d80e47b93a16"
                        " 580002006362632861657329 00*56 80000000 8f1c2e90ab55d3077c6e41b2f9d80a63"));
  // RFC 4868 section 2.6: half of the hash is sent
  CHECK(traits_of(Integrity::kHmacSha384).sent_bits == 192);
  CHECK(traits_of(Integrity::kHmacSha512).sent_bits == 256);
}

TEST_CASE("states are deleted and listed as by ip xfrm state", "[xfrm]") {
  // ip xfrm state delete src HOME dst AGENT proto hao
  CHECK(delete_state(kHome, kAgent, IPPROTO_DSTOPTS, 0) ==
        golden::message(XFRM_MSG_DELSA, 0, "20010db80001 00*9 01000000000a003c0014000d0020010db80001 00*9 42"));
  // ip xfrm state delete src AGENT dst HOME proto esp spi 0x11223344
  CHECK(delete_state(kAgent, kHome, IPPROTO_ESP, 0x11223344) ==
        golden::message(XFRM_MSG_DELSA, 0, "20010db80001 00*9 42112233440a00320014000d0020010db80001 00*9 01"));
  // ip xfrm state get src HOME dst AGENT proto esp spi 0x11223344, without the source, which no lookup needs
  CHECK(get_state(kAgent, IPPROTO_ESP, 0x11223344) ==
        golden::message(XFRM_MSG_GETSA, 0, "20010db80001 00*9 01 11223344 0a00 32 00"));
  // XFRMA_PROTO as in `ip xfrm state list proto hao`
  CHECK(dump_states(IPPROTO_DSTOPTS) == golden::message(XFRM_MSG_GETSA, 0, "050019003c000000"));
  // the same, XFRMA_ADDRESS_FILTER with a struct xfrm_address_filter by hand
  CHECK(dump_states(IPPROTO_ESP, kHome, kAgent) ==
        golden::message(XFRM_MSG_GETSA, 0,
                        "0500190032000000 28001a00 20010db80001 00*9 42 20010db80001 00*9 01 0a00 80 80"));
}

TEST_CASE("ESP policies are those of ip xfrm policy, by type outbound and without type inbound", "[xfrm]") {
  // ip xfrm policy update src HOME dst AGENT proto 135 type 5 dir out priority 1
  //    tmpl src HOME dst AGENT proto esp reqid 11 mode transport
  CHECK(update_policy(out_key(false), {kHome, kAgent, IPPROTO_ESP, 11}, 1) ==
        golden::message(XFRM_MSG_UPDPOLICY, 0,
                        "20010db80001 00*9 0120010db80001 00*9 42 00*5 05ffff0a00808087 00*11 ff*32 00*64 01 00*7 01"
                        " 00*7 4400050020010db80001 00*9 0100000000320000000a00000020010db80001 00*9 420b 00*7 ff*12"));
  // ip xfrm policy update src AGENT dst HOME proto 135 dir in priority 1
  //    tmpl src AGENT dst HOME proto esp reqid 11 mode transport
  CHECK(update_policy(in_key(false), {kAgent, kHome, IPPROTO_ESP, 11}, 1) ==
        golden::message(XFRM_MSG_UPDPOLICY, 0,
                        "20010db80001 00*9 4220010db80001 00*9 01 00*8 0a00808087 00*11 ff*32 00*64 01 00*15"
                        " 4400050020010db80001 00*9 4200000000320000000a00000020010db80001 00*9 010b 00*7 ff*12"));
}

TEST_CASE("an ESP policy that names its SPI is that of ip xfrm policy", "[xfrm]") {
  // ip xfrm policy update src HOME dst AGENT proto 135 type 5 dir out priority 1
  //    tmpl src HOME dst AGENT proto esp spi 0x11223344 reqid 11 mode transport
  const auto policy = update_policy(out_key(false), {kHome, kAgent, IPPROTO_ESP, 11, false, 0x11223344}, 1);
  CHECK(policy ==
        golden::message(XFRM_MSG_UPDPOLICY, 0,
                        "20010db80001 00*9 0120010db80001 00*9 42 00*5 05ffff0a00808087 00*11 ff*32 00*64 01 00*7 01"
                        " 00*7 4400050020010db80001 00*9 0111223344320000000a00000020010db80001 00*9 420b 00*7 ff*12"));
  CHECK(parse_policy(policy)->first->spi == 0x11223344);
}

TEST_CASE("sub policies are those of ip xfrm policy ptype sub", "[xfrm]") {
  // ip xfrm policy update src HOME dst AGENT proto 135 type 5 dir out ptype sub priority 2
  //    tmpl src HOME dst AGENT proto hao mode ro
  CHECK(update_policy(out_key(true), {kHome, kAgent, IPPROTO_DSTOPTS}, 2) ==
        golden::message(XFRM_MSG_UPDPOLICY, 0,
                        "20010db80001 00*9 0120010db80001 00*9 42 00*5 05ffff0a00808087 00*11 ff*32 00*64 02 00*7 01"
                        " 00*7 0a00100001 00*7 4400050020010db80001 00*9 01000000003c0000000a00000020010db80001 00*9"
                        " 420000000002000000 ff*12"));
  // ip xfrm policy update src AGENT dst HOME proto 135 dir in ptype sub priority 2
  //    tmpl src AGENT dst HOME proto route2 mode ro
  CHECK(update_policy(in_key(true), {kAgent, kHome, IPPROTO_ROUTING}, 2) ==
        golden::message(XFRM_MSG_UPDPOLICY, 0,
                        "20010db80001 00*9 4220010db80001 00*9 01 00*8 0a00808087 00*11 ff*32 00*64 02 00*15"
                        " 0a00100001 00*7 4400050020010db80001 00*9 42000000002b0000000a00000020010db80001 00*9"
                        " 010000000002000000 ff*12"));
  // ip xfrm policy update src ::/0 dst AGENT proto 135 dir in ptype sub priority 2 tmpl proto hao mode ro level use
  CHECK(update_policy(any_key(), {{}, {}, IPPROTO_DSTOPTS, 0, true}, 2) ==
        golden::message(XFRM_MSG_UPDPOLICY, 0,
                        "20010db80001 00*9 01 00*24 0a00800087 00*11 ff*32 00*64 02 00*15 0a00100001 00*7 440005 00*21"
                        " 3c0000000a 00*23 02000100 ff*12"));
}

TEST_CASE("policies are deleted as by ip xfrm policy", "[xfrm]") {
  // ip xfrm policy delete src HOME dst AGENT proto 135 type 5 dir out ptype sub
  CHECK(
      delete_policy(out_key(true)) ==
      golden::message(XFRM_MSG_DELPOLICY, 0,
                      "20010db80001 00*9 0120010db80001 00*9 42 00*5 05ffff0a00808087 00*15 010000000a00100001 00*7"));
  // ip xfrm policy delete src AGENT dst HOME proto 135 dir in
  CHECK(delete_policy(in_key(false)) ==
        golden::message(XFRM_MSG_DELPOLICY, 0, "20010db80001 00*9 4220010db80001 00*9 01 00*8 0a00808087 00*19"));
  // ip xfrm policy list
  CHECK(dump_policies() == golden::message(XFRM_MSG_GETPOLICY, 0, ""));
}

TEST_CASE("the IKE endpoint moves by a MIGRATE that leaves the ESP endpoints and by KMADDRESS", "[xfrm]") {
  CHECK(migrate_key_endpoint(in_key(false), 11, kCareOf, kAgent) ==
        golden::message(XFRM_MSG_MIGRATE, 0,
                        // struct xfrm_userpolicy_id: daddr, saddr, no ports, family, lengths, protocol; direction in
                        "20010db80001 00*9 42 20010db80001 00*9 01 00*8 0a00 80 80 87 00*11 00*8"
                        // XFRMA_MIGRATE, struct xfrm_user_migrate: old daddr, saddr, new daddr, saddr,
                        " 5000 1100 20010db80001 00*9 42 20010db80001 00*9 01 20010db80001 00*9 42 20010db80001 00*9 01"
                        // ESP, transport, reqid, families
                        " 32 00 0000 0b000000 0a00 0a00"
                        // XFRMA_KMADDRESS, struct xfrm_user_kmaddress: local, remote, family
                        " 2c00 1300 20010db800a1 00*9 07 20010db80001 00*9 01 00000000 0a00 0000"));
}

TEST_CASE("policies of prefix discovery are those of ip xfrm policy, by type, and by code where the kernel needs it",
          "[xfrm]") {
  // ip xfrm policy update src HOME dst AGENT proto ipv6-icmp type 146 dir out priority 1
  //    tmpl src HOME dst AGENT proto esp reqid 12 mode transport
  PolicyKey out{.source = kHome, .destination = kAgent, .protocol = kIcmpv6, .type = kPrefixSolicitationType};
  CHECK(
      update_policy(out, {kHome, kAgent, IPPROTO_ESP, 12}, 1) ==
      golden::message(XFRM_MSG_UPDPOLICY, 0,
                      "20010db80001 00*9 01 20010db80001 00*9 42 00*4 0092ffff 0a0080803a 00*11 ff*32 00*64 01 00*7 01"
                      " 00*7 44000500 20010db80001 00*9 01 00*4 32000000 0a000000 20010db80001 00*9 42 0c 00*7 ff*12"));
  // ip xfrm policy update src AGENT dst HOME proto ipv6-icmp type 58 code 2 dir in ptype sub priority 2
  //    tmpl src AGENT dst HOME proto route2 mode ro
  PolicyKey in{.source = kAgent,
               .destination = kHome,
               .protocol = kIcmpv6,
               .direction = XFRM_POLICY_IN,
               .type = kIcmpv6,
               .code = std::uint8_t{2},
               .sub = true};
  const auto policy = update_policy(in, {kAgent, kHome, IPPROTO_ROUTING}, 2);
  CHECK(policy == golden::message(XFRM_MSG_UPDPOLICY, 0,
                                  "20010db80001 00*9 42 20010db80001 00*9 01 0002ffff 003affff 0a0080803a 00*11 ff*32"
                                  " 00*64 02 00*15 0a001000 01 00*7 44000500 20010db80001 00*9 42 00*4 2b000000"
                                  " 0a000000 20010db80001 00*9 01 00*4 02000000 ff*12"));
  CHECK(delete_policy(parse_policy(policy)->key) == delete_policy(in));
}

TEST_CASE("home address options are taken from anybody for the Mobility Header, for ICMPv6 from served nodes only",
          "[xfrm]") {
  const auto anybody = any_home_address(kAgent);
  CHECK(anybody.key.protocol == kMobilityHeader);
  CHECK(anybody.key.source_length == 0);

  const auto policies = prefix_policies(Side::kAgent, {.home_address = kHome, .home_agent = kAgent}, 12);
  int options = 0;
  for (const auto& [key, wanted, priority] : policies) {
    if (!key.sub) continue;
    ++options;
    CHECK(key.source == kHome);
    CHECK(key.source_length == 128);
    CHECK(wanted.optional);
    // What it takes needs ESP: the same selector has a main policy, and that is installed before it.
    auto required = key;
    required.sub = false;
    const auto esp = std::find_if(policies.begin(), policies.end(),
                                  [&](const auto& one) { return delete_policy(one.key) == delete_policy(required); });
    REQUIRE(esp != policies.end());
    CHECK(esp->wanted.protocol == IPPROTO_ESP);
    CHECK_FALSE(esp->wanted.optional);
    CHECK(esp->wanted.reqid == 12);
    CHECK(esp - policies.begin() < 3);
  }
  CHECK(options == 2);
  // ip xfrm policy update src HOME dst AGENT proto ipv6-icmp type 58 code 2 dir in ptype sub priority 2
  //    tmpl proto hao mode ro level use
  const auto& last = policies.back();
  const auto message = update_policy(last.key, last.wanted, last.priority);
  CHECK(message == golden::message(XFRM_MSG_UPDPOLICY, 0,
                                   "20010db80001 00*9 01 20010db80001 00*9 42 0002ffff 003affff 0a0080803a 00*11 ff*32"
                                   " 00*64 02 00*15 0a001000 01 00*7 440005 00*21 3c0000000a 00*23 02000100 ff*12"));
  CHECK(delete_policy(parse_policy(message)->key) == delete_policy(last.key));

  const auto of_node = prefix_policies(Side::kNode, {.home_address = kHome, .home_agent = kAgent}, 12);
  CHECK(std::none_of(of_node.begin(), of_node.end(), [](const auto& one) { return one.key.sub; }));
}

TEST_CASE("a policy of others that takes what goes to the home agent is told from ours and from harmless ones",
          "[xfrm]") {
  const Ends ends{.home_address = kHome, .home_agent = kAgent};
  const auto taken = [&](const NetlinkMessage& message) {
    const auto policy = parse_policy(message);
    REQUIRE(policy);
    return takes_from_node(*policy, ends, kCareOf);
  };
  const PolicyTemplate theirs{
      .source = kCareOf, .destination = {}, .protocol = IPPROTO_ESP, .reqid = 1, .tunnel = true};
  PolicyKey everything{.source = kCareOf, .destination = {}, .destination_length = 0, .protocol = 0, .type = {}};
  CHECK(taken(update_policy(everything, theirs, 1000)));
  CHECK(taken(new_block_policy(everything, 1000)));
  CHECK_FALSE(taken(allow_policy(everything, 1000)));
  auto ours = theirs;
  for (const auto reqid : {kNodeReqid, kNodePayloadReqid, kNodePrefixesReqid}) {
    ours.reqid = reqid;
    CHECK_FALSE(taken(update_policy(everything, ours, 1000)));
  }
  auto other = everything;
  other.direction = XFRM_POLICY_IN;
  CHECK_FALSE(taken(update_policy(other, theirs, 1000)));
  other = everything;
  other.sub = true;
  CHECK_FALSE(taken(update_policy(other, theirs, 1000)));
  other = everything;
  other.protocol = IPPROTO_IPV6;
  CHECK(taken(update_policy(other, theirs, 1000)));
  other.protocol = kMobilityHeader;  // from the home address alone
  CHECK_FALSE(taken(update_policy(other, theirs, 1000)));
  other.source = kHome;
  CHECK(taken(update_policy(other, theirs, 1000)));
  other.protocol = IPPROTO_UDP;
  CHECK_FALSE(taken(update_policy(other, theirs, 1000)));
  other = everything;
  other.source = address("2001:db8:a1::8");
  CHECK_FALSE(taken(update_policy(other, theirs, 1000)));
  other.source_length = 64;
  CHECK(taken(update_policy(other, theirs, 1000)));
  other = everything;
  other.destination = address("2001:db8:2::");
  other.destination_length = 48;
  CHECK_FALSE(taken(update_policy(other, theirs, 1000)));
}

TEST_CASE("payload policies in tunnel mode are those of ip xfrm policy", "[xfrm]") {
  PolicyKey out{.source = kHome, .destination = {}, .destination_length = 0, .protocol = 0, .type = std::nullopt};
  // ip xfrm policy update src HOME dst ::/0 dir out priority 6275
  //    tmpl src CAREOF dst AGENT proto esp reqid 21 mode tunnel
  CHECK(update_policy(out,
                      {.source = kCareOf, .destination = kAgent, .protocol = IPPROTO_ESP, .reqid = 21, .tunnel = true},
                      6275) ==
        golden::message(XFRM_MSG_UPDPOLICY, 0,
                        "00*16 20010db80001 00*9 42 00*8 0a00008000 00*11 ff*32 00*64 83180000 00*4 01 00*7"
                        " 44000500 20010db80001 00*9 01 00*4 32000000 0a000000 20010db800a1 00*9 07 15000000 01000000"
                        " ff*12"));
  PolicyKey in{.source = {},
               .source_length = 0,
               .destination = kHome,
               .protocol = 0,
               .direction = XFRM_POLICY_IN,
               .type = std::nullopt};
  // ip xfrm policy update src ::/0 dst HOME dir in priority 6275
  //    tmpl src AGENT dst :: proto esp reqid 21 mode tunnel
  CHECK(update_policy(in, {.source = kAgent, .destination = {}, .protocol = IPPROTO_ESP, .reqid = 21, .tunnel = true},
                      6275) ==
        golden::message(XFRM_MSG_UPDPOLICY, 0,
                        "20010db80001 00*9 42 00*24 0a00800000 00*11 ff*32 00*64 83180000 00*8 00*4 44000500"
                        " 00*16 00*4 32000000 0a000000 20010db80001 00*9 01 15000000 01000000 ff*12"));
  // ip xfrm policy delete src ::/0 dst HOME dir in
  CHECK(delete_policy(in) == golden::message(XFRM_MSG_DELPOLICY, 0, "20010db80001 00*9 42 00*24 0a00800000 00*19"));
  // ip xfrm policy update src HOME dst HOME dir out priority 6274
  CHECK(allow_policy({.source = kHome, .destination = kHome, .protocol = 0, .type = std::nullopt}, 6274) ==
        golden::message(XFRM_MSG_UPDPOLICY, 0,
                        "20010db80001 00*9 42 20010db80001 00*9 42 00*8 0a00808000 00*11 ff*32 00*64 82180000 00*4 01"
                        " 00*7"));
}

TEST_CASE("strangers are refused behind the policies of all nodes, by one policy that is known again", "[xfrm]") {
  // ip xfrm policy add src ::/0 dst AGENT proto 135 dir in action block priority 6275135
  const auto message = new_block_policy(strangers(kAgent), kStrangersPriority);
  CHECK(message == golden::message(XFRM_MSG_NEWPOLICY, 0,
                                   "20010db80001 00*9 01 00*16 00*8 0a008000 87 00*11 ff*32 00*64 3fc05f00 00*4 00 01"
                                   " 00*6"));
  CHECK(kStrangersPriority > kEspPriority);
  const auto dumped = parse_policy(message);
  REQUIRE(dumped);
  CHECK(dumped->blocks);
  CHECK(dumped->priority == kStrangersPriority);
  CHECK(dumped->key == strangers(kAgent));
  CHECK_FALSE(dumped->first);

  const auto allowed = parse_policy(allow_policy(strangers(kAgent), kStrangersPriority));
  REQUIRE(allowed);
  CHECK_FALSE(allowed->blocks);
}

TEST_CASE("both SAs of a tunnel move by one MIGRATE, with the key manager or without", "[xfrm]") {
  const auto next = address("2001:db8:a2::7");
  const PolicyKey out{.source = kHome, .destination = {}, .destination_length = 0, .protocol = 0, .type = std::nullopt};
  const std::vector<TunnelMove> moves{{kCareOf, kAgent, next, kAgent}, {kAgent, kCareOf, kAgent, next}};
  const std::string both =
      // struct xfrm_userpolicy_id: daddr, saddr, no ports, family, lengths, protocol; direction out
      "00*16 20010db80001 00*9 42 00*8 0a00 00 80 00 00*11 00*4 01 00*3"
      // XFRMA_MIGRATE, struct xfrm_user_migrate twice: old daddr, saddr, new daddr, saddr, ESP, tunnel, reqid, families
      " 9c00 1100 20010db80001 00*9 01 20010db800a1 00*9 07 20010db80001 00*9 01 20010db800a2 00*9 07"
      " 32 01 0000 15000000 0a00 0a00"
      " 20010db800a1 00*9 07 20010db80001 00*9 01 20010db800a2 00*9 07 20010db80001 00*9 01"
      " 32 01 0000 15000000 0a00 0a00";
  CHECK(migrate_tunnel(out, 21, moves, std::nullopt) == golden::message(XFRM_MSG_MIGRATE, 0, both));
  CHECK(migrate_tunnel(out, 21, moves, KeyEndpoint{next, kAgent}) ==
        golden::message(XFRM_MSG_MIGRATE, 0,
                        both + " 2c00 1300 20010db800a2 00*9 07 20010db80001 00*9 01 00000000 0a00 0000"));
}

TEST_CASE("a dumped payload policy is known by mode, reqid and priority", "[xfrm]") {
  const PolicyKey out{.source = kHome, .destination = {}, .destination_length = 0, .protocol = 0, .type = std::nullopt};
  const auto dumped = parse_policy(update_policy(
      out, {.source = kCareOf, .destination = kAgent, .protocol = IPPROTO_ESP, .reqid = 21, .tunnel = true}, 6275));
  REQUIRE(dumped);
  CHECK(dumped->priority == 6275);
  REQUIRE(dumped->first);
  CHECK(dumped->first->tunnel);
  CHECK(dumped->first->reqid == 21);
  CHECK(delete_policy(dumped->key) == delete_policy(out));
  CHECK_FALSE(parse_policy(allow_policy(out, 6274))->first);
}

TEST_CASE("a dumped policy gives its selector, kind and template", "[xfrm]") {
  // XFRM_MSG_NEWPOLICY has the layout of XFRM_MSG_UPDPOLICY.
  const auto esp = parse_policy(update_policy(out_key(false), {kHome, kAgent, IPPROTO_ESP, 627501}, 1));
  REQUIRE(esp);
  CHECK(esp->key.source == kHome);
  CHECK(esp->key.destination == kAgent);
  CHECK(esp->key.direction == XFRM_POLICY_OUT);
  CHECK(esp->key.type == kBindingUpdateType);
  CHECK_FALSE(esp->key.sub);
  CHECK(esp->selector_protocol == 135);
  REQUIRE(esp->first);
  CHECK(esp->first->protocol == IPPROTO_ESP);
  CHECK(esp->first->reqid == 627501);

  const auto any = parse_policy(update_policy(any_key(), {{}, {}, IPPROTO_DSTOPTS, 0, true}, 2));
  REQUIRE(any);
  CHECK(any->key.source_length == 0);
  CHECK(any->destination_length == 128);
  CHECK_FALSE(any->key.type);
  CHECK(any->key.sub);
  REQUIRE(any->first);
  CHECK(any->first->optional);
}

TEST_CASE("what was dumped is deleted by the same key", "[xfrm]") {
  for (const auto& key : {out_key(true), out_key(false), in_key(true), any_key()}) {
    const auto dumped = parse_policy(update_policy(key, {key.source, key.destination, IPPROTO_DSTOPTS}, 2));
    REQUIRE(dumped);
    CHECK(delete_policy(dumped->key) == delete_policy(key));
  }
}

TEST_CASE("a dumped state gives addresses and numbers also when its keys were cut off", "[xfrm]") {
  // XFRM_MSG_NEWSA as `ip xfrm state add src AGENT dst HOME proto esp spi 0x11223344 reqid 11 mode transport` sends it.
  auto message =
      golden::message(XFRM_MSG_NEWSA, 0,
                      "00*56 20010db80001 00*9 42 11223344 32000000 20010db80001 00*9 01 ff*32 00*40 07 00*39"
                      " 0b000000 0a00 00 00 00 00*7 aaaaaaaa bbbbbbbb");
  REQUIRE(message.size() > state_size_without_keys());
  message.resize(state_size_without_keys());
  const auto state = parse_state(message);
  REQUIRE(state);
  CHECK(state->source == kAgent);
  CHECK(state->destination == kHome);
  CHECK(state->protocol == IPPROTO_ESP);
  CHECK(state->spi == 0x11223344);
  CHECK(state->reqid == 11);
  CHECK(state->packets == 7);
  CHECK_FALSE(state->asked_for);
  // An acquire's number makes it one that the kernel has only asked for.
  const std::uint32_t number = 1;
  std::memcpy(message.data() + NLMSG_HDRLEN + offsetof(xfrm_usersa_info, seq), &number, sizeof number);
  CHECK(parse_state(message)->asked_for);
}

TEST_CASE("a message that is too short, or not IPv6, is nobody's policy or state", "[xfrm]") {
  auto policy = update_policy(out_key(true), {kHome, kAgent, IPPROTO_DSTOPTS}, 2);
  for (std::size_t size = 0; size < policy.size(); ++size) {
    const auto parsed =
        parse_policy(NetlinkMessage(policy.begin(), policy.begin() + static_cast<std::ptrdiff_t>(size)));
    if (size < sizeof(nlmsghdr) + sizeof(xfrm_userpolicy_info)) CHECK_FALSE(parsed);
    if (parsed) CHECK_FALSE(parsed->first);  // its template comes last
  }
  const auto state = care_of_state(XFRM_MSG_NEWSA, kHome, kAgent, IPPROTO_DSTOPTS, kCareOf);
  CHECK_FALSE(parse_state(NetlinkMessage(state.begin(), state.begin() + 100)));
  policy[sizeof(nlmsghdr) + offsetof(xfrm_selector, family)] = AF_INET;
  CHECK_FALSE(parse_policy(policy));
}
