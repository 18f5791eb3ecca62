// Home registration: retransmission, rate limit, sequence numbers, lifetimes.
#include "tests/unit/libmip6/registration_harness.hpp"

using namespace mip6;
using namespace mip6::node;
using namespace mip6::node::test;

namespace {

// Times between the next `count` updates when nobody answers.
std::vector<Duration> intervals(Node& node, int count) {
  std::vector<Duration> result;
  BootTime last = node.now;
  while (static_cast<int>(result.size()) < count) {
    if (all<SendUpdate>(node.next()).empty()) continue;
    result.push_back(node.now - last);
    last = node.now;
  }
  return result;
}

}  // namespace

TEST_CASE("an unanswered first update is repeated after 1.5 s, then ever slower down to one in 32 s",
          "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, {}});
  node.give(Attached{kA1, false});
  CHECK(intervals(node, 7) == std::vector<Duration>{1500ms, 3s, 6s, 12s, 24s, 32s, 32s});
  CHECK(node.core.last_sequence() == SequenceNumber{1007});
  CHECK(node.core.counters().retransmissions == 7);
}

TEST_CASE("with a binding the first repetition comes after 1 s", "[registration]") {
  Node node;
  node.register_at(kA1);
  node.give(Attached{kA2, false});
  CHECK(intervals(node, 3) == std::vector<Duration>{1s, 2s, 4s});
}

TEST_CASE("the timeout of a first registration can be set", "[registration]") {
  Node node;
  Policy policy{kHomeAddress, kHomeAgent};
  policy.first_timeout = 5s;
  node.core = HomeRegistration{policy, SequenceState{SequenceNumber{1000}}};
  node.give(KeysUsable{true, true, {}});
  node.give(Attached{kA1, false});
  CHECK(intervals(node, 3) == std::vector<Duration>{5s, 10s, 20s});
}

TEST_CASE("the lifetime asked for is never longer than the home address is valid", "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, {}});
  node.give(HomeAddressValid{node.now + 103s});
  CHECK(only<SendUpdate>(node.give(Attached{kA1, false})).update.lifetime == 100s);
  node.acknowledge(Status::kAccepted, 100s);
  node.give(HomeAddressValid{});
  CHECK(only<SendUpdate>(node.next()).update.lifetime == 420s);
}

TEST_CASE("a home address that is valid for less than the wire can say is not registered, only de-registered",
          "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, {}});
  const auto end = node.now + 3s;
  node.give(HomeAddressValid{end});
  CHECK(order(node.give(Attached{kA1, false})) == "UseAttachment");
  CHECK(node.core.next_deadline() == end);
  SECTION("until that is over: then nothing is known") { CHECK(only<SendUpdate>(node.next()).update.lifetime == 420s); }
  SECTION("at home") { CHECK(only<SendUpdate>(node.give(Attached{kHome, false})).update.lifetime == 0s); }
}

TEST_CASE("when the home address's lifetime has passed the home agent is asked: only it knows whether the prefix lasts",
          "[registration]") {
  Node node;
  node.register_at(kA1);
  node.give(HomeAddressValid{node.now + GENERATE(0s, 3600s)});
  CHECK(only<SendUpdate>(node.wait(2h)).update.lifetime == 420s);
  node.acknowledge(Status::kNotHomeSubnet);
  CHECK(only<SendUpdate>(node.next()).update.lifetime == 420s);
  node.acknowledge();
  CHECK(node.core.state() == State::kRegistered);
}

TEST_CASE("a lifetime of less than the wire's unit does not become a de-registration", "[registration]") {
  Node node{1000, 2s};
  node.give(KeysUsable{true, true, {}});
  CHECK(only<SendUpdate>(node.give(Attached{kA1, false})).update.lifetime == 4s);
}

TEST_CASE("what is remembered of updates that nobody answers is bounded", "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, {}});
  node.give(Attached{kA1, false});
  for (int i = 0; i < 100; ++i) node.next();
  CHECK(node.core.outstanding() == 16);
}

