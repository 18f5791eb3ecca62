// The whole mobile node: the choice among home agents, and another home address.
#include "libmip6/node/mobile_node.hpp"

#include "tests/unit/libmip6/registration_harness.hpp"

using namespace mip6;
using namespace mip6::node;
using namespace mip6::node::test;

namespace {

const Ipv6Address kSecondAgent = address("2001:db8:1::2");
const Ipv6Address kFoundAgent = address("2001:db8:1::3");
const Ipv6Address kOtherHomeAddress = address("2001:db8:9::42");

struct Counting : Random {
  std::uint32_t draw() override { return ++last; }
  std::uint32_t last = 6;
};

MobileNodePolicy policy_with(std::vector<Ipv6Address> agents, bool discover = false) {
  MobileNodePolicy policy;
  policy.registration.home_address = kHomeAddress;
  policy.home_prefix = Ipv6Prefix::parse("2001:db8:1::/64").value();
  policy.home_agents = std::move(agents);
  policy.discover = discover;
  policy.keyed_home_addresses = {kHomeAddress, kOtherHomeAddress};
  return policy;
}

// With a disk that answers at once, and keys that come at once unless `keys_come` is false.
struct Whole {
  Counting random;
  MobileNode core;
  BootTime now{100s};
  bool keys_come = true;
  std::vector<MobileAction> done;  // since clear()

  explicit Whole(const MobileNodePolicy& policy, const SequenceState& stored = {SequenceNumber{1000}})
      : core{policy, stored, random} {}

  void give(const MobileEvent& event) {
    for (const auto& action : core.handle(event, now)) {
      done.push_back(action);
      if (const auto* reserve = std::get_if<ReserveSequence>(&action)) give(SequenceReserved{reserve->end});
      if (const auto* need = std::get_if<NeedKeys>(&action); need && keys_come)
        give(KeysUsable{true, true, need->attachment.care_of});
    }
  }
  void acknowledge(Status status = Status::kAccepted) {
    give(AcknowledgementReceived{{status, true, core.registration().last_sequence().value(), 420s, {}}});
  }
  // Through all deadlines until `end`, unanswered.
  void wait(Duration time) {
    const auto end = now + time;
    while (core.next_deadline() && *core.next_deadline() <= end) {
      now = std::max(now, *core.next_deadline());
      give(DeadlineReached{});
    }
    now = end;
  }
  template <class T>
  std::vector<T> take() {
    std::vector<T> found;
    for (const auto& action : done)
      if (const T* match = std::get_if<T>(&action)) found.push_back(*match);
    done.clear();
    return found;
  }
  void advertise(std::vector<PrefixInformation> prefixes) {
    const auto sent = take<SendPrefixSolicitation>();
    REQUIRE(sent.size() == 1);
    give(PrefixAdvertisementReceived{
        {.identifier = sent[0].solicitation.identifier, .prefixes = std::move(prefixes)}, core.home_agent(), true});
  }
};

std::vector<Ipv6Address> agents(const std::vector<UseHomeAgent>& uses) {
  std::vector<Ipv6Address> result;
  for (const auto& use : uses) result.push_back(use.home_agent);
  return result;
}

PrefixInformation prefix(const char* text, Lifetime valid) {
  return {.prefix = Ipv6Prefix::parse(text).value(), .autonomous = true, .valid = valid, .preferred = Lifetime{0}};
}

}  // namespace

TEST_CASE("the most preferred home agent is named before anything is done for it", "[mobile-node]") {
  Whole node{policy_with({kHomeAgent, kSecondAgent})};
  node.give(Attached{kA1, false});
  REQUIRE(std::holds_alternative<UseHomeAgent>(node.done.at(0)));
  CHECK(std::get<UseHomeAgent>(node.done[0]).home_agent == kHomeAgent);
  CHECK(node.core.home_agent() == kHomeAgent);
  node.acknowledge();
  CHECK(node.core.registration().state() == State::kRegistered);
  CHECK(agents(node.take<UseHomeAgent>()) == std::vector{kHomeAgent});
}

TEST_CASE("manual keys with the next home agent go on below half the number space", "[mobile-node]") {
  Whole node{policy_with({kHomeAgent, kSecondAgent}), SequenceState{SequenceNumber{1000}, SequenceNumber{900}}};
  node.keys_come = false;
  node.give(Attached{kA1, false});
  const KeysUsable manual{.can_migrate = false, .fresh = false, .dynamic = false};
  node.give(manual);
  node.wait(11s);
  REQUIRE(node.core.home_agent() == kSecondAgent);
  const auto before = node.core.registration().numbers();
  node.done.clear();
  node.give(manual);
  CHECK(node.take<SendUpdate>().size() == 1);
  CHECK(before.first_under_keys == SequenceNumber{900});
}

