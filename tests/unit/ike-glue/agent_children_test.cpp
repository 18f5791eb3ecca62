// AgentKeying: the CHILD_SAs beside the Mobility Header's.
#include "tests/catch.hpp"
#include "tests/unit/ike-glue/agent_harness.hpp"
#include "tests/unit/ike-glue/charon_double.hpp"

using namespace ike_test;

namespace {

struct Protected : Agent {
  Protected() : Agent(std::vector<FurtherChild>{{ChildKind::kPayload, 21}}) {}
};

Sa payload_of(const Sa& ike, std::string spi_in = "d0000001", std::string spi_out = "d0000002") {
  Sa sa = ike;
  sa.reqid = "21";
  sa.mode = "TUNNEL";
  sa.local_ts = {"::/0"};
  sa.remote_ts = {"2001:db8:1::42/128"};
  sa.spi_in = std::move(spi_in);
  sa.spi_out = std::move(spi_out);
  return sa;
}

}  // namespace

TEST_CASE("a node's payload child is loaded for its home address alone", "[agent-children]") {
  Protected agent;
  agent.handle(CharonConnected{});
  REQUIRE(agent.answer("load-shared"));
  Request load;
  REQUIRE(agent.take("load-conn", &load));
  const auto* pay = load.message.section("mip6ha-laptop")->section("children")->section("pay");
  REQUIRE(pay);
  CHECK(pay->text_or("mode", "") == "tunnel");
  CHECK(pay->text_or("reqid", "") == "21");
  CHECK(*pay->list("remote_ts") == Section::List{"2001:db8:1::42/128"});
  CHECK(*pay->list("local_ts") == Section::List{"::/0"});
}

TEST_CASE("a payload child that came up is told with the address it runs to", "[agent-children]") {
  Protected agent;
  agent.connect();
  agent.up(agent.first);
  agent.event("child-updown", updown(payload_of(agent.first), true));
  REQUIRE(agent.last<PeerChildUp>());
  CHECK(agent.last<PeerChildUp>()->home_address == kHome);
  CHECK(agent.last<PeerChildUp>()->remote == kFirst);
  CHECK(agent.count<PeerKeysUp>() == 1);
  agent.event("child-updown", updown(payload_of(agent.first), false));
  CHECK(agent.count<PeerChildDown>() == 1);
  CHECK(agent.count<PeerKeysDown>() == 0);
  CHECK(agent.terminated(1, false) == 0);  // the Mobility Header's keys are still of use
}

TEST_CASE("the newest payload child counts, and the older connection waits for it", "[agent-children]") {
  Protected agent;
  agent.connect();
  agent.up(agent.first);
  agent.event("child-updown", updown(payload_of(agent.first), true));
  agent.handle(PeerReplaceAsked{kHome, kSecond});
  agent.up(agent.second);
  agent.pass(1s);
  CHECK(agent.terminated(1, true) == 0);
  agent.event("child-updown", updown(payload_of(agent.second, "d0000003", "d0000004"), true));
  CHECK(agent.last<PeerChildUp>()->remote == kSecond);
  agent.pass(1s);
  CHECK(agent.terminated(1, true) == 1);
  agent.down(agent.first);
  CHECK(agent.count<PeerChildDown>() == 0);
  CHECK(agent.last<PeerChildUp>()->remote == kSecond);
}

TEST_CASE("an older connection goes soon after the node uses the newer one, although the payload child does not come",
          "[agent-children]") {
  Protected agent;
  agent.connect();
  agent.up(agent.first);
  agent.event("child-updown", updown(payload_of(agent.first), true));
  agent.handle(PeerReplaceAsked{kHome, kSecond});
  agent.up(agent.second);
  agent.handle(PeerKeysUsed{kHome, 0xc0000003});
  agent.pass(3s - 1ms);
  CHECK(agent.terminated(1, true) == 0);
  agent.pass(1ms);
  CHECK(agent.terminated(1, true) == 1);
}

TEST_CASE("an IKE_SA that is gone takes its payload child along", "[agent-children]") {
  Protected agent;
  agent.connect();
  agent.up(agent.first);
  agent.event("child-updown", updown(payload_of(agent.first), true));
  agent.down(agent.first);
  CHECK(agent.count<PeerChildDown>() == 1);
}

TEST_CASE("a renewed phase 1 of a node takes its payload child along", "[agent-children]") {
  Protected agent;
  agent.connect();
  auto old = agent.first;
  old.version = "1";
  agent.up(old);
  agent.event("child-updown", updown(payload_of(old), true));
  auto fresh = old;
  fresh.uniqueid = 5;
  old.child = fresh.child = false;
  agent.event("ike-updown", updown(fresh, true));
  agent.event("ike-updown", updown(old, false));
  CHECK(agent.count<PeerChildDown>() == 0);
  fresh.child = true;
  agent.event("child-updown", updown(payload_of(fresh), false));
  CHECK(agent.count<PeerChildDown>() == 1);
}

TEST_CASE("what a charon before this one left of a payload child goes when a new one is up", "[agent-children]") {
  Protected agent;
  agent.connect();
  agent.up(agent.first);
  agent.event("child-updown", updown(payload_of(agent.first), true));
  const auto* deletion = agent.last<DeletePeerStatesExcept>();
  REQUIRE(deletion);
  CHECK(deletion->reqid == 21);
  CHECK(deletion->spis == std::vector<std::uint32_t>{0xd0000001, 0xd0000002});
}

TEST_CASE("a request for payload where none is protected does not disturb the Mobility Header's keys",
          "[agent-children]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.forget();
  auto narrowed = payload_of(agent.first);
  narrowed.reqid = "11";
  narrowed.local_ts = {"2001:db8:1::1/128[mobility-header]"};
  agent.event("child-updown", updown(narrowed, true));
  CHECK(agent.count<PeerKeysUp>() == 0);
  agent.event("child-updown", updown(narrowed, false));
  CHECK(agent.count<PeerKeysDown>() == 0);
  CHECK(agent.requests.empty());
}