TEST_CASE("a repetition differs from the first update by its number alone", "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, {}});
  auto first = only<SendUpdate>(node.give(Attached{kA1, false})).update;
  const auto second = only<SendUpdate>(node.next()).update;
  CHECK(second.sequence == first.sequence.next());
  first.sequence = second.sequence;
  CHECK(second == first);
}

TEST_CASE("after three unanswered updates the user and whoever knows another home agent are told, once",
          "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, {}});
  node.give(Attached{kA1, false});
  CHECK(order(node.next()) == "SendUpdate");
  CHECK(order(node.next()) == "Unanswered SendUpdate");
  const auto actions = node.next();
  CHECK(order(actions) == "AgentSilent RenewKeys SendUpdate Trouble");
  // It may have lost the keys: nothing under them would ever be answered.
  CHECK(only<RenewKeys>(actions).used_up);
  CHECK(only<Trouble>(actions).what == "home agent 2001:db8:1::1 does not answer");
  CHECK_FALSE(only<Trouble>(actions).remedy.empty());
  CHECK(order(node.next()) == "SendUpdate");
  node.acknowledge();
  node.wait(2s);

  node.give(Attached{kA2, false});
  node.next();
  node.next();
  CHECK(order(node.next()) == "AgentSilent RenewKeys SendUpdate Trouble");
}

TEST_CASE("after two unanswered updates whoever knows another link is told, once for each attachment",
          "[registration]") {
  Node node;
  node.register_at(kA1);
  CHECK_FALSE(node.core.unanswered());
  node.give(Attached{kA2, false});
  node.next();
  CHECK_FALSE(node.core.unanswered());
  CHECK(only<Unanswered>(node.next()).attachment == kA2);
  CHECK(node.core.unanswered());
  CHECK(all<Unanswered>(node.next()).empty());
  SECTION("an answer ends it, a refusal too") {
    node.acknowledge(GENERATE(Status::kAccepted, Status::kInsufficientResources));
    CHECK_FALSE(node.core.unanswered());
  }
  SECTION("at the next attachment they are counted anew") {
    node.give(Attached{kA3, false});
    CHECK_FALSE(node.core.unanswered());
    node.next();
    CHECK(only<Unanswered>(node.next()).attachment == kA3);
  }
  SECTION("nowhere there is nothing to tell") {
    node.give(Detached{});
    CHECK_FALSE(node.core.unanswered());
  }
}

TEST_CASE("a link that is only better than one that works is told of after three, and home agents no sooner",
          "[registration]") {
  Node node;
  node.register_at(kA1);
  node.give(Attached{kA2, true});
  CHECK(order(node.next()) == "SendUpdate");
  CHECK(order(node.next()) == "SendUpdate");
  CHECK_FALSE(node.core.unanswered());
  SECTION("an answer to the third one comes in time") {
    node.acknowledge();
    CHECK(node.core.registered_at() == kA2);
    // What dies later is the link in use.
    node.give(RefreshAsked{});
    CHECK(order(node.next()) == "SendUpdate");
    CHECK(order(node.next()) == "Unanswered SendUpdate");
  }
  SECTION("there is no other link any more") {
    CHECK(order(node.next()) == "Unanswered AgentSilent RenewKeys SendUpdate Trouble");
    CHECK(node.core.unanswered());
  }
  SECTION("there is") {
    node.now = node.core.next_deadline().value();
    CHECK(order(node.give(DeadlineReached{})) == "Unanswered");
    CHECK(order(node.give(Attached{kA1, false})) == "UseAttachment SendUpdate SwitchOutbound");
  }
}

TEST_CASE("where there is another link to go to, the third update leaves there", "[registration]") {
  Node node;
  node.register_at(kA1);
  node.give(Attached{kA2, false});
  node.next();
  REQUIRE(node.core.next_deadline());
  node.now = *node.core.next_deadline();
  CHECK(order(node.give(DeadlineReached{})) == "Unanswered");
  CHECK(node.core.next_deadline() == node.now);
  CHECK(order(node.give(Attached{kA1, false})) == "UseAttachment SendUpdate SwitchOutbound MoveOwnKeys");
  CHECK(find_option<AlternateCareOfAddress>(only<SendUpdate>(node.next()).update.options)->care_of == kA1.care_of);
}

