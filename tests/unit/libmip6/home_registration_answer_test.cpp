// Home registration: refusals, what else the home agent may say, and stopping.
#include "tests/unit/libmip6/registration_harness.hpp"

using namespace mip6;
using namespace mip6::node;
using namespace mip6::node::test;

namespace {

// Waiting times after `count` refusals in a row.
std::vector<Duration> waits_after_refusals(Node& node, Status status, int count) {
  std::vector<Duration> waits;
  for (int i = 0; i < count; ++i) {
    node.acknowledge(status, 0s);
    const auto refused_at = node.now;
    CHECK(all<SendUpdate>(node.next()).size() == 1);
    waits.push_back(node.now - refused_at);
  }
  return waits;
}

}  // namespace

TEST_CASE("a refusal is reported with its remedy and retried with back-off, for ever", "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, kA1.care_of});
  node.give(Attached{kA1, false});
  const auto status =
      GENERATE(Status::kReasonUnspecified, Status::kAdministrativelyProhibited, Status::kInsufficientResources,
               Status::kRegistrationTypeChangeDisallowed, Status::kMobileRouterOperationNotPermitted,
               Status::kInvalidPrefix, Status::kNotAuthorizedForPrefix, Status::kForwardingSetupFailed,
               Status::kInvalidCareOfAddress, Status{175}, Status{255});
  const auto trouble = only<Trouble>(node.acknowledge(status, 0s));
  CHECK(trouble.status == status);
  CHECK(trouble.what.find("(status " + std::to_string(static_cast<int>(status)) + ")") != std::string::npos);
  CHECK_FALSE(trouble.remedy.empty());
  CHECK(node.core.next_deadline() == node.now + 1s);
  node.next();
  CHECK(waits_after_refusals(node, status, 7) == std::vector<Duration>{2s, 4s, 8s, 16s, 32s, 32s, 32s});
  CHECK(order(node.acknowledge()) == "SwitchOutbound Registered");
  CHECK(node.core.counters().refused == 8);
}

TEST_CASE("a home agent that does not serve the address is asked less often", "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, kA1.care_of});
  node.give(Attached{kA1, false});
  const auto status =
      GENERATE(Status::kHomeRegistrationNotSupported, Status::kNotHomeSubnet, Status::kNotHomeAgentForThisNode);
  CHECK(waits_after_refusals(node, status, 6) == std::vector<Duration>{4s, 8s, 16s, 32s, 64s, 64s});
  CHECK(order(node.acknowledge()) == "SwitchOutbound Registered");
}

TEST_CASE("where another home agent or address could help that is told, besides the back-off", "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, kA1.care_of});
  node.give(Attached{kA1, false});
  const auto status = GENERATE(Status::kHomeRegistrationNotSupported, Status::kNotHomeSubnet,
                               Status::kNotHomeAgentForThisNode, Status::kDuplicateAddressDetectionFailed);
  const auto actions = node.acknowledge(status, 0s);
  CHECK(order(actions) == "Trouble NotServed");
  CHECK(only<NotServed>(actions).status == status);
  CHECK(order(node.next()) == "SendUpdate");
}

TEST_CASE("a home address that another host has is seldom asked for again", "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, kA1.care_of});
  node.give(Attached{kA1, false});
  CHECK(waits_after_refusals(node, Status::kDuplicateAddressDetectionFailed, 3) ==
        std::vector<Duration>{64s, 64s, 64s});
}

TEST_CASE("status 1 is a registration, and asks for the prefixes of the home link", "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, kA1.care_of});
  node.give(Attached{kA1, false});
  CHECK(order(node.acknowledge(Status::kAcceptedPrefixDiscoveryNecessary)) ==
        "SwitchOutbound Registered PrefixDiscoveryNecessary");
  CHECK(node.core.state() == State::kRegistered);
}

TEST_CASE("any other status below 128 is a registration and nothing more", "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, kA1.care_of});
  node.give(Attached{kA1, false});
  CHECK(order(node.acknowledge(static_cast<Status>(GENERATE(2, 127)))) == "SwitchOutbound Registered");
}

TEST_CASE("Parameter Problems are told once while an answer is awaited, and change nothing", "[registration]") {
  Node node;
  const std::uint8_t code = GENERATE(std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{2});
  CHECK(node.give(ParameterProblemReceived{code, 40}).empty());
  node.register_at(kA1);
  CHECK(node.give(ParameterProblemReceived{code, 40}).empty());
  node.give(Attached{kA2, true});
  const auto deadline = node.core.next_deadline();
  const auto actions = node.give(ParameterProblemReceived{code, 40});
  CHECK(order(actions) == "Trouble");
  CHECK_FALSE(only<Trouble>(actions).remedy.empty());
  CHECK(node.give(ParameterProblemReceived{code, 40}).empty());
  CHECK(node.core.counters().parameter_problems == 4);
  CHECK(node.core.next_deadline() == deadline);
  CHECK(order(node.acknowledge()) == "SwitchOutbound MoveKeys Registered");
}