TEST_CASE("when a home agent stays silent the next one is tried, with numbers that go on", "[mobile-node]") {
  Whole node{policy_with({kHomeAgent, kSecondAgent})};
  node.give(Attached{kA1, false});
  node.take<UseHomeAgent>();
  node.wait(10s);
  CHECK(node.take<UseHomeAgent>().empty());
  const auto last = node.core.registration().last_sequence().value();
  node.done.clear();
  node.wait(1s);
  CHECK(node.core.home_agent() == kSecondAgent);
  const auto is_update = [](const MobileAction& action) { return std::holds_alternative<SendUpdate>(action); };
  CHECK(std::ranges::count_if(node.done, is_update) == 1);
  REQUIRE(node.core.registration().last_sequence());
  CHECK(node.core.registration().last_sequence()->follows(last));
  CHECK(agents(node.take<UseHomeAgent>()) == std::vector{kSecondAgent});
  node.acknowledge();
  CHECK(node.core.registration().state() == State::kRegistered);
}

TEST_CASE("a change of the home agent sets everything up anew, and nothing leaves for the former one",
          "[mobile-node]") {
  Whole node{policy_with({kHomeAgent, kSecondAgent})};
  node.give(Attached{kA1, false});
  node.done.clear();
  node.acknowledge(Status::kNotHomeAgentForThisNode);
  std::vector<std::size_t> kinds;
  for (const auto& action : node.done) kinds.push_back(action.index());
  const std::vector<std::size_t> expected{MobileAction{Trouble{}}.index(),      MobileAction{NotServed{}}.index(),
                                          MobileAction{UseHomeAgent{}}.index(), MobileAction{UseAttachment{}}.index(),
                                          MobileAction{NeedKeys{}}.index(),     MobileAction{ReserveSequence{}}.index(),
                                          MobileAction{SendUpdate{}}.index()};
  CHECK(std::is_permutation(kinds.begin(), kinds.end(), expected.begin(), expected.end()));
  CHECK(kinds.at(2) == expected[2]);
}

TEST_CASE("while a registration lives its home agent is tried first after a move", "[mobile-node]") {
  Whole node{policy_with({kHomeAgent, kSecondAgent})};
  node.give(Attached{kA1, false});
  node.wait(11s);
  node.acknowledge();
  node.done.clear();
  node.give(Attached{kA2, false});
  CHECK(node.take<SendUpdate>().size() == 1);
  CHECK(node.core.home_agent() == kSecondAgent);
}

TEST_CASE("after the last home agent the first is tried again, each round after a longer pause", "[mobile-node]") {
  Whole node{policy_with({kHomeAgent, kSecondAgent})};
  node.give(Attached{kA1, false});
  std::vector<Duration> pauses;
  for (int round = 0; round < 7; ++round) {
    CHECK(node.core.home_agent() == kHomeAgent);
    node.acknowledge(Status::kNotHomeSubnet);
    CHECK(node.core.home_agent() == kSecondAgent);
    node.acknowledge(Status::kNotHomeSubnet);
    const auto failed_at = node.now;
    while (node.core.home_agent() == kSecondAgent) {
      node.now = std::max(node.now, node.core.next_deadline().value());
      node.give(DeadlineReached{});
    }
    pauses.push_back(node.now - failed_at);
  }
  CHECK(pauses == std::vector<Duration>{4s, 8s, 16s, 32s, 64s, 64s, 64s});
}

TEST_CASE("a home agent that gives no keys is not waited for without an end", "[mobile-node]") {
  Whole node{policy_with({kHomeAgent, kSecondAgent})};
  node.keys_come = false;
  node.give(Attached{kA1, false});
  node.wait(19s);
  CHECK(node.core.home_agent() == kHomeAgent);
  node.wait(1s);
  CHECK(node.core.home_agent() == kSecondAgent);
}