TEST_CASE("at home the link is not blamed for what is asked after the home agent has agreed", "[registration]") {
  Node node;
  node.register_at(kHome);
  const bool again = GENERATE(true, false);
  if (again) {
    node.give(RefreshAsked{});
  } else {
    node.give(Detached{});
    node.give(Attached{kHome, false});
  }
  node.next();
  CHECK(all<Unanswered>(node.next()).size() == (again ? 0 : 1));
  CHECK(node.core.unanswered() != again);
}

TEST_CASE("silence is noticed also by a node that moves before any timeout", "[registration]") {
  Node node;
  node.register_at(kA1);
  int renewals = 0;
  int silences = 0;
  const auto change = [&](int i) {
    const auto actions = node.give(Attached{i % 2 == 0 ? kA2 : kA1, true});
    renewals += static_cast<int>(all<RenewKeys>(actions).size());
    silences += static_cast<int>(all<AgentSilent>(actions).size());
    node.now += 500ms;
  };
  SECTION("nobody answers") {
    for (int i = 0; i < 14; ++i) change(i);
    CHECK(silences == 0);
    change(14);
    CHECK(silences == 1);
    CHECK(renewals == 1);
    for (int i = 15; i < 28; ++i) change(i);
    CHECK(silences == 1);
    change(28);
    CHECK(silences == 2);
  }
  SECTION("answers come, but too late for where the node is by then") {
    for (int i = 0; i < 60; ++i) {
      const auto late = node.acknowledgement();
      change(i);
      node.give(AcknowledgementReceived{late});
    }
    CHECK(silences == 0);
  }
  SECTION("fresh keys begin anew") {
    for (int i = 0; i < 14; ++i) change(i);
    node.give(KeysUsable{true, true, {}});
    for (int i = 14; i < 27; ++i) change(i);
    CHECK(silences == 0);
  }
}

TEST_CASE("a renewal asked in silence follows a node that goes back to where its keys were", "[registration]") {
  Node node;
  node.register_at(kA1);
  node.give(Attached{kA2, false});
  node.next();
  node.next();
  CHECK(only<RenewKeys>(node.next()).attachment == kA2);
  node.give(Attached{kA1, false});
  CHECK(only<MoveKeys>(node.acknowledge()).attachment == kA1);
}

TEST_CASE("an early deadline does nothing, a late one does one thing", "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, {}});
  node.give(Attached{kA1, false});
  CHECK(node.wait(1s).empty());
  CHECK(order(node.wait(20s)) == "SendUpdate");
  CHECK(node.wait(0s).empty());
}

TEST_CASE("no more than three updates leave within a second, and the last attachment is the one that is sent",
          "[registration]") {
  Node node;
  node.register_at(kA1);
  const auto begin = node.now;
  for (int i = 0; i < 20; ++i) {
    const auto sent = all<SendUpdate>(node.give(Attached{i % 2 == 0 ? kA2 : kA1, true}));
    CHECK(sent.size() == (i < 3 ? 1u : 0u));
    node.now += 10ms;
  }
  node.give(Attached{kA3, true});
  CHECK(node.core.next_deadline() == begin + 1s);
  const auto update = only<SendUpdate>(node.next()).update;
  CHECK(find_option<AlternateCareOfAddress>(update.options)->care_of == kA3.care_of);
  CHECK(node.core.counters().rate_limited == 18);  // each change but the first three
  CHECK(node.core.forecast().held_back_in_window(node.now) == 18);
}

