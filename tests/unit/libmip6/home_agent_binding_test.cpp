// The life of a binding: durability, installation, moves, and end.
#include "tests/catch.hpp"
#include "tests/unit/libmip6/home_agent_harness.hpp"

using namespace mip6;
using namespace mip6::test;

TEST_CASE("a registration is stored, then installed, then acknowledged", "[agent]") {
  Harness agent;
  const auto first = agent.handle(registration(7, kCareOf1));
  REQUIRE(first.size() == 1);
  const auto& record = std::get<StoreRecord>(first[0]).record;
  CHECK(record == BindingRecord{.home_address = kHome,
                                .care_of = kCareOf1,
                                .sequence = SequenceNumber{7},
                                .key_mobility = true,
                                .granted = 420s,
                                .expires_unix = kUnixNow + 420,
                                .expires_boot = agent.now + 420s});
  CHECK(agent.core.find(kHome) == nullptr);

  const auto second = agent.stored(kHome);
  CHECK(position_of<InstallBinding>(second) < position_of<SendAcknowledgement>(second));
  CHECK(find_action<InstallBinding>(second)->first);
  const auto* sent = find_action<SendAcknowledgement>(second);
  REQUIRE(sent != nullptr);
  CHECK(sent->acknowledgement ==
        BindingAcknowledgement{
            .status = Status::kAccepted, .key_mobility = true, .sequence = SequenceNumber{7}, .lifetime = 420s});
  CHECK(sent->home_address == kHome);
  CHECK(sent->care_of == kCareOf1);
  CHECK(*agent.core.find(kHome) == record);
  CHECK(find_action<Report>(second)->what == "registered at 2001:db8:a1::7 for 420 s (seq 7, K agreed)");
}

TEST_CASE("a home registration is acknowledged also without the A bit", "[agent]") {
  Harness agent;
  auto update = registration(1, kCareOf1);
  update.update.acknowledge = false;
  CHECK(answered(agent.run(update)) == Status::kAccepted);
}

TEST_CASE("an update that the disk refuses is answered by 130 and changes nothing", "[agent]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  for (const auto& update : {registration(2, kCareOf2), deregistration_at_home(2)}) {
    const auto actions = agent.run(update, false);
    CHECK(answered(actions) == Status::kInsufficientResources);
    CHECK(find_action<InstallBinding>(actions) == nullptr);
    CHECK(find_action<RemoveBinding>(actions) == nullptr);
    CHECK(agent.core.find(kHome)->care_of == kCareOf1);
    CHECK(agent.core.find(kHome)->sequence == SequenceNumber{1});
  }
  CHECK(agent.core.next_deadline() == agent.now + 420s);
  CHECK(answered(agent.run(registration(2, kCareOf2))) == Status::kAccepted);
}

TEST_CASE("the lifetime is cut to what is granted at most, in units of four seconds", "[agent]") {
  auto policy = without_dad();
  policy.max_lifetime = 102s;
  Harness agent{policy};
  const auto cut = agent.run(registration(1, kCareOf1, 420s));
  CHECK(find_action<SendAcknowledgement>(cut)->acknowledgement.lifetime == Lifetime{100s});
  CHECK(agent.core.next_deadline() == agent.now + 100s);
  const auto shorter = agent.run(registration(2, kCareOf1, 60s));
  CHECK(find_action<SendAcknowledgement>(shorter)->acknowledgement.lifetime == Lifetime{60s});
}

TEST_CASE("a limit of no lifetime at all still does not turn a registration into its end", "[agent]") {
  auto policy = without_dad();
  policy.max_lifetime = 0s;
  Harness agent{policy};
  CHECK(find_action<SendAcknowledgement>(agent.run(registration(1, kCareOf1)))->acknowledgement.lifetime ==
        kMinLifetime);
}

TEST_CASE("answers that nobody waits for are ignored", "[agent]") {
  Harness agent;
  CHECK(agent.run(DadFinished{kHome, false}).empty());
  CHECK(agent.run(RecordStored{kHome, true}).empty());
  CHECK(agent.run(KeysMoved{kHome, false}).empty());
  agent.run(registration(1, kCareOf1));
  CHECK(agent.run(DadFinished{kHome, true}).empty());
  CHECK(agent.run(RecordStored{kHome, false}).empty());
  CHECK(agent.core.find(kHome)->care_of == kCareOf1);
}

