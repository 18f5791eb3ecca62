// Which updates are dropped, refused and with which status (RFC 6275 sections 6.1.7, 9.5.1, 9.5.4, 10.3.1, 10.3.2).
#include "tests/catch.hpp"
#include "tests/unit/libmip6/home_agent_harness.hpp"

using namespace mip6;
using namespace mip6::test;

namespace {

constexpr const char* kNotUnicastRoutable[] = {"::", "::1", "fe80::7", "ff02::1", "::ffff:192.0.2.1"};

std::uint16_t number(int value) { return static_cast<std::uint16_t>(value); }

}  // namespace

TEST_CASE("an update for a home address that is not unicast routable is dropped", "[agent]") {
  for (const auto* text : kNotUnicastRoutable) {
    Harness agent;
    CHECK(silently_dropped(agent, agent.run(from(address(text), registration(1, kCareOf1)))));
  }
}

TEST_CASE("an update for a care-of address that is not unicast routable is dropped", "[agent]") {
  for (const auto* text : kNotUnicastRoutable) {
    Harness alternate;
    auto update = registration(1, address(text));
    update.home_address_option_source = kCareOf1;
    CHECK(silently_dropped(alternate, alternate.run(update)));
    Harness source;
    update = registration(1, address(text));
    update.update.options.clear();
    CHECK(silently_dropped(source, source.run(update)));
  }
}

TEST_CASE("an update from a source that is not unicast is dropped", "[agent]") {
  for (const auto* text : {"ff0e::1", "::"}) {
    Harness agent;
    auto update = registration(1, kCareOf1);
    update.home_address_option_source = address(text);
    CHECK(silently_dropped(agent, agent.run(update)));
  }
}

TEST_CASE("a home registration with nonce indices is dropped", "[agent]") {
  Harness agent;
  auto update = registration(1, kCareOf1);
  update.update.options.emplace_back(NonceIndices{});
  CHECK(silently_dropped(agent, agent.run(update)));
}

TEST_CASE("an update to a correspondent is dropped: we are none", "[agent]") {
  Harness agent;
  auto update = registration(1, kCareOf1);
  update.update.home_registration = false;
  CHECK(silently_dropped(agent, agent.run(update)));
}

TEST_CASE("a home registration is not changed into another by an update without H: 139", "[agent]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  auto update = registration(2, kCareOf2);
  update.update.home_registration = false;
  CHECK(answered(agent.run(update)) == Status::kRegistrationTypeChangeDisallowed);
  CHECK(agent.core.find(kHome)->care_of == kCareOf1);
  // Nor is its number used up.
  CHECK(answered(agent.run(registration(2, kCareOf2))) == Status::kAccepted);
}

TEST_CASE("a home address outside the home subnet is refused: 132", "[agent]") {
  Harness agent;
  const auto actions = agent.run(from(address("2001:db8:2::42"), registration(9, kCareOf1)));
  CHECK(answered(actions) == Status::kNotHomeSubnet);
  CHECK(find_action<SendAcknowledgement>(actions)->acknowledgement.sequence == SequenceNumber{9});
}

TEST_CASE("a node that is not served is refused: 133", "[agent]") {
  Harness agent;
  CHECK(answered(agent.run(from(address("2001:db8:1::99"), registration(1, kCareOf1)))) ==
        Status::kNotHomeAgentForThisNode);
}

TEST_CASE("nothing is remembered of nodes that are not served", "[agent]") {
  Harness agent;
  agent.run(from(address("2001:db8:1::99"), registration(1, kCareOf1)));
  agent.run(from(address("2001:db8:2::42"), registration(1, kCareOf1)));
  agent.handle(KeysRenewed{address("2001:db8:1::99")});
  CHECK(agent.core.remembered() == 0);
}

TEST_CASE("a registration without home address option is refused: 128", "[agent]") {
  Harness agent;
  auto update = registration(1, kCareOf1);
  update.home_address_option_source.reset();
  const auto actions = agent.run(update);
  CHECK(answered(actions) == Status::kReasonUnspecified);
  CHECK_FALSE(find_action<SendAcknowledgement>(actions)->care_of);
}

