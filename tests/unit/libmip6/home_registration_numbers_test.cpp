// Home registration: sequence numbers and the keys that they are used under.
#include "tests/unit/libmip6/registration_harness.hpp"

using namespace mip6;
using namespace mip6::node;
using namespace mip6::node::test;

namespace {

SequenceNumber number(int value) { return SequenceNumber{static_cast<std::uint16_t>(value)}; }

// A later process, under keys that have seen the numbers from `first` on, if that is known.
Node later_process(int next, std::optional<int> first) {
  return Node{SequenceState{number(next), first ? std::optional{number(*first)} : std::nullopt}};
}

BindingAcknowledgement out_of_window(int last_accepted) {
  return {Status::kSequenceNumberOutOfWindow, false, number(last_accepted), 0s, {}};
}

}  // namespace

TEST_CASE("first numbers are stored with the block, and after first keys once more", "[registration]") {
  auto node = later_process(1000, std::nullopt);
  node.disk_answers = false;
  const auto before_keys = only<ReserveSequence>(node.give(Attached{kA1, false}));
  CHECK(before_keys.end == number(1064));
  CHECK_FALSE(before_keys.first_under_keys);
  CHECK(all<SendUpdate>(node.give(SequenceReserved{number(1064)})).empty());
  CHECK(order(node.give(KeysUsable{true, true, kA1.care_of})) == "SendUpdate");
  const auto registered = node.acknowledge();
  CHECK(order(registered) == "SwitchOutbound Registered ReserveSequence");
  CHECK(only<ReserveSequence>(registered).end == number(1064));
  CHECK(only<ReserveSequence>(registered).first_under_keys == number(1000));
  CHECK(node.give(SequenceReserved{number(1064)}).empty());
}

TEST_CASE("a block that is not the one asked for last is not used: the disk does not hold it in the end",
          "[registration]") {
  Node node;
  node.disk_answers = false;
  node.give(KeysUsable{true, true, kA1.care_of});
  node.give(Attached{kA1, false});
  CHECK(node.give(SequenceReserved{number(1040)}).empty());
  CHECK(order(node.give(SequenceReserved{number(1064)})) == "SendUpdate");
  CHECK(node.give(SequenceReserved{number(1065)}).empty());
  node.disk_answers = true;
  CHECK(only<SendUpdate>(node.wait(1min)).update.sequence == number(1001));
}

TEST_CASE("a restart that knows what its keys have seen needs no new ones", "[registration]") {
  auto node = later_process(1064, 1000);
  node.give(KeysUsable{true, false, kA1.care_of});
  CHECK(order(node.give(Attached{kA1, false})) == "UseAttachment SendUpdate");
  CHECK(order(node.acknowledge()) == "SwitchOutbound Registered");
}

TEST_CASE("a restart that does not know what its keys have seen renews them before the first update",
          "[registration]") {
  auto node = later_process(1064, std::nullopt);
  node.give(KeysUsable{true, false, kA1.care_of});
  const auto actions = node.give(Attached{kA1, false});
  CHECK(order(actions) == "UseAttachment RenewKeys");
  CHECK(only<RenewKeys>(actions).used_up);
  CHECK(only<RenewKeys>(actions).attachment == kA1);
  CHECK(node.core.state() == State::kWaitingForKeys);
  CHECK(node.wait(1min).empty());
  CHECK(order(node.give(KeysUsable{true, true, kA1.care_of})) == "SendUpdate");
}

TEST_CASE("dynamic keys are renewed once, in a quiet moment, from three quarters of the half space on",
          "[registration]") {
  auto node = later_process(1000 + 24575, 1000);
  node.give(KeysUsable{true, false, kA1.care_of});
  CHECK(order(node.give(Attached{kA1, false})) == "UseAttachment SendUpdate");
  const auto actions = node.acknowledge();
  CHECK(order(actions) == "SwitchOutbound Registered RenewKeys");
  CHECK(only<RenewKeys>(actions).used_up);
  CHECK(only<RenewKeys>(actions).previous_usable);
  node.wait(2s);
  SECTION("what moves meanwhile goes on; the move may have ended the renewal, which is asked for again") {
    CHECK(order(node.give(Attached{kA2, true})) == "UseAttachment SendUpdate");
    CHECK(order(node.acknowledge()) == "SwitchOutbound MoveKeys Registered RenewKeys");
  }
  SECTION("once done it is not asked for again") {
    node.give(KeysUsable{true, true, kA1.care_of});
    CHECK(node.core.used_under_keys() == 0);
    node.give(Attached{kA2, true});
    CHECK(order(node.acknowledge()) == "SwitchOutbound MoveKeys Registered");
  }
}

TEST_CASE("at half of the space no update leaves before there are fresh keys", "[registration]") {
  auto node = later_process(1000 + 32768, 1000);
  node.give(KeysUsable{true, false, kA1.care_of});
  const auto last = node.give(Attached{kA1, false});
  CHECK(only<SendUpdate>(last).update.sequence == number(1000 + 32768));
  const auto unanswered = node.wait(10s);
  CHECK(all<SendUpdate>(unanswered).empty());
  if (all<RenewKeys>(last).empty()) CHECK(only<RenewKeys>(unanswered).used_up);
  CHECK(node.wait(1h).empty());
  SECTION("from where the node has moved to in the meantime") {
    const auto moved = node.give(Attached{kA2, false});
    CHECK(all<SendUpdate>(moved).empty());
    CHECK(only<RenewKeys>(moved).attachment == kA2);
  }
  const auto fresh = node.give(KeysUsable{true, true, {}});
  CHECK(only<SendUpdate>(fresh).update.sequence == number(1000 + 32769));
}

