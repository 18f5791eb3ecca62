// Home registration: what a former process left, and a binding that ends while the home agent is silent.
#include "tests/unit/libmip6/registration_harness.hpp"

using namespace mip6;
using namespace mip6::node;
using namespace mip6::node::test;

namespace {

// Of a process that found stored sequence numbers.
Node restarted() {
  Node node;
  node.core = HomeRegistration{Policy{kHomeAddress, kHomeAgent, 420s, false, true},
                               SequenceState{SequenceNumber{1000}, SequenceNumber{900}}};
  return node;
}

// Until nothing but retransmissions can be left to come; what was done beside sending and telling so, with their times.
std::vector<std::pair<BootTime, std::string>> in_silence(Node& node, Duration time) {
  std::vector<std::pair<BootTime, std::string>> seen;
  const auto end = node.now + time;
  while (node.core.next_deadline() && *node.core.next_deadline() <= end)
    for (const auto& action : node.next())
      if (const auto name = name_of_action(action); name != "SendUpdate" && name != "Trouble" && name != "Unanswered" &&
                                                    name != "AgentSilent" && name != "RenewKeys")
        seen.emplace_back(node.now, name);
  return seen;
}

using Seen = std::vector<std::pair<BootTime, std::string>>;

}  // namespace

TEST_CASE(
    "a silent home agent: a link that claims to be home gets neither payload nor announcement, before the binding's "
    "end or after it",
    "[registration]") {
  Node node;
  node.register_at(kA1);
  const auto expires = *node.core.expires();
  node.give(Attached{kHome, GENERATE(true, false)});
  CHECK(in_silence(node, 500s) == Seen{{expires, "StopOutbound"}});
  CHECK_FALSE(node.core.expires());
  CHECK_FALSE(node.core.registered_at());

  SECTION("the de-registration is still tried, and its answer shows that it is the home link") {
    CHECK(node.core.state() == State::kDeregistering);
    REQUIRE(node.core.next_deadline());
    CHECK(order(node.next()) == "SendUpdate");
    // The silence has made key management begin anew from here already.
    CHECK(order(node.acknowledge(Status::kAccepted, 0s)) == "SwitchOutbound AnnounceHomeAddress Registered");
  }
  SECTION("who leaves then gives the address up as after any time at home") {
    CHECK(all<StopOutbound>(node.give(Attached{kA2, false})).size() == 1);
  }
}

TEST_CASE("what a former process left is stopped when its binding must have expired", "[registration]") {
  auto node = restarted();
  const auto started = node.now;
  SECTION("away, the home agent silent") {
    node.give(KeysUsable{true, false, {}});
    node.now += 10s;
    node.give(Attached{kA1, false});
  }
  SECTION("away without keys") {
    node.give(Attached{kA1, false});
    node.now += 10s;
  }
  SECTION("detached") { node.give(Detached{}); }
  CHECK(in_silence(node, 1000s) == Seen{{started + 420s, "StopOutbound"}});
}

TEST_CASE("at home, too, what a former process left is stopped when its binding must have expired", "[registration]") {
  auto node = restarted();
  const auto ends = node.now + 420s;
  node.give(Attached{kHome, false});
  CHECK(in_silence(node, 1000s) == Seen{{ends, "StopOutbound"}});
}

TEST_CASE("an acknowledgement settles what a former process left", "[registration]") {
  auto node = restarted();
  SECTION("away") {
    node.register_at(kA1);
    node.give(Detached{});
    CHECK(node.core.next_deadline() == node.core.expires());
  }
  SECTION("at home") {
    node.register_at(kHome);
    CHECK_FALSE(node.core.next_deadline());
  }
}

TEST_CASE("a refusal does not settle what a former process left", "[registration]") {
  auto node = restarted();
  const auto started = node.now;
  node.give(KeysUsable{true, false, {}});
  node.give(Attached{kA1, false});
  node.acknowledge(Status::kInsufficientResources, 0s);
  CHECK(in_silence(node, 500s) == Seen{{started + 420s, "StopOutbound"}});
}

TEST_CASE("a first process has nothing to stop", "[registration]") {
  Node node;
  node.give(Attached{kA1, false});
  CHECK_FALSE(node.core.next_deadline());
}

TEST_CASE("an early stop de-registers what a former process left, if there are keys", "[registration]") {
  auto node = restarted();
  SECTION("with keys") {
    node.disk_answers = false;
    node.give(Attached{kA1, false});
    node.give(KeysUsable{true, false, kA1.care_of});
    CHECK(order(node.give(StopAsked{})).empty());
    const auto actions = node.give(SequenceReserved{SequenceNumber{1064}});
    CHECK(only<SendUpdate>(actions).update.lifetime == 0s);
    CHECK(only<Stopped>(node.acknowledge(Status::kAccepted, 0s)).farewell == Farewell::kAgreed);
  }
  SECTION("without keys") {
    node.give(Attached{kA1, false});
    CHECK(only<Stopped>(node.give(StopAsked{})).farewell == Farewell::kNotAsked);
  }
  SECTION("long after") {
    node.disk_answers = false;
    node.give(Attached{kA1, false});
    node.give(KeysUsable{true, false, kA1.care_of});
    node.wait(420s);
    CHECK(only<Stopped>(node.give(StopAsked{})).farewell == Farewell::kNotBound);
  }
}