TEST_CASE("a care-of address that would make a loop of tunnels is refused: 174", "[agent]") {
  for (const auto& care_of : {kAgentAddress, kOtherHome}) {
    Harness agent;
    CHECK(answered(agent.run(registration(1, care_of))) == Status::kInvalidCareOfAddress);
    CHECK(agent.core.find(kHome) == nullptr);
  }
}

TEST_CASE("the alternate care-of address goes before the source address", "[agent]") {
  Harness agent;
  auto update = registration(1, kCareOf2);
  update.home_address_option_source = kCareOf1;
  const auto actions = agent.run(update);
  REQUIRE(find_action<InstallBinding>(actions) != nullptr);
  CHECK(find_action<InstallBinding>(actions)->care_of == kCareOf2);
  // Section 9.5.4: the answer goes to the source.
  CHECK(find_action<SendAcknowledgement>(actions)->care_of == kCareOf1);
}

TEST_CASE("without alternate care-of address the source address is registered", "[agent]") {
  Harness agent;
  auto update = registration(1, kCareOf2);
  update.update.options.clear();
  agent.run(update);
  CHECK(agent.core.find(kHome)->care_of == kCareOf2);
}

TEST_CASE("any number is taken from a node that was never registered", "[agent]") {
  for (const int sequence : {0, 1, 32768, 65535}) {
    Harness agent;
    CHECK(answered(agent.run(registration(number(sequence), kCareOf1))) == Status::kAccepted);
    CHECK(agent.core.find(kHome)->sequence == SequenceNumber{number(sequence)});
  }
}

TEST_CASE("numbers 1 to 32767 ahead are accepted, all others are told the last accepted one: 135", "[agent]") {
  constexpr std::uint16_t kLast = 65000;
  for (const int ahead : {1, 2, 536, 32766, 32767}) {
    Harness agent;
    agent.run(registration(kLast, kCareOf1));
    CHECK(answered(agent.run(registration(number(kLast + ahead), kCareOf2))) == Status::kAccepted);
  }
  for (const int ahead : {0, 32768, 32769, 65535}) {
    Harness agent;
    agent.run(registration(kLast, kCareOf1));
    const auto actions = agent.run(registration(number(kLast + ahead), kCareOf2));
    CHECK(answered(actions) == Status::kSequenceNumberOutOfWindow);
    CHECK(find_action<SendAcknowledgement>(actions)->acknowledgement.sequence == SequenceNumber{kLast});
    CHECK(agent.core.find(kHome)->sequence == SequenceNumber{kLast});
  }
}

TEST_CASE("the number is judged before the subnet and the service", "[agent]") {
  auto policy = without_dad();
  policy.home_prefixes = {{.prefix = *Ipv6Prefix::parse("2001:db8:2::/64")}};
  Harness agent{policy};
  agent.nodes = ServedNodes{};
  agent.core.restore({BindingRecord{.home_address = kHome, .sequence = SequenceNumber{10}}}, kUnixNow, agent.now);
  CHECK(answered(agent.run(registration(10, kCareOf1))) == Status::kSequenceNumberOutOfWindow);
  CHECK(answered(agent.run(registration(11, kCareOf1))) == Status::kNotHomeSubnet);
}

TEST_CASE("the subnet is judged before the service", "[agent]") {
  Harness agent;
  agent.nodes = ServedNodes{};
  CHECK(answered(agent.run(registration(1, kCareOf1))) == Status::kNotHomeAgentForThisNode);
  CHECK(answered(agent.run(from(address("2001:db8:2::1"), registration(1, kCareOf1)))) == Status::kNotHomeSubnet);
}

TEST_CASE("the last number is kept beyond the end of a binding", "[agent]") {
  Harness expired;
  expired.run(registration(7, kCareOf1));
  expired.run_deadline();
  CHECK(answered(expired.run(registration(7, kCareOf1))) == Status::kSequenceNumberOutOfWindow);
  Harness ended;
  ended.run(registration(7, kCareOf1));
  ended.run(deregistration_at_home(8));
  CHECK(answered(ended.run(registration(8, kCareOf1))) == Status::kSequenceNumberOutOfWindow);
  CHECK(answered(ended.run(registration(9, kCareOf1))) == Status::kAccepted);
}