TEST_CASE("keys that do not come make the attachment suspect before the home agent", "[mobile-node]") {
  Whole node{policy_with({kHomeAgent, kSecondAgent})};
  node.keys_come = false;
  node.give(Attached{kA1, false});
  node.wait(9s);
  CHECK(node.take<Unanswered>().empty());
  node.wait(1s);
  const auto told = node.take<Unanswered>();
  REQUIRE(told.size() == 1);
  CHECK(told[0].attachment == kA1);
  CHECK(node.core.unanswered());
  SECTION("with no other link the home agent has its time") {
    node.wait(9s);
    CHECK(node.core.home_agent() == kHomeAgent);
    node.wait(1s);
    CHECK(node.core.home_agent() == kSecondAgent);
    CHECK_FALSE(node.core.unanswered());
  }
  SECTION("by another link it has all of its time again") {
    node.give(Attached{kA2, false});
    CHECK_FALSE(node.core.unanswered());
    node.wait(19s);
    CHECK(node.core.home_agent() == kHomeAgent);
    CHECK(node.take<Unanswered>().size() == 1);
    node.wait(1s);
    CHECK(node.core.home_agent() == kSecondAgent);
  }
  SECTION("keys end it") {
    node.give(KeysUsable{true, true, kA1.care_of});
    CHECK_FALSE(node.core.unanswered());
  }
}

TEST_CASE("without key management, or at home where the home agent has agreed, no link is blamed for missing keys",
          "[mobile-node]") {
  Whole node{policy_with({kHomeAgent})};
  if (GENERATE(true, false)) {
    node.keys_come = false;
    node.give(KeyManagementReachable{false});
    node.give(Attached{kA1, false});
  } else {
    node.give(Attached{kHome, false});
    node.acknowledge();
    node.keys_come = false;
    node.give(KeysUnusable{});
  }
  node.wait(100s);
  CHECK(node.take<Unanswered>().empty());
  CHECK_FALSE(node.core.unanswered());
}

TEST_CASE("a home agent that takes the keys away and gives no others is left though its binding lives",
          "[mobile-node]") {
  Whole node{policy_with({kHomeAgent, kSecondAgent})};
  node.give(Attached{kA1, false});
  node.acknowledge();
  node.keys_come = false;
  node.give(KeysUnusable{});
  REQUIRE(node.core.registration().state() == State::kRegistered);
  node.wait(19s);
  CHECK(node.core.home_agent() == kHomeAgent);
  SECTION("no others come") {
    node.wait(1s);
    CHECK(node.core.home_agent() == kSecondAgent);
  }
  SECTION("others come in time: another wait begins anew") {
    node.give(KeysUsable{true, true, kA1.care_of});
    node.acknowledge();
    node.wait(5s);
    node.give(KeysUnusable{});
    node.wait(19s);
    CHECK(node.core.home_agent() == kHomeAgent);
    node.wait(1s);
    CHECK(node.core.home_agent() == kSecondAgent);
  }
  SECTION("our own key management is away: no other home agent could give any") {
    node.give(KeyManagementReachable{false});
    node.wait(5min);
    CHECK(node.core.home_agent() == kHomeAgent);
    node.give(KeyManagementReachable{true});
    node.wait(19s);
    CHECK(node.core.home_agent() == kHomeAgent);
    node.wait(1s);
    CHECK(node.core.home_agent() == kSecondAgent);
  }
  SECTION("at home nothing is served") {
    node.give(Attached{kHome, false});
    node.wait(1min);
    CHECK(node.core.home_agent() == kHomeAgent);
  }
}

TEST_CASE("a single home agent is never changed", "[mobile-node]") {
  Whole node{policy_with({kHomeAgent})};
  node.give(Attached{kA1, false});
  node.acknowledge(Status::kNotHomeSubnet);
  node.wait(1h);
  CHECK(agents(node.take<UseHomeAgent>()) == std::vector{kHomeAgent});
}

TEST_CASE("at home or at a stop the home agent is not changed: the other one holds no binding", "[mobile-node]") {
  Whole node{policy_with({kHomeAgent, kSecondAgent}, true)};
  node.give(Attached{kA1, false});
  node.acknowledge();
  SECTION("home") { node.give(Attached{kHome, false}); }
  SECTION("stop") { node.give(StopAsked{}); }
  node.wait(1min);
  CHECK(node.core.home_agent() == kHomeAgent);
  CHECK(node.take<SendDiscoveryRequest>().empty());
}

TEST_CASE("without any home agent the home link is asked, and who answers is used", "[mobile-node]") {
  Whole node{policy_with({}, true)};
  node.give(Attached{kA1, false});
  CHECK(node.take<UseHomeAgent>().empty());
  node.give(AgentDiscoveryReplyReceived{{7, {kFoundAgent, kSecondAgent}}, kSecondAgent});
  CHECK(node.core.home_agent() == kFoundAgent);
  CHECK(node.take<SendUpdate>().size() == 1);
  node.acknowledge(Status::kNotHomeSubnet);
  CHECK(node.core.home_agent() == kSecondAgent);
}

