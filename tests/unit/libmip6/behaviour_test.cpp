// Nodes that behave ill: what is counted, throttled and banned, and what never is.
#include "libmip6/agent/behaviour.hpp"

#include <algorithm>

#include "libmip6/agent/both_clocks.hpp"
#include "libmip6/agent/validation.hpp"
#include "tests/catch.hpp"

namespace mip6::agent {
namespace {

using namespace std::chrono_literals;

const Ipv6Address kNode = *Ipv6Address::parse("2001:db8:1::42");
const Ipv6Address kOther = *Ipv6Address::parse("2001:db8:1::43");

// One core, a clock, and what was decided about the updates of a node that numbers them as it should.
struct Harness {
  explicit Harness(const BehaviourPolicy& policy = {}) : core{policy} {}

  Behaviour core;
  BootTime now{1h};
  std::uint16_t number = 1;
  std::vector<BehaviourAction> done;  // all but DropUpdate
  int served = 0;
  int dropped = 0;
  int told = 0;  // dropped ones that are worth a line

  void keep(const std::vector<BehaviourAction>& actions) {
    for (const auto& action : actions)
      if (!std::holds_alternative<DropUpdate>(action)) done.push_back(action);
  }
  bool update(const UpdateArrived& event) {
    const auto actions = core.handle(event, now);
    keep(actions);
    const auto* drop = actions.empty() ? nullptr : std::get_if<DropUpdate>(&actions.front());
    ++(drop != nullptr ? dropped : served);
    if (drop != nullptr && drop->first) ++told;
    return drop == nullptr;
  }
  bool update(const Ipv6Address& home = kNode) {
    ++number;
    return update({.home_address = home,
                   .sequence = SequenceNumber{number},
                   .last = SequenceNumber{static_cast<std::uint16_t>(number - 1)}});
  }
  // So many, one each interval.
  void updates(int count, Duration interval, const Ipv6Address& home = kNode) {
    for (int i = 0; i < count; ++i, now += interval) update(home);
  }
  void offence(Offence one, const Ipv6Address& home = kNode) { keep(core.handle(OffenceSeen{home, one}, now)); }
  void deadline() { keep(core.handle(DeadlineReached{}, now)); }
  template <typename Action>
  int count() const {
    return static_cast<int>(
        std::ranges::count_if(done, [](const auto& a) { return std::holds_alternative<Action>(a); }));
  }
  std::uint64_t counted(Offence one, const Ipv6Address& home = kNode) const {
    const auto* record = core.find(home);
    return record == nullptr ? 0 : record->offences[static_cast<std::size_t>(one)];
  }
  // Until it is banned; how long that took.
  Duration flood(Duration interval, const Ipv6Address& home = kNode) {
    const auto begin = now;
    const auto before = count<BanNode>();
    for (int i = 0; i < 100'000 && count<BanNode>() == before; ++i, now += interval) update(home);
    REQUIRE(count<BanNode>() == before + 1);
    return now - begin;
  }
};

TEST_CASE("a node that moves as fast as it is permitted to is served for ever", "[behaviour]") {
  Harness node;
  node.updates(3 * 60 * 60 * 24, Duration{333'333'334});
  CHECK(node.dropped == 0);
  CHECK(node.done.empty());
  CHECK(node.core.find(kNode)->all() == 0);
}

TEST_CASE("ten changes in one second, and what a silent link had kept for ten seconds, are borne", "[behaviour]") {
  Harness node;
  node.updates(10, 100ms);
  CHECK(node.dropped == 0);
  node.now += 10s;
  node.updates(kUpdateBurst, 0ms);
  CHECK(node.dropped == 0);
  CHECK(node.core.find(kNode)->all() == 0);
  CHECK_FALSE(node.update());  // one more at that moment
}

TEST_CASE("who goes on above the rate is throttled to it, and told of once", "[behaviour]") {
  Harness node;
  node.updates(150, 20ms);  // three seconds
  CHECK(node.served >= kUpdateBurst + 8);
  CHECK(node.served <= kUpdateBurst + 10);
  CHECK(node.dropped == 150 - node.served);
  CHECK(node.counted(Offence::kTooManyUpdates) == static_cast<std::uint64_t>(node.dropped));
  CHECK(node.told == 1);
  CHECK(node.core.find(kNode)->throttled);
  CHECK(node.done.empty());

  node.now += 11s;  // a pause: the full allowance again
  node.served = node.dropped = 0;
  node.updates(kUpdateBurst, 0ms);
  CHECK(node.dropped == 0);
  CHECK_FALSE(node.core.find(kNode)->throttled);
  node.update();
  CHECK(node.told == 2);
}

TEST_CASE("throttled updates do not lengthen the throttling", "[behaviour]") {
  Harness node{{.tolerance = 100'000, .first_ban = 60s}};
  node.updates(500, 1ms);
  const auto served = node.served;
  node.updates(500, 1ms);
  CHECK(node.served - served >= 1);
  node.now += 334ms;
  CHECK(node.update());
}

TEST_CASE("fifty updates a second end in a ban, those of others are served", "[behaviour]") {
  Harness node;
  CHECK(node.flood(20ms) > 5s);
  const auto ban = std::get<BanNode>(node.done.back());
  CHECK(ban.home_address == kNode);
  CHECK(ban.because == Offence::kTooManyUpdates);
  CHECK(ban.duration == kDefaultBan);
  CHECK(node.core.banned() == 1);
  CHECK(node.core.next_deadline() == node.core.find(kNode)->banned_until);
  CHECK_FALSE(node.update());
  CHECK(node.core.find(kNode)->dropped_while_banned == 1);
  CHECK(node.update(kOther));
  // Nothing is added while it is banned.
  const auto before = node.core.find(kNode)->all();
  node.offence(Offence::kReplay);
  node.updates(1000, 1ms);
  CHECK(node.core.find(kNode)->all() == before);
  CHECK(node.count<BanNode>() == 1);
}

TEST_CASE("a ban ends by itself, not before its time, and once", "[behaviour]") {
  Harness node;
  node.flood(20ms);
  const auto end = *node.core.next_deadline();
  node.now = end - 1ns;
  node.deadline();
  CHECK(node.count<UnbanNode>() == 0);
  node.now = end + 24h;  // late, after sleep
  node.deadline();
  node.deadline();
  CHECK(node.count<UnbanNode>() == 1);
  CHECK_FALSE(node.core.next_deadline());
  CHECK(node.core.banned() == 0);
  node.updates(kUpdateBurst, 0ms);
  CHECK(node.dropped > 0);  // of the flood
  CHECK(node.update() == false);
  node.now += 1s;
  CHECK(node.update());
}

TEST_CASE("each further ban is twice as long, at most a day, until the node has behaved for a day", "[behaviour]") {
  Harness node;
  Duration expected = kDefaultBan;
  for (int i = 0; i < 12; ++i) {
    node.flood(20ms);
    CHECK(std::get<BanNode>(node.done.back()).duration == expected);
    expected = std::min(2 * expected, kLongestBan);
    node.now = *node.core.next_deadline();
    node.deadline();
  }
  CHECK(expected == kLongestBan);
  CHECK(node.core.find(kNode)->bans == 12);
  node.now += kLongestBan - 1h;
  node.flood(20ms);
  CHECK(std::get<BanNode>(node.done.back()).duration == kLongestBan);
  node.now = *node.core.next_deadline();
  node.deadline();
  node.now += kLongestBan;
  node.flood(20ms);
  CHECK(std::get<BanNode>(node.done.back()).duration == kDefaultBan);
}

TEST_CASE("a ban from before a restart goes on until its end, and the next one is longer", "[behaviour]") {
  Harness node;
  node.keep(node.core.handle(BanRestored{.home_address = kNode, .until = node.now + 100s, .strikes = 2}, node.now));
  CHECK(node.done.empty());
  CHECK(node.core.banned() == 1);
  CHECK(node.core.next_deadline() == node.now + 100s);
  CHECK(node.core.worst(1).size() == 1);
  CHECK_FALSE(node.update());
  // Not swept out with those who did nothing ill.
  for (std::uint16_t i = 0; i < 3000; ++i) {
    auto other = kOther;
    other.bytes[13] = static_cast<std::uint8_t>(i >> 8);
    other.bytes[14] = static_cast<std::uint8_t>(i);
    node.update(other);
    node.now += 10ms;
  }
  node.keep(node.core.handle(BanRestored{.home_address = kNode, .until = node.now + 5s, .strikes = 2}, node.now));
  CHECK(node.core.banned() == 1);  // in place of the former
  node.now += 5s;
  node.deadline();
  CHECK(node.count<UnbanNode>() == 1);
  CHECK(node.core.banned() == 0);
  node.flood(20ms);
  CHECK(std::get<BanNode>(node.done.back()).duration == 4 * kDefaultBan);
  CHECK(std::get<BanNode>(node.done.back()).strikes == 3);
}

TEST_CASE("what is left of a grant is told by the boot clock, else by the wall clock, and is never more than it was",
          "[behaviour]") {
  const BootTime now{1h};
  EndOnBothClocks end{.granted = Lifetime{600}, .expires_unix = 10'000, .expires_boot = now + 100s};
  CHECK(left_of(end, 0, now) == 100s);
  CHECK(left_of(end, 1'000'000, now) == 100s);
  CHECK(left_of(end, 0, now + 100s) <= 0s);
  CHECK(left_of(end, 0, now - 1h) == 600s);
  end.expires_boot.reset();
  CHECK(left_of(end, 9'950, now) == 50s);
  CHECK(left_of(end, 0, now) == 600s);  // set back
  CHECK(left_of(end, 20'000, now) == 0s);
}

TEST_CASE("a ban is lifted by the administrator, and all is forgiven", "[behaviour]") {
  Harness node;
  node.flood(20ms);
  node.keep(node.core.handle(BanLifted{kNode}, node.now));
  CHECK(node.count<UnbanNode>() == 1);
  CHECK_FALSE(node.core.next_deadline());
  CHECK(node.update());
  CHECK(node.counted(Offence::kTooManyUpdates) > 0);  // what was counted stays
  node.flood(20ms);
  CHECK(std::get<BanNode>(node.done.back()).duration == kDefaultBan);
  // Of who is not banned, and of nobody: nothing to undo.
  node.keep(node.core.handle(BanLifted{kOther}, node.now));
  CHECK(node.count<UnbanNode>() == 1);
}

TEST_CASE("replays and wrong care-of addresses are borne up to the tolerance, and fade", "[behaviour]") {
  const auto offence = GENERATE(Offence::kReplay, Offence::kWrongCareOf);
  Harness node{{.tolerance = 20, .first_ban = 60s}};
  for (int i = 0; i < 20; ++i) node.offence(offence);
  CHECK(node.done.empty());
  node.now += 10s;
  for (int i = 0; i < 10; ++i) node.offence(offence);
  CHECK(node.done.empty());
  node.offence(offence);
  REQUIRE(node.count<BanNode>() == 1);
  CHECK(std::get<BanNode>(node.done.back()).because == offence);
  CHECK(std::get<BanNode>(node.done.back()).duration == 60s);
  CHECK(node.counted(offence) == 31);
}

TEST_CASE("at the permitted rate with every third update overtaken under way nobody is banned", "[behaviour]") {
  Harness node;
  for (int i = 0; i < 24 * 60 * 60; ++i) {
    node.updates(3, Duration{333'333'334});
    node.offence(Offence::kReplay);
  }
  CHECK(node.dropped == 0);
  CHECK(node.done.empty());
}

TEST_CASE("a number far ahead is a jump, a usual gap is none", "[behaviour]") {
  Harness node;
  const auto ahead = [&](std::uint32_t by) {
    node.update({.home_address = kNode,
                 .sequence = SequenceNumber{static_cast<std::uint16_t>(65'000 + by)},
                 .last = SequenceNumber{65'000}});
  };
  for (const auto by : {1U, 64U, 4096U}) ahead(by);
  CHECK(node.counted(Offence::kSequenceJump) == 0);
  for (const auto by : {4097U, 32'767U}) ahead(by);  // also across the end of the space
  CHECK(node.counted(Offence::kSequenceJump) == 2);
  for (const auto by : {32'768U, 0U, 65'535U}) ahead(by);  // not newer: no jump, the home agent judges it
  CHECK(node.counted(Offence::kSequenceJump) == 2);
  node.update({.home_address = kNode, .sequence = SequenceNumber{30'000}});  // the first there ever was
  CHECK(node.counted(Offence::kSequenceJump) == 2);
}

TEST_CASE("a few jumps, once round the window, are borne; more are not", "[behaviour]") {
  Harness node;
  const auto jump = [&] {
    node.update({.home_address = kNode, .sequence = SequenceNumber{5000}, .last = SequenceNumber{0}});
    node.now += 1s;
  };
  for (int i = 0; i < 8; ++i) jump();
  CHECK(node.done.empty());
  for (int i = 0; i < 4; ++i) jump();
  REQUIRE(node.count<BanNode>() == 1);
  CHECK(std::get<BanNode>(node.done.back()).because == Offence::kSequenceJump);
}

// Anybody on the path can send a captured packet once more.
TEST_CASE("a node without replay protection is neither throttled nor banned for what others replay", "[behaviour]") {
  Harness node;
  const auto replay = [&](bool is_protected) {
    return node.update({.home_address = kNode,
                        .sequence = SequenceNumber{7},
                        .last = SequenceNumber{7},
                        .protected_from_replay = is_protected});
  };
  int let_through = 0;
  for (int i = 0; i < 100 * 60; ++i, node.now += 10ms) {
    let_through += replay(false) ? 1 : 0;
    if (i % 100 == 0) CHECK(node.update());  // its own
  }
  CHECK(let_through >= kUpdateBurst);
  CHECK(let_through <= kUpdateBurst + 3 * 60 + 1);  // a lost state is told at that rate
  CHECK(node.counted(Offence::kReplay) == 6000U - static_cast<unsigned>(let_through));
  CHECK(node.counted(Offence::kTooManyUpdates) == 0);
  CHECK(node.done.empty());
  for (int i = 0; i < 1000; ++i) node.keep(node.core.handle(OffenceSeen{kNode, Offence::kReplay, false}, node.now));
  CHECK(node.done.empty());
  // With protection they are its own.
  for (int i = 0; i < 1000; ++i, node.now += 10ms) replay(true);
  CHECK(node.count<BanNode>() == 1);
}

TEST_CASE("without a limit to tolerance offences are counted and nothing else", "[behaviour]") {
  Harness node{{.tolerance = std::nullopt, .first_ban = 60s}};
  node.updates(1000, 1ms);
  for (int i = 0; i < 1000; ++i) node.offence(Offence::kReplay);
  CHECK(node.dropped == 0);
  CHECK(node.done.empty());
  CHECK(node.counted(Offence::kReplay) == 1000);
}

TEST_CASE("who does nothing ill is forgotten, who does is not; a node that is served no longer always", "[behaviour]") {
  Harness node;
  node.offence(Offence::kReplay, kOther);
  for (std::uint32_t i = 0; i < 100'000; ++i, node.now += 10ms) {
    Ipv6Address home = kNode;
    home.bytes[12] = static_cast<std::uint8_t>(i >> 24U);
    home.bytes[13] = static_cast<std::uint8_t>(i >> 16U);
    home.bytes[14] = static_cast<std::uint8_t>(i >> 8U);
    home.bytes[15] = static_cast<std::uint8_t>(i);
    node.update(home);
  }
  CHECK(node.core.remembered() < 4096);
  CHECK(node.counted(Offence::kReplay, kOther) == 1);

  node.flood(20ms, kOther);
  node.core.handle(NodeForgotten{kOther}, node.now);
  CHECK(node.core.find(kOther) == nullptr);
  CHECK_FALSE(node.core.next_deadline());
  CHECK(node.core.totals().bans == 1);
  node.now += kLongestBan;
  node.deadline();
  CHECK(node.count<UnbanNode>() == 0);
}

TEST_CASE("the worst are told first, and no more than asked for", "[behaviour]") {
  Harness node;
  node.update();
  node.offence(Offence::kReplay, kOther);
  CHECK(node.core.worst(10).size() == 1);  // the other has done nothing
  node.offence(Offence::kReplay);
  node.offence(Offence::kWrongCareOf);
  const auto worst = node.core.worst(1);
  REQUIRE(worst.size() == 1);
  CHECK(worst.front().first == kNode);
  CHECK(node.core.worst(10).size() == 2);
  CHECK(node.core.totals().all() == 3);
}

TEST_CASE("of a report only what speaks against the sender is an offence", "[behaviour]") {
  const auto dropped = [](std::string_view why) { return offence_of({kNode, "dropped", std::nullopt, true, why}); };
  CHECK(offence_of({kNode, "", Status::kSequenceNumberOutOfWindow}) == Offence::kReplay);
  CHECK(offence_of({kNode, "", Status::kInvalidCareOfAddress}) == Offence::kWrongCareOf);
  CHECK(dropped(kCareOfNotRoutable) == Offence::kWrongCareOf);
  CHECK_FALSE(dropped("the home address is not unicast routable"));
  for (const auto status : {Status::kAccepted, Status::kInsufficientResources, Status::kNotHomeAgentForThisNode})
    CHECK_FALSE(offence_of({kNode, "", status}));
  CHECK_FALSE(offence_of({kNode, "binding expired", std::nullopt}));
}

}  // namespace
}  // namespace mip6::agent