TEST_CASE("an update that arrives while another is being stored waits for it", "[agent]") {
  Harness agent;
  agent.handle(registration(1, kCareOf1));
  CHECK(agent.handle(registration(2, kCareOf2)).empty());
  const auto first = agent.stored(kHome);
  CHECK(find_action<SendAcknowledgement>(first)->acknowledgement.sequence == SequenceNumber{1});
  REQUIRE(count_of<StoreRecord>(first) == 1);
  CHECK(find_action<StoreRecord>(first)->record.sequence == SequenceNumber{2});
  const auto second = agent.stored(kHome);
  CHECK(find_action<SendAcknowledgement>(second)->acknowledgement.sequence == SequenceNumber{2});
  CHECK(agent.core.find(kHome)->care_of == kCareOf2);
}

TEST_CASE("of many updates that arrive while one is being stored only the newest is kept", "[agent]") {
  Harness agent;
  agent.handle(registration(1, kCareOf1));
  for (std::uint16_t sequence = 2; sequence < 100; ++sequence)
    CHECK(agent.handle(registration(sequence, kCareOf2)).empty());
  CHECK(count_of<SendAcknowledgement>(agent.handle(registration(98, kCareOf1))) == 0);
  agent.stored(kHome);
  const auto last = agent.stored(kHome);
  CHECK(find_action<SendAcknowledgement>(last)->acknowledgement.sequence == SequenceNumber{99});
  CHECK(count_of<StoreRecord>(last) == 0);
}

TEST_CASE("what follows the newest update, but is out of the window of the one being stored, is dropped", "[agent]") {
  Harness agent;
  agent.handle(registration(36494, kCareOf1));
  CHECK(agent.handle(registration(65378, kCareOf2)).empty());
  const auto overtaking = agent.handle(registration(5141, kCareOf1));
  CHECK(silently_dropped(agent, overtaking));
  CHECK(answered(agent.stored(kHome)) == Status::kAccepted);
  const auto last = agent.stored(kHome);
  REQUIRE(answered(last) == Status::kAccepted);
  CHECK(find_action<SendAcknowledgement>(last)->acknowledgement.sequence == SequenceNumber{65378});
  CHECK(count_of<StoreRecord>(last) == 0);
  CHECK(agent.core.find(kHome)->sequence == SequenceNumber{65378});
}

TEST_CASE("an update that waited for one that the disk refused is processed all the same", "[agent]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  agent.handle(registration(2, kCareOf1));
  agent.handle(registration(3, kCareOf2));
  const auto first = agent.handle(RecordStored{kHome, false});
  CHECK(answered(first) == Status::kInsufficientResources);
  CHECK(find_action<StoreRecord>(first)->record.sequence == SequenceNumber{3});
  CHECK(answered(agent.stored(kHome)) == Status::kAccepted);
  CHECK(agent.core.find(kHome)->care_of == kCareOf2);
}

TEST_CASE("a refresh keeps the binding and renews its lifetime", "[agent]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  agent.now += 400s;
  const auto actions = agent.run(registration(2, kCareOf1));
  CHECK_FALSE(find_action<InstallBinding>(actions)->first);
  CHECK(agent.core.next_deadline() == agent.now + 420s);
}

TEST_CASE("after a move the former care-of address is good for two seconds more", "[agent]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  const auto move = agent.run(registration(2, kCareOf2));
  CHECK(find_action<InstallBinding>(move)->care_of == kCareOf2);
  CHECK_FALSE(find_action<InstallBinding>(move)->first);
  CHECK(count_of<ForgetCareOf>(move) == 0);
  CHECK(agent.core.next_deadline() == agent.now + kPreviousCareOfGrace);
  const auto later = agent.run_deadline();
  REQUIRE(later.size() == 1);
  CHECK(std::get<ForgetCareOf>(later[0]).care_of == kCareOf1);
}

TEST_CASE("a care-of address that the node came back to is not forgotten", "[agent]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  agent.run(registration(2, kCareOf2));
  agent.now += 1s;
  agent.run(registration(3, kCareOf1));
  agent.now += kPreviousCareOfGrace;
  const auto actions = agent.run(DeadlineReached{});
  REQUIRE(count_of<ForgetCareOf>(actions) == 1);
  CHECK(find_action<ForgetCareOf>(actions)->care_of == kCareOf2);
}