TEST_CASE("keys set by hand are never renewed by the node: it stops at half of the space", "[registration]") {
  SECTION("not before") {
    auto node = later_process(1000 + 32700, 1000);
    node.give(KeysUsable{false, false, {}, false});
    node.give(Attached{kA1, false});
    CHECK(order(node.acknowledge(Status::kAccepted, 420s, false)) == "SwitchOutbound Registered");
  }
  SECTION("at the half, or where it is not known") {
    const bool known = GENERATE(true, false);
    auto node = later_process(1000 + 32769, known ? std::optional{1000} : std::nullopt);
    node.give(KeysUsable{false, false, {}, false});
    const auto actions = node.give(Attached{kA1, false});
    CHECK(order(actions) == "UseAttachment Trouble");
    CHECK(only<Trouble>(actions).remedy == "set new keys for this node here and at the home agent");
    CHECK(node.wait(1h).empty());
    CHECK(order(node.give(KeysUsable{false, true, {}, false})) == "SendUpdate");
  }
}

TEST_CASE("K is clear with keys set by hand", "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, {}, false});
  CHECK_FALSE(only<SendUpdate>(node.give(Attached{kA1, false})).update.key_mobility);
}

TEST_CASE("a jump by status 135 to numbers that the keys may have seen needs fresh ones first", "[registration]") {
  auto node = later_process(1000, 500);
  node.give(KeysUsable{true, false, kA1.care_of});
  node.give(Attached{kA1, false});
  node.disk_answers = false;
  const auto jump = node.give(AcknowledgementReceived{out_of_window(33500)});
  CHECK(order(jump) == "RenewKeys ReserveSequence");
  CHECK(only<ReserveSequence>(jump).end == number(33565));
  // A crash now must leave nothing that lets the next process use the range under the present keys.
  CHECK_FALSE(only<ReserveSequence>(jump).first_under_keys);
  CHECK(node.give(SequenceReserved{number(33565)}).empty());
  CHECK(only<SendUpdate>(node.give(KeysUsable{true, true, kA1.care_of})).update.sequence == number(33501));
}

TEST_CASE("a jump by status 135 to numbers that manual keys may have seen is trouble", "[registration]") {
  auto node = later_process(1000, 500);
  node.give(KeysUsable{false, false, kA1.care_of, false});
  node.give(Attached{kA1, false});
  const auto jump = node.give(AcknowledgementReceived{out_of_window(33500)});
  CHECK(order(jump) == "Trouble");
  CHECK(node.wait(1h).empty());
}

TEST_CASE("the forecast tells the numbers of moves from those that keep a binding", "[registration]") {
  Node node;
  // What is watched for less than an hour counts as watched for one.
  const auto for_moves = [&] { return node.core.forecast().movement_rate(node.now) * 3600; };
  node.register_at(kA1);
  CHECK(for_moves() == Approx(1));
  CHECK(order(node.next()) == "SendUpdate");  // the refresh
  node.acknowledge();
  CHECK(order(node.give(RefreshAsked{})) == "SendUpdate");
  node.acknowledge();
  CHECK(order(node.give(BindingErrorReceived{{1, kHomeAddress, {}}})) == "SendUpdate");
  node.acknowledge();
  node.wait(2s);
  CHECK(for_moves() == Approx(1));
  node.give(Attached{kA2, true});
  node.acknowledge();
  CHECK(for_moves() == Approx(2));
  node.wait(2s);
  node.give(Attached{kHome, true});
  node.acknowledge();
  CHECK(for_moves() == Approx(3));
  CHECK(node.core.forecast().used_under_present_keys() == 6);
}

TEST_CASE("of what is sent after one move three numbers at most are the movement's", "[registration]") {
  Node node;
  const auto for_moves = [&] { return node.core.forecast().movement_rate(node.now) * 3600; };
  node.register_at(kA1);
  node.give(Attached{kA2, true});
  node.next();  // a lost update costs a number
  CHECK(for_moves() == Approx(3));
  SECTION("however long the home agent is silent") {
    for (int i = 0; i < 8; ++i) node.next();
    CHECK(node.core.forecast().used_under_present_keys() > 6);
    CHECK(for_moves() == Approx(4));
  }
  SECTION("however often it refuses") {
    for (int i = 0; i < 8; ++i) {
      node.acknowledge(Status::kInsufficientResources);
      node.next();
    }
    CHECK(node.core.forecast().used_under_present_keys() > 6);
    CHECK(for_moves() == Approx(4));
  }
}

TEST_CASE("an update's number counts in the forecast, retransmissions too", "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, {}});
  node.give(Attached{kA1, false});
  node.next();
  CHECK(node.core.forecast().used_under_present_keys() == 2);
  CHECK(node.core.used_under_keys() == 2);
  node.give(KeysUsable{true, true, {}});
  CHECK(node.core.used_under_keys() == 1);
}