TEST_CASE("a single move is never held back, whatever the node has just said", "[registration]") {
  Node node;
  node.register_at(kA1);
  const auto leaves_at_once = [&] {
    const auto update = only<SendUpdate>(node.give(Attached{kA2, true})).update;
    CHECK(find_option<AlternateCareOfAddress>(update.options)->care_of == kA2.care_of);
    CHECK(node.core.counters().rate_limited == 0);
  };
  SECTION("right after a refresh") {
    REQUIRE(order(node.next()) == "SendUpdate");
    leaves_at_once();
  }
  SECTION("right after the answer to it") {
    REQUIRE(order(node.next()) == "SendUpdate");
    node.acknowledge();
    leaves_at_once();
  }
  SECTION("right after a retransmission of it") {
    REQUIRE(order(node.next()) == "SendUpdate");
    REQUIRE(order(node.next()) == "SendUpdate");
    REQUIRE(node.core.counters().retransmissions == 1);
    leaves_at_once();
  }
  SECTION("right after a refresh that was sent again for new keys") {
    REQUIRE(order(node.next()) == "SendUpdate");
    REQUIRE(order(node.give(KeysUsable{true, true, kA1.care_of})) == "SendUpdate");
    leaves_at_once();
  }
  SECTION("while a back-off lasts") {
    while (node.core.counters().retransmissions < 5) node.next();
    leaves_at_once();
  }
  SECTION("and back again") {
    leaves_at_once();
    node.acknowledge();
    CHECK(order(node.give(Attached{kA1, true})).starts_with("UseAttachment SendUpdate"));
  }
}

TEST_CASE("an acknowledgement of an update for a former attachment does not count", "[registration]") {
  Node node;
  node.register_at(kA1);
  node.give(Attached{kA2, true});
  const auto old = node.acknowledgement();
  node.give(Attached{kA3, true});
  CHECK(node.give(AcknowledgementReceived{old}).empty());
  CHECK(node.core.counters().ignored_acknowledgements == 1);
  CHECK(node.core.registered_at() == kA1);
  CHECK(order(node.acknowledge()) == "SwitchOutbound MoveKeys Registered");
}

TEST_CASE("an acknowledgement of an earlier transmission for the same attachment counts", "[registration]") {
  Node node;
  node.register_at(kA1);
  node.give(Attached{kA2, true});
  const auto early = node.acknowledgement();
  const auto sent_at = node.now;
  node.next();
  CHECK(order(node.give(AcknowledgementReceived{early})) == "SwitchOutbound MoveKeys Registered");
  CHECK(node.core.expires() == sent_at + 420s);
  CHECK(node.acknowledge().empty());
}

TEST_CASE("the lifetime counts from the sending of the update, and is refreshed at three quarters", "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, {}});
  node.give(Attached{kA1, false});
  const auto sent_at = node.now;
  node.now += 300ms;
  SECTION("as granted") {
    node.acknowledge(Status::kAccepted, 40s);
    CHECK(node.core.expires() == sent_at + 40s);
    CHECK(node.core.next_deadline() == sent_at + 30s);
  }
  SECTION("a home agent that grants more than was asked for") {
    node.acknowledge(Status::kAccepted, 9999s);
    CHECK(node.core.expires() == sent_at + 420s);
  }
  SECTION("refresh advice that is longer than the lifetime allows is not heeded") {
    auto acknowledgement = node.acknowledgement(Status::kAccepted, 40s);
    acknowledgement.options = {BindingRefreshAdvice{400s}};
    node.give(AcknowledgementReceived{acknowledgement});
    CHECK(node.core.next_deadline() == sent_at + 30s);
  }
  SECTION("refresh advice is heeded if it is shorter") {
    auto acknowledgement = node.acknowledgement();
    acknowledgement.options = {BindingRefreshAdvice{60s}};
    node.give(AcknowledgementReceived{acknowledgement});
    CHECK(node.core.next_deadline() == sent_at + 60s);
  }
  const auto before = *node.core.last_sequence();
  CHECK(order(node.next()) == "SendUpdate");
  CHECK(node.core.last_sequence() == before.next());
  CHECK(node.core.state() == State::kRegistered);
  CHECK(order(node.acknowledge()) == "Registered");
}

TEST_CASE("an acknowledgement that arrives after what it granted has passed is worth nothing", "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, {}});
  node.give(Attached{kA1, false});
  const auto late = node.acknowledgement(Status::kAccepted, 8s);
  node.now += 10s;
  CHECK(order(node.give(AcknowledgementReceived{late})) == "SendUpdate");
  CHECK(node.core.state() == State::kRegistering);
}

