// Two pretended charons under the keying cores: crashes, rekeys, dead peers, the end.
#include "tests/catch.hpp"
#include "tests/unit/simulation/charon_world.hpp"

using namespace charon_test;

TEST_CASE("a node's charon that died leaves keys that work, until a new one has made others") {
  Pair pair;
  pair.node.kill_charon();
  pair.world.pass(10s);
  CHECK(pair.node.core->usable());
  CHECK(agree(pair.node, pair.agent));
  pair.node.connect();
  pair.world.pass(5s);
  CHECK(pair.node.fresh == 2);
  CHECK(agree(pair.node, pair.agent));
  // What was left behind is gone on both ends: by INITIAL_CONTACT there, by the core here.
  CHECK(pair.node.kernel.states().size() == 2);
  CHECK(pair.agent.kernel.states().size() == 2);
  CHECK(pair.agent.charon->ike_sas() == 1);
}

TEST_CASE("a home agent's charon that died is noticed by dead peer detection, and its leftovers are removed") {
  Pair pair;
  pair.agent.kill_charon();
  pair.world.pass(1s);
  pair.agent.connect();
  pair.world.pass(30s);
  CHECK(agree(pair.node, pair.agent));
  // 60 s until it asks, 165 s until it gives up, and a little to establish.
  pair.world.pass(260s);
  CHECK(pair.node.losses == 1);
  CHECK(pair.node.fresh == 2);
  CHECK(agree(pair.node, pair.agent));
  CHECK(pair.node.kernel.states().size() == 2);
  CHECK(pair.agent.kernel.states().size() == 2);
  CHECK(pair.agent.keys.contains(home_of(1)));
}

TEST_CASE("nobody asks a peer that is heard") {
  Pair pair;
  for (int i = 0; i < 30; ++i) {
    REQUIRE(agree(pair.node, pair.agent));
    pair.world.pass(10s);
  }
  CHECK(pair.world.carried == 0);
  pair.world.pass(300s);
  CHECK(pair.world.carried > 0);
  CHECK(pair.node.losses == 0);
}

TEST_CASE("rekeys change the keys, and never leave the two without") {
  Pair pair(1, {.child_rekey = 20s, .ike_rekey = 70s, .dpd_delay = {}});
  const auto spi = pair.node.spi_in;
  for (int i = 0; i < 3000; ++i) {
    pair.world.pass(100ms);
    CAPTURE(i);
    // A rekey is an exchange of up to 20 ms: only in between both have the same newest state.
    if (!agree(pair.node, pair.agent)) {
      pair.world.pass(30ms);
      REQUIRE(agree(pair.node, pair.agent));
    }
  }
  CHECK(pair.node.spi_in != spi);
  CHECK(pair.node.losses == 0);
  CHECK(pair.node.fresh >= 10);
  const auto count = [&](const char* name) {
    return std::count(pair.node.events.begin(), pair.node.events.end(), std::string(name));
  };
  CHECK(count("ike-rekey") >= 3);
  CHECK(count("child-rekey") >= 10);
  CHECK(count("ike-updown") == 1);
  pair.node.charon->migrate(kNodeReqid, kFirst, kAgent);
  CHECK(pair.node.core->endpoint() == kFirst);
  CHECK(pair.node.troubles.empty());
  CHECK(pair.agent.troubles.empty());
}

TEST_CASE("rekeys on a bad network end with keys on which both agree") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    CAPTURE(seed);
    Pair pair(seed, {.child_rekey = 20s, .ike_rekey = 50s, .dpd_delay = {}});
    pair.world.loss = 30;
    pair.world.duplicate = 30;
    pair.world.longest_delay = 2s;
    pair.world.pass(600s);
    pair.world.loss = 0;
    pair.world.longest_delay = 10ms;
    pair.world.pass(600s);
    CHECK(pair.node.keys);
    CHECK(pair.agent.keys.contains(home_of(1)));
    int disagreements = 0;
    for (int i = 0; i < 10; ++i) {
      disagreements += agree(pair.node, pair.agent) ? 0 : 1;
      pair.world.pass(100ms);
    }
    CHECK(disagreements <= 1);
  }
}

TEST_CASE("a node that stops leaves nothing on either end") {
  Pair pair;
  pair.node.handle(ike::StopAsked{});
  pair.world.pass(5s);
  CHECK(pair.node.stopped);
  CHECK(pair.node.charon->ike_sas() == 0);
  CHECK(pair.node.charon->connections() == 0);
  CHECK(pair.node.charon->secrets() == 0);
  CHECK(pair.agent.charon->ike_sas() == 0);
  CHECK(pair.node.kernel.states().empty());
  CHECK(pair.agent.kernel.states().empty());
  CHECK_FALSE(pair.agent.keys.contains(home_of(1)));
}

TEST_CASE("a home agent that stops leaves nothing on either end") {
  Pair pair;
  pair.agent.handle(ike::StopAsked{});
  pair.world.pass(500ms);
  CHECK(pair.agent.stopped);
  CHECK(pair.agent.charon->connections() == 0);
  CHECK(pair.agent.charon->secrets() == 0);
  CHECK(pair.agent.kernel.states().empty());
  CHECK(pair.node.kernel.states().empty());
  CHECK(pair.node.losses == 1);
}

TEST_CASE("a node that stops when its home agent cannot be reached leaves nothing behind here") {
  Pair pair;
  pair.node.addresses.clear();
  pair.node.handle(ike::StopAsked{});
  pair.world.pass(5s);
  CHECK(pair.node.stopped);
  CHECK(pair.node.charon->ike_sas() == 0);
  CHECK(pair.node.kernel.states().empty());
}

TEST_CASE("a charon that is ended tells its peer, and takes its keys along") {
  Pair pair;
  pair.node.charon->terminate();
  pair.node.kill_charon();
  pair.world.pass(1s);
  CHECK(pair.node.kernel.states().empty());
  CHECK(pair.agent.kernel.states().empty());
}