TEST_CASE("new keys do not reset the number", "[agent]") {
  Harness agent;
  agent.run(registration(7, kCareOf1));
  agent.run(KeysRenewed{kHome, kCareOf2});
  CHECK(answered(agent.run(registration(3, kCareOf2))) == Status::kSequenceNumberOutOfWindow);
}

TEST_CASE("a refusal leaves the binding as it is, and reaches the address that the update came from", "[agent]") {
  Harness agent;
  agent.run(registration(7, kCareOf1));
  const auto before = *agent.core.find(kHome);
  const auto deadline = agent.core.next_deadline();
  const auto actions = agent.run(registration(7, kCareOf2));
  REQUIRE(actions.size() == 2);
  const auto* sent = find_action<SendAcknowledgement>(actions);
  CHECK(sent->home_address == kHome);
  CHECK(sent->care_of == kCareOf2);
  CHECK(sent->acknowledgement.lifetime == Lifetime{0});
  CHECK_FALSE(sent->acknowledgement.key_mobility);
  CHECK(find_action<Report>(actions)->status == Status::kSequenceNumberOutOfWindow);
  CHECK(*agent.core.find(kHome) == before);
  CHECK(agent.core.next_deadline() == deadline);
}

TEST_CASE("a refusal at home goes straight to the home address", "[agent]") {
  Harness agent;
  const auto actions = agent.run(deregistration_at_home(1));
  CHECK(answered(actions) == Status::kNotHomeAgentForThisNode);
  CHECK_FALSE(find_action<SendAcknowledgement>(actions)->care_of);
}

TEST_CASE("updates are counted by what became of them", "[agent]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  agent.run(registration(1, kCareOf1));
  agent.run(registration(2, address("fe80::1")));
  const auto& counters = agent.core.counters();
  CHECK(counters.updates == 3);
  CHECK(counters.accepted == 1);
  CHECK(counters.dropped == 1);
  CHECK(counters.dropped_because ==
        std::map<std::string_view, std::uint64_t>{{"the care-of address is not unicast routable", 1}});
  CHECK(counters.refused == std::map<Status, std::uint64_t>{{Status::kSequenceNumberOutOfWindow, 1}});
}

TEST_CASE("a message of an unknown type is answered by a Binding Error to its source", "[agent]") {
  Harness agent;
  const auto actions = agent.run(MessageUnrecognized{77, kCareOf1, kHome});
  REQUIRE(find_action<SendBindingError>(actions) != nullptr);
  CHECK(find_action<SendBindingError>(actions)->destination == kCareOf1);
  CHECK(find_action<SendBindingError>(actions)->error == BindingError{2, kHome, {}});
  const auto without_option = agent.run(MessageUnrecognized{77, kCareOf1, {}});
  CHECK(find_action<SendBindingError>(without_option)->error.home_address.is_unspecified());
}

TEST_CASE("no Binding Error answers a type that the RFC knows, or a source that is not unicast", "[agent]") {
  Harness agent;
  CHECK(agent.run(MessageUnrecognized{1, kCareOf1, {}}).empty());
  CHECK(agent.run(MessageUnrecognized{77, address("ff02::1"), {}}).empty());
  CHECK(agent.run(MessageUnrecognized{77, address("::"), {}}).empty());
}

TEST_CASE("Binding Errors are rate limited", "[agent]") {
  Harness agent;
  std::size_t sent = 0;
  for (int i = 0; i < 1000; ++i) sent += agent.run(MessageUnrecognized{77, kCareOf1, {}}).size();
  CHECK(sent == kBindingErrorBurst);
  agent.now += kBindingErrorInterval;
  CHECK(agent.run(MessageUnrecognized{77, kCareOf1, {}}).size() == 1);
  CHECK(agent.run(MessageUnrecognized{77, kCareOf1, {}}).empty());
  agent.now += 1h;
  sent = 0;
  for (int i = 0; i < 1000; ++i) sent += agent.run(MessageUnrecognized{77, kCareOf1, {}}).size();
  CHECK(sent == kBindingErrorBurst);
}