TEST_CASE("a discovery follows the node to its next care-of address, and stops without one", "[mobile-node]") {
  Whole node{policy_with({}, true)};
  node.give(Attached{kA1, false});
  CHECK(node.take<SendDiscoveryRequest>().at(0).source == kA1.care_of);
  node.give(Attached{kA2, false});
  CHECK(node.take<SendDiscoveryRequest>().at(0).source == kA2.care_of);
  node.give(Detached{});
  CHECK_FALSE(node.core.next_deadline());
  node.give(Attached{kA1, false});
  CHECK(node.take<SendDiscoveryRequest>().size() == 1);
}

TEST_CASE("a discovery that fails is tried again", "[mobile-node]") {
  Whole node{policy_with({}, true)};
  node.give(Attached{kA1, false});
  node.wait(93s);
  CHECK(node.take<SendDiscoveryRequest>().size() == 5);
  node.wait(4s);
  CHECK(node.take<SendDiscoveryRequest>().size() == 1);
}

TEST_CASE("when no configured home agent serves, those that are found are tried, each in its time", "[mobile-node]") {
  Whole node{policy_with({kHomeAgent}, true)};
  node.give(Attached{kA1, false});
  node.wait(11s);  // silent: 10.5 s
  const auto requests = node.take<SendDiscoveryRequest>();
  REQUIRE(requests.size() == 1);
  node.give(AgentDiscoveryReplyReceived{{requests[0].request.identifier, {kHomeAgent, kFoundAgent}}, kFoundAgent});
  // RFC 6275 section 11.4.1: InitialBindackTimeoutFirstReg after the last update, which left 0.5 s ago.
  CHECK(node.core.home_agent() == kHomeAgent);
  node.wait(999ms);
  CHECK(node.core.home_agent() == kHomeAgent);
  node.wait(1ms);
  CHECK(node.core.home_agent() == kFoundAgent);
}

TEST_CASE("status 1 asks the home agent for prefixes, and their lifetime bounds the registration's", "[mobile-node]") {
  Whole node{policy_with({kHomeAgent})};
  node.give(Attached{kA1, false});
  node.acknowledge(Status::kAcceptedPrefixDiscoveryNecessary);
  node.advertise({prefix("2001:db8:1::/64", 1000s)});
  node.done.clear();
  SECTION("the next update does not ask for more") {
    node.now += 900s;
    node.give(RefreshAsked{});
    CHECK(node.take<SendUpdate>().at(0).update.lifetime == 100s);
  }
  SECTION("before the end it is asked again") {
    for (int i = 0; i < 8; ++i) {
      node.now += 100s;
      node.give(RefreshAsked{});
      node.acknowledge();
    }
    CHECK(node.take<SendPrefixSolicitation>().size() == 1);
  }
}

TEST_CASE("an ended home address gives way to one that was advertised, only where a key exists", "[mobile-node]") {
  auto policy = policy_with({kHomeAgent});
  const bool keyed = GENERATE(true, false);
  if (!keyed) policy.keyed_home_addresses = {kHomeAddress};
  Whole node{policy};
  node.give(Attached{kA1, false});
  node.acknowledge(Status::kAcceptedPrefixDiscoveryNecessary);
  node.advertise({prefix("2001:db8:1::/64", 400s), prefix("2001:db8:9::/64", 9000s)});
  CHECK(node.take<UseHomeAddress>().empty());
  node.wait(400s);
  const auto uses = node.take<UseHomeAddress>();
  REQUIRE(uses.size() == (keyed ? 1u : 0u));
  if (!keyed) return;
  CHECK(uses[0].home_address == kOtherHomeAddress);
  CHECK(uses[0].prefix == Ipv6Prefix::parse("2001:db8:9::/64"));
  CHECK(node.core.home_address() == kOtherHomeAddress);
  node.acknowledge();
  CHECK(node.core.registration().state() == State::kRegistered);
}

TEST_CASE("nothing is asked for an ended home address where there is another one; else the home agent is asked",
          "[mobile-node]") {
  Whole node{policy_with({kHomeAgent})};
  node.give(Attached{kA1, false});
  node.acknowledge(Status::kAcceptedPrefixDiscoveryNecessary);
  const bool another = GENERATE(true, false);
  std::vector<PrefixInformation> prefixes{prefix("2001:db8:1::/64", 400s)};
  if (another) prefixes.push_back(prefix("2001:db8:9::/64", 9000s));
  node.advertise(prefixes);
  node.done.clear();
  node.now += 2h;  // asleep
  SECTION("by time") { node.give(DeadlineReached{}); }
  SECTION("at a move") { node.give(Attached{kA2, false}); }
  REQUIRE_FALSE(node.done.empty());
  CHECK(std::holds_alternative<UseHomeAddress>(node.done.front()) == another);
  const auto updates = node.take<SendUpdate>();
  REQUIRE(updates.size() == 1);
  CHECK(updates[0].update.lifetime == 420s);
}