TEST_CASE("a node that moves faster than its former addresses are forgotten keeps only some", "[agent]") {
  Harness agent;
  std::size_t forgotten = 0;
  for (std::uint16_t i = 1; i <= 100; ++i) {
    auto care_of = kCareOf1;
    care_of.bytes[15] = static_cast<std::uint8_t>(i);
    forgotten += count_of<ForgetCareOf>(agent.run(registration(i, care_of)));
  }
  CHECK(forgotten == 99 - kMaxFormerCareOf);
  agent.now += kPreviousCareOfGrace;
  CHECK(count_of<ForgetCareOf>(agent.run(DeadlineReached{})) == kMaxFormerCareOf);
}

TEST_CASE("a binding that is not renewed ends at its time, on disk too", "[agent]") {
  Harness agent;
  agent.run(registration(1, kCareOf1, 60s));
  agent.now += 60s - 1ns;
  CHECK(agent.run(DeadlineReached{}).empty());
  agent.now += 1ns;
  const auto actions = agent.run(DeadlineReached{});
  CHECK(find_action<RemoveBinding>(actions)->home_address == kHome);
  CHECK(find_action<StoreRecord>(actions)->record ==
        BindingRecord{.home_address = kHome, .sequence = SequenceNumber{1}});
  CHECK_FALSE(agent.core.find(kHome)->care_of);
  CHECK_FALSE(agent.core.next_deadline());
}

TEST_CASE("after a long sleep a binding ends once", "[agent]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  agent.run(registration(2, kCareOf2));
  agent.now += 24h;
  const auto actions = agent.run(DeadlineReached{});
  CHECK(count_of<RemoveBinding>(actions) == 1);
  CHECK(count_of<ForgetCareOf>(actions) == 1);
  CHECK(agent.run(DeadlineReached{}).empty());
}

TEST_CASE("an update that comes after the end of its binding is a first registration", "[agent]") {
  Harness agent{default_policy()};
  agent.run(registration(1, kCareOf1, 60s));
  agent.run(DadFinished{kHome, false});
  agent.now += 60s;
  const auto actions = agent.run(registration(2, kCareOf1));
  CHECK(count_of<RemoveBinding>(actions) == 1);
  CHECK(count_of<StartDad>(actions) == 1);
}

TEST_CASE("a binding does not end while its renewal is being stored, but does if that fails", "[agent]") {
  Harness agent;
  agent.run(registration(1, kCareOf1, 60s));
  agent.now += 59s;
  agent.handle(registration(2, kCareOf1, 60s));
  agent.now += 2s;
  CHECK(agent.handle(DeadlineReached{}).empty());
  SECTION("stored") {
    agent.stored(kHome);
    CHECK(agent.core.next_deadline() == agent.now + 60s);
  }
  SECTION("refused") {
    agent.handle(RecordStored{kHome, false});
    CHECK(count_of<RemoveBinding>(agent.run_deadline()) == 1);
  }
}

TEST_CASE("the answer for the end of a binding is not taken for that of the next update", "[agent]") {
  Harness agent;
  agent.run(registration(1, kCareOf1, 60s));
  agent.now += 60s;
  agent.handle(DeadlineReached{});
  agent.handle(registration(2, kCareOf1));
  CHECK(agent.handle(RecordStored{kHome, false}).empty());
  CHECK(answered(agent.stored(kHome)) == Status::kAccepted);
}

TEST_CASE("at home a binding is removed, then that is acknowledged straight to the home address", "[agent]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  const auto stored = agent.handle(deregistration_at_home(2));
  REQUIRE(stored.size() == 1);
  CHECK(std::get<StoreRecord>(stored[0]).record ==
        BindingRecord{.home_address = kHome, .sequence = SequenceNumber{2}, .key_mobility = true});
  const auto actions = agent.stored(kHome);
  CHECK(position_of<RemoveBinding>(actions) < position_of<SendAcknowledgement>(actions));
  const auto* sent = find_action<SendAcknowledgement>(actions);
  REQUIRE(sent != nullptr);
  CHECK_FALSE(sent->care_of);
  CHECK(sent->acknowledgement.status == Status::kAccepted);
  CHECK(sent->acknowledgement.lifetime == Lifetime{0});
  CHECK(sent->acknowledgement.sequence == SequenceNumber{2});
}