TEST_CASE("when the lifetime runs out unanswered the payload stops and the updates go on", "[registration]") {
  Node node;
  node.register_at(kA1);
  bool stopped = false;
  for (int i = 0; i < 20 && !stopped; ++i) stopped = !all<StopOutbound>(node.next()).empty();
  CHECK(stopped);
  CHECK_FALSE(node.core.expires());
  CHECK(node.core.state() == State::kRegistering);
  while (all<SendUpdate>(node.next()).empty()) {
  }
  CHECK(order(node.acknowledge()) == "SwitchOutbound Registered");
}

TEST_CASE("after a sleep beyond the lifetime the node registers anew with one update", "[registration]") {
  Node node;
  node.register_at(kA1);
  CHECK(order(node.wait(std::chrono::hours{8})) == "StopOutbound SendUpdate");
  CHECK(node.core.next_deadline() == node.now + 1500ms);
}

TEST_CASE("before the first update a block of numbers is stored; the update waits for it", "[registration]") {
  Node node;
  node.disk_answers = false;
  CHECK(only<ReserveSequence>(node.give(KeysUsable{true, true, {}})).end == SequenceNumber{1064});
  CHECK(order(node.give(Attached{kA1, false})) == "UseAttachment");
  CHECK_FALSE(node.core.next_deadline());
  CHECK(only<SendUpdate>(node.give(SequenceReserved{SequenceNumber{1064}})).update.sequence == SequenceNumber{1000});
}

TEST_CASE("without a durable number no update goes out, and the disk is tried again ever later", "[registration]") {
  Node node;
  node.disk_answers = false;
  node.give(KeysUsable{true, true, {}});
  node.give(Attached{kA1, false});
  const auto trouble = only<Trouble>(node.give(SequenceReservationFailed{}));
  CHECK(trouble.what.find("cannot store") == 0);
  const auto failed_at = node.now;
  CHECK(order(node.next()) == "ReserveSequence");
  CHECK(node.now == failed_at + 1s);
  CHECK(node.give(SequenceReservationFailed{}).empty());
  CHECK(node.core.next_deadline() == node.now + 2s);
  node.next();
  CHECK(order(node.give(SequenceReserved{SequenceNumber{1064}})) == "SendUpdate");
}

TEST_CASE("the next block is asked for after an acknowledgement, long before the last number", "[registration]") {
  Node node;
  node.register_at(kA1);
  node.disk_answers = false;
  for (int i = 0; i < 100; ++i) {
    node.now += 2s;
    const auto moved = node.give(Attached{i % 2 == 0 ? kA2 : kA1, false});
    CHECK(order(moved) == "UseAttachment SendUpdate SwitchOutbound MoveOwnKeys");
    for (const auto& reserve : all<ReserveSequence>(node.acknowledge())) node.give(SequenceReserved{reserve.end});
  }
  CHECK(node.core.last_sequence() == SequenceNumber{1100});
}

TEST_CASE("when few numbers are left the next block is asked for while updates go unanswered", "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, {}});
  node.give(Attached{kA1, false});
  node.disk_answers = false;
  std::optional<SequenceNumber> asked;
  int sent = 1;
  while (!asked) {
    const auto actions = node.next();
    sent += static_cast<int>(all<SendUpdate>(actions).size());
    for (const auto& reserve : all<ReserveSequence>(actions)) asked = reserve.end;
  }
  CHECK(sent == 61);
  CHECK(asked == SequenceNumber{1061 + 64});
}

TEST_CASE("an update that the kernel refused is tried again soon, but not in a storm", "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, {}});
  node.give(Attached{kA1, false});
  const auto fail = [&] { return node.give(UpdateSendFailed{*node.core.last_sequence(), "Network is unreachable"}); };
  CHECK(order(fail()) == "UseAttachment");  // the kernel may lack what the update needs
  CHECK(node.core.next_deadline() == node.now + 100ms);
  node.next();
  CHECK(order(fail()) == "UseAttachment");
  CHECK(node.core.next_deadline() == node.now + 200ms);
  node.next();
  const auto trouble = only<Trouble>(fail());
  CHECK(trouble.what == "cannot send a Binding Update: Network is unreachable");
  const auto begin = node.now;
  for (int i = 0; i < 20; ++i) {
    node.next();
    CHECK(order(fail()) == "UseAttachment");
  }
  CHECK(node.now > begin + 5min);
  node.next();
  CHECK(order(node.acknowledge()).find("SwitchOutbound") == 0);
}