TEST_CASE("a Binding Error about the type of message is told if an answer is awaited, and else ignored",
          "[registration]") {
  Node node;
  node.register_at(kA1);
  CHECK(node.give(BindingErrorReceived{{2, {}, {}}}).empty());
  node.give(Attached{kA2, true});
  CHECK(order(node.give(BindingErrorReceived{{2, {}, {}}})) == "Trouble");
  CHECK(node.give(BindingErrorReceived{{3, kHomeAddress, {}}}).empty());
  CHECK(node.core.counters().binding_errors == 3);
  CHECK(order(node.acknowledge()) == "SwitchOutbound MoveKeys Registered");
}

TEST_CASE("a move does not wait for the back-off of a refusal", "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, kA1.care_of});
  node.give(Attached{kA1, false});
  node.acknowledge(Status::kNotHomeSubnet, 0s);
  CHECK(order(node.give(Attached{kA2, false})) == "UseAttachment SendUpdate MoveOwnKeys");
}

TEST_CASE("a refused refresh leaves the binding to its own end", "[registration]") {
  Node node;
  node.register_at(kA1);
  const auto expires = node.core.expires();
  node.next();
  node.acknowledge(Status::kInsufficientResources, 0s);
  CHECK(node.core.expires() == expires);
  CHECK(node.core.state() == State::kRegistered);
  bool stopped = false;
  while (!stopped) {
    for (const auto& action : node.next())
      if (std::holds_alternative<StopOutbound>(action)) stopped = true;
    if (!stopped && node.core.counters().updates_sent > 100) break;
  }
  CHECK(stopped);
  CHECK(node.now == expires);
}

TEST_CASE("a granted lifetime of zero is trouble and not a registration", "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, kA1.care_of});
  node.give(Attached{kA1, false});
  CHECK(order(node.acknowledge(Status::kAccepted, 0s)) == "Trouble");
  CHECK(node.core.state() == State::kRegistering);
  CHECK(node.core.next_deadline() == node.now + 1s);
}

TEST_CASE("after status 135 the node goes on from the number told, once that is durable", "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, kA1.care_of});
  node.give(Attached{kA1, false});
  node.disk_answers = false;
  const BindingAcknowledgement told{Status::kSequenceNumberOutOfWindow, false, SequenceNumber{5000}, 0s, {}};
  const auto actions = node.give(AcknowledgementReceived{told});
  CHECK(order(actions) == "ReserveSequence");
  CHECK(only<ReserveSequence>(actions).end == SequenceNumber{5065});
  CHECK(node.give(SequenceReserved{SequenceNumber{1064}}).empty());
  CHECK(only<SendUpdate>(node.give(SequenceReserved{SequenceNumber{5065}})).update.sequence == SequenceNumber{5001});
  CHECK(order(node.acknowledge()) == "SwitchOutbound Registered");
}

TEST_CASE("status 135 again and again is followed with back-off and told", "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, kA1.care_of});
  node.give(Attached{kA1, false});
  const auto refuse = [&] {
    const auto told = node.core.last_sequence()->advanced(100);
    return node.give(AcknowledgementReceived{{Status::kSequenceNumberOutOfWindow, false, told, 0s, {}}});
  };
  CHECK(order(refuse()) == "SendUpdate");
  CHECK(order(refuse()) == "Trouble");
  const auto refused_at = node.now;
  CHECK(order(node.next()) == "SendUpdate");
  CHECK(node.now >= refused_at + 1s);
}

TEST_CASE("status 135 for an update that was overtaken by a good one is ignored", "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, kA1.care_of});
  node.give(Attached{kA1, false});
  const auto told = GENERATE(SequenceNumber{1000}, SequenceNumber{999}, SequenceNumber{900});
  CHECK(node.give(AcknowledgementReceived{{Status::kSequenceNumberOutOfWindow, false, told, 0s, {}}}).empty());
  CHECK(node.core.counters().ignored_acknowledgements == 1);
  CHECK(order(node.acknowledge()) == "SwitchOutbound Registered");
}

TEST_CASE("an acknowledgement that nobody waits for is counted and ignored", "[registration]") {
  Node node;
  CHECK(node.give(AcknowledgementReceived{{Status::kAccepted, true, SequenceNumber{1}, 420s, {}}}).empty());
  node.register_at(kA1);
  const auto status = GENERATE(Status::kAccepted, Status::kReasonUnspecified, Status::kSequenceNumberOutOfWindow);
  CHECK(node.acknowledge(status).empty());
  CHECK(node.core.counters().ignored_acknowledgements == 2);
  CHECK(node.core.state() == State::kRegistered);
}

TEST_CASE("a Binding Refresh Request brings an update if there is a binding", "[registration]") {
  Node node;
  CHECK(all<SendUpdate>(node.give(RefreshRequestReceived{})).empty());
  node.register_at(kA1);
  CHECK(order(node.give(RefreshRequestReceived{})) == "SendUpdate");
  CHECK(node.give(RefreshRequestReceived{}).empty());
}