TEST_CASE("a care-of address that is the home address de-registers, whatever the lifetime", "[agent]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  auto update = deregistration_at_home(2);
  update.update.lifetime = 420s;
  const auto actions = agent.run(update);
  CHECK(find_action<RemoveBinding>(actions) != nullptr);
  CHECK(find_action<SendAcknowledgement>(actions)->acknowledgement.lifetime == Lifetime{0});
}

TEST_CASE("a de-registration away from home is acknowledged through the care-of address it came from", "[agent]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  const auto actions = agent.run(deregistration_away(2, kCareOf2));
  CHECK(position_of<RemoveBinding>(actions) < position_of<SendAcknowledgement>(actions));
  CHECK(find_action<SendAcknowledgement>(actions)->care_of == kCareOf2);
  CHECK_FALSE(agent.core.find(kHome)->care_of);
}

TEST_CASE("what a node sent before it was home is accepted for the grace", "[agent]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  agent.run(registration(2, kCareOf2));
  const bool home = GENERATE(true, false);
  const auto actions = agent.run(home ? deregistration_at_home(3) : deregistration_away(3, kCareOf2));
  CHECK(find_action<RemoveBinding>(actions)->in_flight);
  CHECK(count_of<ForgetCareOf>(actions) == 0);
  SECTION("and then no more") {
    agent.now += kPreviousCareOfGrace;
    CHECK(count_of<ForgetCareOf>(agent.run(DeadlineReached{})) == 2);
    CHECK_FALSE(agent.core.next_deadline());
  }
  SECTION("from where it is bound again meanwhile for as long as it is") {
    agent.run(registration(4, kCareOf2));
    agent.now += kPreviousCareOfGrace;
    const auto forgotten = agent.run(DeadlineReached{});
    REQUIRE(count_of<ForgetCareOf>(forgotten) == 1);
    CHECK(find_action<ForgetCareOf>(forgotten)->care_of == kCareOf1);
  }
  SECTION("not of a node that is served no longer") {
    const auto ended = agent.handle(ServiceEnded{kHome});
    REQUIRE(count_of<RemoveBinding>(ended) == 1);
    CHECK_FALSE(find_action<RemoveBinding>(ended)->in_flight);
    agent.now += kPreviousCareOfGrace;
    CHECK(count_of<ForgetCareOf>(agent.run(DeadlineReached{})) == 0);
  }
}

TEST_CASE("a de-registration without binding is refused: 133", "[agent]") {
  Harness agent;
  CHECK(answered(agent.run(deregistration_at_home(1))) == Status::kNotHomeAgentForThisNode);
}

TEST_CASE("an update that a de-registration without binding has overtaken is refused", "[agent]") {
  Harness agent;
  agent.run(deregistration_at_home(2));
  CHECK(answered(agent.run(registration(1, kCareOf1))) == Status::kSequenceNumberOutOfWindow);
  CHECK(answered(agent.run(registration(3, kCareOf1))) == Status::kAccepted);
}

TEST_CASE("a de-registration sent again within ten seconds succeeds again, later it is refused", "[agent]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  agent.run(deregistration_at_home(2));
  agent.now += kMaxDeleteBceTimeout - 1ns;
  const auto again = agent.run(deregistration_at_home(3));
  CHECK(answered(again) == Status::kAccepted);
  CHECK(count_of<RemoveBinding>(again) == 0);
  agent.now += kMaxDeleteBceTimeout;
  CHECK(answered(agent.run(deregistration_at_home(4))) == Status::kNotHomeAgentForThisNode);
}

TEST_CASE("a de-registration is not taken for that of an earlier binding sent again", "[agent]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  agent.run(deregistration_at_home(2));
  agent.run(registration(3, kCareOf1, kMinLifetime));
  agent.run_deadline();
  CHECK(answered(agent.run(deregistration_at_home(4))) == Status::kNotHomeAgentForThisNode);
}

TEST_CASE("an update delayed on its way is refused after the return home", "[agent]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  agent.run(deregistration_at_home(3));
  const auto actions = agent.run(registration(2, kCareOf1));
  CHECK(answered(actions) == Status::kSequenceNumberOutOfWindow);
  CHECK(find_action<SendAcknowledgement>(actions)->care_of == kCareOf1);
  CHECK_FALSE(agent.core.find(kHome)->care_of);
}
