// IKEv1 in both keying cores: phase 1 is renewed by a new IKE_SA that takes over the SAs of the old one.
#include "tests/catch.hpp"
#include "tests/unit/ike-glue/agent_harness.hpp"
#include "tests/unit/ike-glue/node_harness.hpp"

using namespace ike_test;

namespace {

Sa renewed(Sa sa, int uniqueid) {
  sa.uniqueid = uniqueid;
  sa.version = "1";
  return sa;
}

Sa without_child(Sa sa) {
  sa.child = false;
  return sa;
}

}  // namespace

TEST_CASE("a renewed phase 1 goes on with the node's keys", "[node-keying]") {
  Node node;
  node.establish();
  const auto old = renewed(node.first, 1);
  const auto fresh = renewed(node.first, 5);
  node.event("ike-updown", updown(without_child(fresh), true));
  node.event("ike-updown", updown(without_child(old), false));
  CHECK(node.count<KeysDown>() == 0);
  CHECK(node.core.endpoint() == kFirst);
  SECTION("its re-keys are followed") {
    node.event("child-rekey", child_rekeyed(fresh, "c000000a", "c000000b"));
    REQUIRE(node.last<KeysUp>());
    CHECK(node.last<KeysUp>()->spi_in == 0xc000000a);
  }
  SECTION("its end is the end of the keys") {
    node.event("ike-updown", updown(fresh, false));
    CHECK(node.count<KeysDown>() == 1);
  }
  SECTION("it is the one that is verified after a move") {
    node.handle(EndpointMoved{kSecond});
    node.pass(200ms);
    auto moved = fresh;
    moved.local = kSecond;
    REQUIRE(node.list({moved}));
    CHECK_FALSE(node.core.migration_failed());
  }
}

TEST_CASE("SAs that go with a phase 1 that could not be renewed are missed", "[node-keying]") {
  Node node;
  node.establish();
  auto half = renewed(node.first, 5);
  half.state = "CONNECTING";
  node.event("ike-updown", updown(half, false));
  node.event("child-updown", updown(half, false));
  CHECK(node.count<KeysDown>() == 1);
  CHECK_FALSE(node.core.usable());
}

TEST_CASE("a renewed phase 1 of a node goes on with its keys at the agent", "[agent-keying]") {
  Agent agent;
  agent.connect();
  const auto old = renewed(agent.first, 1);
  const auto fresh = renewed(agent.first, 5);
  agent.up(old);
  agent.pass(1s);
  agent.forget();
  agent.event("ike-updown", updown(without_child(fresh), true));
  agent.pass(10s);
  agent.event("ike-updown", updown(without_child(old), false));
  agent.pass(60s);
  CHECK(agent.count<PeerKeysDown>() == 0);
  CHECK(agent.count<PeerRefused>() == 0);
  CHECK(agent.terminated(5, true) == 0);
  agent.event("child-rekey", child_rekeyed(fresh, "c000000a", "c000000b"));
  REQUIRE(agent.last<PeerKeysUp>());
  agent.event("ike-updown", updown(fresh, false));
  CHECK(agent.count<PeerKeysDown>() == 1);
}

TEST_CASE("a phase 1 from another address takes nothing over", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(renewed(agent.first, 1));
  agent.pass(1s);
  agent.forget();
  agent.up(renewed(agent.second, 5));
  agent.event("ike-updown", updown(renewed(agent.first, 1), false));
  CHECK(agent.count<PeerKeysDown>() == 0);
  agent.event("ike-updown", updown(renewed(agent.second, 5), false));
  CHECK(agent.count<PeerKeysDown>() == 1);
}

TEST_CASE("keys made anew in a phase 1 that took over the old ones replace them in the kernel", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(renewed(agent.first, 1));
  agent.pass(1s);
  agent.forget();
  auto fresh = renewed(agent.first, 5);
  agent.event("ike-updown", updown(without_child(fresh), true));
  fresh.spi_in = "c0000003";
  fresh.spi_out = "c0000004";
  agent.event("child-updown", updown(fresh, true));
  agent.pass(1s);
  REQUIRE(agent.last<DeletePeerStatesExcept>());
  CHECK(agent.last<DeletePeerStatesExcept>()->spis == std::vector<std::uint32_t>{0xc0000003, 0xc0000004});
}