TEST_CASE("forged Binding Errors bring few updates and never end a registration", "[registration]") {
  Node node;
  node.register_at(kA1);
  std::size_t updates = 0;
  for (int i = 0; i < 100; ++i) {
    const auto actions = node.give(BindingErrorReceived{{1, kHomeAddress, {}}});
    updates += all<SendUpdate>(actions).size();
    if (!actions.empty()) node.acknowledge();
    node.now += 10ms;
    CHECK(node.core.state() == State::kRegistered);
  }
  CHECK(updates == 1);
  CHECK(node.give(BindingErrorReceived{{1, kA1.care_of, {}}}).empty());
  CHECK(node.core.counters().binding_errors == 101);
  CHECK(node.core.counters().parameter_problems == 0);
}

TEST_CASE("the user's refresh sends an update at once, also during a back-off", "[registration]") {
  Node node;
  node.register_at(kA1);
  CHECK(order(node.give(RefreshAsked{})) == "SendUpdate");
  node.acknowledge(Status::kNotHomeSubnet, 0s);
  CHECK(order(node.give(RefreshAsked{})) == "SendUpdate");
}

TEST_CASE("a stop away de-registers the care-of address and ends with the acknowledgement", "[registration]") {
  Node node;
  node.register_at(kA1);
  const auto actions = node.give(StopAsked{});
  CHECK(order(actions) == "SendUpdate");
  const auto update = only<SendUpdate>(actions).update;
  CHECK(update.lifetime == 0s);
  CHECK(find_option<AlternateCareOfAddress>(update.options)->care_of == kA1.care_of);
  CHECK(node.core.state() == State::kDeregistering);
  const auto status = GENERATE(Status::kAccepted, Status::kNotHomeAgentForThisNode);
  const auto stopped = node.acknowledge(status, 0s);
  CHECK(order(stopped) == "Stopped");
  CHECK(only<Stopped>(stopped).farewell == Farewell::kAgreed);
  CHECK(node.core.state() == State::kStopped);
  CHECK(node.give(Attached{kA2, false}).empty());
  CHECK_FALSE(node.core.next_deadline());
}

TEST_CASE("a stop is repeated after 1 s and given up after 2 s", "[registration]") {
  Node node;
  node.register_at(kA1);
  node.give(StopAsked{});
  const auto begin = node.now;
  CHECK(order(node.next()) == "SendUpdate");
  CHECK(node.now == begin + 1s);
  const auto given_up = node.next();
  CHECK(order(given_up) == "Stopped");
  CHECK(only<Stopped>(given_up).farewell == Farewell::kUnanswered);
  CHECK(node.now == begin + kStopTimeout);
}

TEST_CASE("a stop with a registration unanswered de-registers what may have come about", "[registration]") {
  Node node;
  node.give(KeysUsable{true, true, kA1.care_of});
  node.give(Attached{kA1, false});
  CHECK(only<SendUpdate>(node.give(StopAsked{})).update.lifetime == 0s);
}

TEST_CASE("a stop whose de-registration is refused ends without it", "[registration]") {
  Node node;
  node.register_at(kA1);
  node.give(StopAsked{});
  const auto refused = node.acknowledge(Status::kInsufficientResources, 0s);
  CHECK(order(refused) == "Trouble Stopped");
  CHECK(only<Stopped>(refused).farewell == Farewell::kRefused);
}

TEST_CASE("a stop with nothing to de-register is immediate", "[registration]") {
  Node node;
  auto farewell = Farewell::kNotBound;
  SECTION("before anything") {}
  SECTION("attached, but never sent an update") { node.give(Attached{kA1, false}); }
  SECTION("detached") {
    node.register_at(kA1);
    node.give(Detached{});
    farewell = Farewell::kNotAsked;
  }
  SECTION("at home") {
    node.register_at(kHome);
    farewell = Farewell::kAgreed;
  }
  SECTION("lost the home link") {
    node.register_at(kHome);
    node.give(Detached{});
    farewell = Farewell::kAgreed;
  }
  SECTION("left home, the registration unanswered and keys gone") {
    node.register_at(kHome);
    node.give(Attached{kA1, false});
    node.give(KeysUnusable{});
    farewell = Farewell::kNotAsked;
  }
  SECTION("keys gone") {
    node.register_at(kA1);
    node.give(KeysUnusable{});
    farewell = Farewell::kNotAsked;
  }
  const auto actions = node.give(StopAsked{});
  CHECK(order(actions) == "Stopped");
  CHECK(only<Stopped>(actions).farewell == farewell);
}

TEST_CASE("a move during a stop is followed; losing the last attachment ends it", "[registration]") {
  Node node;
  node.register_at(kA1);
  const auto begin = node.now;
  node.give(StopAsked{});
  const auto update = only<SendUpdate>(node.give(Attached{kA2, false})).update;
  CHECK(update.lifetime == 0s);
  CHECK(find_option<AlternateCareOfAddress>(update.options)->care_of == kA2.care_of);
  SECTION("unanswered") {
    while (node.core.state() != State::kStopped) node.next();
    CHECK(node.now == begin + kStopTimeout);
  }
  SECTION("detached") {
    const auto actions = node.give(Detached{});
    CHECK(order(actions) == "Stopped");
    CHECK(only<Stopped>(actions).farewell == Farewell::kUnanswered);
  }
}