TEST_CASE("an address that another host has gives way to one that was advertised", "[mobile-node]") {
  Whole node{policy_with({kHomeAgent})};
  node.give(Attached{kA1, false});
  node.acknowledge(Status::kAcceptedPrefixDiscoveryNecessary);
  node.advertise({prefix("2001:db8:1::/64", 9000s), prefix("2001:db8:9::/64", kInfiniteLifetime)});
  node.give(Attached{kA2, false});
  node.acknowledge(Status::kDuplicateAddressDetectionFailed);
  CHECK(node.take<UseHomeAddress>().size() == 1);
  CHECK(node.core.home_address() == kOtherHomeAddress);
  node.acknowledge(Status::kDuplicateAddressDetectionFailed);  // of the other one too: neither is tried a second time
  CHECK(node.take<UseHomeAddress>().empty());
}

TEST_CASE("with another home address no more updates leave in a second than with one", "[mobile-node]") {
  Whole node{policy_with({kHomeAgent})};
  node.give(Attached{kA1, false});
  node.acknowledge(Status::kAcceptedPrefixDiscoveryNecessary);
  node.advertise({prefix("2001:db8:9::/64", 1000s)});
  node.give(Attached{kA2, false});
  node.give(Attached{kA1, false});
  node.acknowledge(Status::kDuplicateAddressDetectionFailed);
  REQUIRE(node.core.home_address() == kOtherHomeAddress);
  node.done.clear();
  node.wait(999ms);
  CHECK(node.take<SendUpdate>().empty());
  node.wait(1ms);
  CHECK(node.take<SendUpdate>().size() == 1);
}

TEST_CASE("of an advertisement a prefix is not taken that is preferred longer than valid, or forms no address",
          "[mobile-node]") {
  Whole node{policy_with({kHomeAgent})};
  node.give(Attached{kA1, false});
  node.acknowledge(Status::kAcceptedPrefixDiscoveryNecessary);
  auto other = prefix("2001:db8:9::/64", 9000s);
  SECTION("preferred longer than valid") { other.preferred = 9001s; }
  SECTION("not autonomous") { other.autonomous = false; }
  SECTION("not valid any more") { other.valid = 0s; }
  node.advertise({prefix("2001:db8:1::/64", 400s), other});
  node.wait(500s);
  CHECK(node.take<UseHomeAddress>().empty());
}

TEST_CASE("after a stop nothing is discovered, asked or changed any more", "[mobile-node]") {
  Whole node{policy_with({}, true)};
  node.give(Attached{kA1, false});
  node.done.clear();
  node.give(StopAsked{});
  CHECK_FALSE(node.core.next_deadline());
  node.now += 10s;
  node.give(DeadlineReached{});
  CHECK(node.take<SendDiscoveryRequest>().empty());
}

TEST_CASE("a reply to a discovery that comes after a stop begins no registration", "[mobile-node]") {
  Whole node{policy_with({kHomeAgent}, true)};
  node.give(Attached{kA1, false});
  node.acknowledge();
  node.give(Attached{kA2, false});
  node.wait(8s);
  REQUIRE(node.take<SendDiscoveryRequest>().size() == 1);
  node.give(StopAsked{});
  REQUIRE(node.core.registration().state() == State::kDeregistering);
  const AgentDiscoveryReplyReceived reply{{7, {kFoundAgent}}, kFoundAgent};
  node.give(reply);
  CHECK(node.core.registration().state() == State::kDeregistering);
  CHECK(node.core.home_agent() == kHomeAgent);
  node.acknowledge();
  CHECK(node.take<Stopped>().size() == 1);
  node.give(reply);
  node.give(PrefixAdvertisementReceived{{}, kHomeAgent, true});
  CHECK(node.done.empty());
}

TEST_CASE("prefixes can be asked for without a cause, and what is learned is told", "[mobile-node]") {
  Whole node{policy_with({kHomeAgent})};
  node.give(Attached{kA1, false});
  node.acknowledge();
  node.done.clear();
  node.give(PrefixesWanted{});
  node.advertise({prefix("2001:db8:1::/64", 1000s)});
  const auto learned = node.take<PrefixesLearned>();
  REQUIRE(learned.size() == 1);
  CHECK(learned[0].advertisement.prefixes.at(0).valid == 1000s);
}