TEST_CASE("new keys while an update is unanswered: it is sent again at once", "[registration]") {
  Node node;
  node.register_at(kA1);
  node.give(Attached{kA2, false});
  node.now += 50ms;
  CHECK(order(node.give(KeysUsable{true, true, {}})) == "SendUpdate");
  CHECK(node.core.counters().retransmissions == 1);
  CHECK(node.core.counters().sent_for_new_keys == 1);
  node.now += 50ms;
  CHECK(node.give(KeysUsable{true, false, {}}).empty());
  CHECK(node.core.counters().sent_for_new_keys == 1);
}

TEST_CASE("the node is settled where it is registered and nothing is outstanding", "[registration]") {
  Node node;
  CHECK_FALSE(node.core.settled());
  node.register_at(kA1);
  CHECK(node.core.settled());
  node.give(Attached{kA2, true});
  CHECK_FALSE(node.core.settled());
  node.acknowledge();
  CHECK(node.core.settled());
  node.give(KeysUsable{true, true, {}});
  CHECK(node.core.counters().sent_for_new_keys == 0);
  node.give(Detached{});
  CHECK_FALSE(node.core.settled());
}

TEST_CASE("an update that was repeated because of new keys does not count as unanswered", "[registration]") {
  Node node;
  node.register_at(kA1);
  node.give(Attached{kA2, false});
  for (int i = 0; i < 5; ++i) {
    node.now += 500ms;
    CHECK(order(node.give(KeysUsable{true, true, {}})) == "SendUpdate");
  }
}

TEST_CASE("keys that come or are fresh end the back-off of failed sending", "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, {}});
  node.give(Attached{kA1, false});
  for (int i = 0; i < 9; ++i) {
    node.give(UpdateSendFailed{*node.core.last_sequence(), "No such process"});
    node.next();
  }
  node.give(UpdateSendFailed{*node.core.last_sequence(), "No such process"});
  REQUIRE(node.core.next_deadline() > node.now + 30s);
  node.now += 2s;
  SECTION("fresh") { CHECK(order(node.give(KeysUsable{true, true, {}})) == "SendUpdate"); }
  SECTION("came") {
    node.give(KeysUnusable{});
    CHECK(order(node.give(KeysUsable{true, false, {}})) == "SendUpdate");
  }
  SECTION("neither") {
    CHECK(node.give(KeysUsable{true, false, {}}).empty());
    return;
  }
  CHECK(node.core.next_deadline() == node.now + 1500ms);
  node.give(UpdateSendFailed{*node.core.last_sequence(), "No such process"});
  CHECK(node.core.next_deadline() == node.now + 100ms);
}

TEST_CASE("keys that come end the back-off of a refusal, and the rate limit holds", "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, {}});
  node.give(Attached{kA1, false});
  for (int i = 0; i < 6; ++i) {
    node.acknowledge(Status::kNotHomeAgentForThisNode, 0s);
    node.next();
  }
  const auto refused_at = node.now;
  std::size_t sent = 0;
  for (int i = 0; i < 10; ++i) {
    node.acknowledge(Status::kNotHomeAgentForThisNode, 0s);
    node.give(KeysUnusable{});
    node.now += 10ms;
    sent += all<SendUpdate>(node.give(KeysUsable{true, true, {}})).size();
  }
  CHECK(sent == 2);
  CHECK(node.core.next_deadline() == refused_at + 1s);
}

TEST_CASE("fresh keys do not shorten the back-off of a refusal", "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, {}});
  node.give(Attached{kA1, false});
  node.acknowledge(Status::kNotHomeAgentForThisNode, 0s);
  node.now += 1s;
  CHECK(node.give(KeysUsable{true, true, {}}).empty());
}

TEST_CASE("another lifetime is asked for from the next update on", "[registration]") {
  Node node;
  node.register_at(kA1);
  node.core.set_times(Lifetime{600}, 1500ms);
  CHECK(only<SendUpdate>(node.give(RefreshAsked{})).update.lifetime == Lifetime{600});
}
