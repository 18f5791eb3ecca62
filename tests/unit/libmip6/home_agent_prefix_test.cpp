// What the home link's prefixes mean for a binding (RFC 6275 sections 10.3.1 and 10.6.4), and the end of a service.
#include "libmip6/agent/home_prefix.hpp"

#include "tests/catch.hpp"
#include "tests/unit/libmip6/home_agent_harness.hpp"

using namespace mip6;
using namespace mip6::test;

namespace {

const Ipv6Prefix kPrefix = *Ipv6Prefix::parse("2001:db8:1::/64");

Policy with_prefix(Duration valid, Duration preferred) {
  auto policy = without_dad();
  policy.home_prefixes = {{.prefix = kPrefix, .valid_until = BootTime{valid}, .preferred_until = BootTime{preferred}}};
  return policy;
}

const BindingAcknowledgement& acknowledged(const std::vector<Action>& actions) {
  const auto* sent = find_action<SendAcknowledgement>(actions);
  REQUIRE(sent != nullptr);
  return sent->acknowledgement;
}

}  // namespace

TEST_CASE("no lifetime is granted beyond the validity of the prefix", "[agent]") {
  Harness agent{with_prefix(203s, 1000s)};
  const auto actions = agent.run(registration(1, kCareOf1, 420s));
  CHECK(acknowledged(actions).lifetime == Lifetime{200s});
  CHECK(agent.core.find(kHome)->granted == Lifetime{200s});
  CHECK(agent.core.find(kHome)->expires_unix == kUnixNow + 200);
}

TEST_CASE("the preferred lifetime of the prefix does not shorten a binding", "[agent]") {
  Harness agent{with_prefix(1000s, 40s)};
  CHECK(acknowledged(agent.run(registration(1, kCareOf1, 420s))).lifetime == Lifetime{420s});
}

TEST_CASE("status 1 tells a prefix that is deprecated before the binding ends or invalid when it does", "[agent]") {
  struct Case {
    Duration valid, preferred;
    Status status;
  };
  constexpr auto kKeeps = Status::kAccepted;
  constexpr auto kSolicit = Status::kAcceptedPrefixDiscoveryNecessary;
  // Lifetimes are compared in units of four seconds.
  for (const auto& [valid, preferred, status] :
       {Case{1000s, 1000s, kKeeps}, Case{1000s, 420s, kKeeps}, Case{1000s, 419s, kSolicit}, Case{1000s, 0s, kSolicit},
        Case{424s, 424s, kKeeps}, Case{423s, 423s, kSolicit}, Case{100s, 100s, kSolicit}, Case{1000s, 423s, kKeeps}}) {
    Harness agent{with_prefix(valid, preferred)};
    CAPTURE(valid.count(), preferred.count());
    CHECK(answered(agent.run(registration(1, kCareOf1, 420s))) == status);
  }
}

TEST_CASE("a de-registration is answered by 0, however short the prefix lives", "[agent]") {
  Harness agent{with_prefix(100s, 0s)};
  agent.run(registration(1, kCareOf1));
  CHECK(answered(agent.run(deregistration_at_home(2))) == Status::kAccepted);
}

TEST_CASE("a home address of a prefix that is no longer valid is refused: 132", "[agent]") {
  Harness agent{with_prefix(100s, 100s)};
  agent.now = BootTime{97s};
  // Less than the shortest lifetime is left.
  CHECK(answered(agent.run(registration(1, kCareOf1))) == Status::kNotHomeSubnet);
  agent.now = BootTime{100s};
  CHECK(answered(agent.run(registration(2, kCareOf1))) == Status::kNotHomeSubnet);
}

TEST_CASE("who has no home prefix is no home agent: 131", "[agent]") {
  auto policy = without_dad();
  policy.home_prefixes.clear();
  Harness agent{policy};
  CHECK(answered(agent.run(registration(1, kCareOf1))) == Status::kHomeRegistrationNotSupported);
}

TEST_CASE("a binding ends when its prefix does, also if the prefix was shortened after it was granted", "[agent]") {
  Harness agent;
  agent.run(registration(1, kCareOf1, 420s));
  agent.run(HomePrefixesChanged{{{.prefix = kPrefix, .valid_until = BootTime{100s}}}});
  REQUIRE(agent.core.next_deadline() == BootTime{100s});
  const auto actions = agent.run_deadline();
  CHECK(count_of<RemoveBinding>(actions) == 1);
  REQUIRE(count_of<StoreRecord>(actions) == 1);
  CHECK_FALSE(find_action<StoreRecord>(actions)->record.care_of);
  CHECK_FALSE(agent.core.find(kHome)->care_of);
}

TEST_CASE("a binding without valid prefix ends at once", "[agent]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  agent.run(registration(2, kCareOf2));
  const auto actions = agent.run(HomePrefixesChanged{{{.prefix = *Ipv6Prefix::parse("2001:db8:2::/64")}}});
  CHECK(count_of<RemoveBinding>(actions) == 1);
  CHECK_FALSE(agent.core.next_deadline());
  CHECK(answered(agent.run(registration(3, kCareOf1))) == Status::kNotHomeSubnet);
}

TEST_CASE("a prefix that is prolonged again gives a binding back what was granted", "[agent]") {
  Harness agent;
  agent.run(registration(1, kCareOf1, 420s));
  agent.run(HomePrefixesChanged{{{.prefix = kPrefix, .valid_until = BootTime{100s}}}});
  agent.run(HomePrefixesChanged{{{.prefix = kPrefix, .valid_until = BootTime{1000s}}}});
  CHECK(agent.core.next_deadline() == BootTime{420s});
}

TEST_CASE("a prefix that ends during the probe leaves nothing to be granted: 132", "[agent]") {
  auto policy = with_prefix(100s, 100s);
  policy.duplicate_address_detection = true;
  Harness agent{policy};
  agent.now = BootTime{95s};
  agent.run(registration(1, kCareOf1));
  agent.now = BootTime{98s};
  const auto actions = agent.run(DadFinished{kHome, false});
  CHECK(answered(actions) == Status::kNotHomeSubnet);
  CHECK(count_of<StoreRecord>(actions) == 0);
  agent.now = BootTime{99s};
  CHECK(answered(agent.run(registration(2, kCareOf1))) == Status::kNotHomeSubnet);
}

TEST_CASE("after a restart no binding outlives its prefix", "[agent]") {
  Harness agent{with_prefix(100s, 100s)};
  agent.core.restore(
      {BindingRecord{.home_address = kHome, .care_of = kCareOf1, .granted = 420s, .expires_unix = kUnixNow + 420}},
      kUnixNow, agent.now);
  CHECK(agent.core.next_deadline() == BootTime{100s});
}

TEST_CASE("no acknowledgement advises a refresh: the binding is durable", "[agent]") {
  Harness agent;
  CHECK(acknowledged(agent.run(registration(1, kCareOf1))).options.empty());
  CHECK(acknowledged(agent.run(registration(2, kCareOf2))).options.empty());
  CHECK(acknowledged(agent.run(deregistration_at_home(3))).options.empty());
}

TEST_CASE("a node that is banned is refused by name: 129", "[agent]") {
  Harness agent;
  agent.nodes.prohibit(kHome);
  CHECK(answered(agent.run(registration(1, kCareOf1))) == Status::kAdministrativelyProhibited);
  agent.nodes.serve({kHome, true});
  CHECK(answered(agent.run(registration(2, kCareOf1))) == Status::kAccepted);
}

TEST_CASE("the end of a service ends the binding at once and keeps the number", "[agent]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  agent.run(registration(2, kCareOf2));
  agent.nodes.forget(kHome);
  const auto actions = agent.run(ServiceEnded{kHome});
  CHECK(count_of<RemoveBinding>(actions) == 1);
  CHECK(find_action<StoreRecord>(actions)->record ==
        BindingRecord{.home_address = kHome, .sequence = SequenceNumber{2}});
  CHECK_FALSE(agent.core.next_deadline());
  agent.nodes.serve({kHome, true});
  CHECK(answered(agent.run(registration(2, kCareOf1))) == Status::kSequenceNumberOutOfWindow);
  CHECK(answered(agent.run(registration(3, kCareOf1))) == Status::kAccepted);
}

TEST_CASE("the end of a service ends an update that is being stored", "[agent]") {
  Harness agent;
  agent.handle(registration(1, kCareOf1));
  const auto ended = agent.handle(ServiceEnded{kHome});
  // The kernel may have it by now.
  REQUIRE(count_of<RemoveBinding>(ended) == 1);
  CHECK(position_of<RemoveBinding>(ended) < position_of<StoreRecord>(ended));
  // The disk is asked to forget the binding that it was just asked to hold.
  REQUIRE(count_of<StoreRecord>(ended) == 1);
  CHECK(find_action<StoreRecord>(ended)->record == BindingRecord{.home_address = kHome, .sequence = SequenceNumber{1}});
  CHECK(agent.handle(RecordStored{kHome, true}).empty());
  CHECK(agent.handle(RecordStored{kHome, true}).empty());
  CHECK(answered(agent.run(registration(1, kCareOf1))) == Status::kSequenceNumberOutOfWindow);
}

TEST_CASE("the end of a service while a de-registration is being stored removes what there was, once", "[agent]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  agent.handle(deregistration_at_home(2));
  CHECK(count_of<RemoveBinding>(agent.handle(ServiceEnded{kHome})) == 1);
  Harness other;
  other.handle(deregistration_at_home(2));
  CHECK(count_of<RemoveBinding>(other.handle(ServiceEnded{kHome})) == 0);
}

TEST_CASE("a node that comes back after its service ended is served as before, with keys anew", "[agent]") {
  Harness agent;
  agent.run(KeysMoved{kHome, false});
  agent.run(registration(1, kCareOf1));
  agent.run(KeysMoved{kHome, false});  // K was not possible under the keys that went
  agent.nodes.forget(kHome);
  agent.run(ServiceEnded{kHome});
  agent.nodes.serve({kHome, true});
  const auto actions = agent.run(registration(2, kCareOf2));
  CHECK(find_action<SendAcknowledgement>(actions)->acknowledgement.key_mobility);
  CHECK(find_action<InstallBinding>(actions)->first);
}

TEST_CASE("with new keys by hand the last number is forgotten, but not under a binding", "[agent]") {
  Harness agent;
  agent.run(registration(7, kCareOf1));
  agent.run(NumberForgotten{kHome});
  CHECK(answered(agent.run(registration(7, kCareOf1))) == Status::kSequenceNumberOutOfWindow);
  agent.run(ServiceEnded{kHome});
  agent.run(NumberForgotten{kHome});
  CHECK(agent.core.find(kHome) == nullptr);
  CHECK(answered(agent.run(registration(7, kCareOf1))) == Status::kAccepted);
  CHECK(agent.run(NumberForgotten{kOtherHome}).empty());
}

TEST_CASE("the end of a service that was never used does nothing", "[agent]") {
  Harness agent;
  CHECK(agent.run(ServiceEnded{kHome}).empty());
  agent.run(registration(1, kCareOf1));
  agent.run(deregistration_at_home(2));
  agent.now += kPreviousCareOfGrace;
  agent.run(DeadlineReached{});
  CHECK(agent.run(ServiceEnded{kHome}).empty());
}

TEST_CASE("a refusal to a node on the home link goes to its link-layer address, an acceptance does not", "[agent]") {
  Harness agent;
  const auto refused = agent.run(deregistration_at_home(1));
  CHECK(find_action<SendAcknowledgement>(refused)->to_link_layer);
  const auto away = agent.run(deregistration_away(1, kCareOf1));
  CHECK_FALSE(find_action<SendAcknowledgement>(away)->to_link_layer);
  agent.run(registration(2, kCareOf1));
  CHECK_FALSE(find_action<SendAcknowledgement>(agent.run(deregistration_at_home(3)))->to_link_layer);
}

TEST_CASE("nodes do not disturb each other", "[agent]") {
  Harness agent;
  agent.run(registration(1, kCareOf1, 60s));
  agent.now += 10s;
  agent.run(from(kOtherHome, registration(1000, kCareOf2, 60s)));
  const auto actions = agent.run_deadline();
  REQUIRE(count_of<RemoveBinding>(actions) == 1);
  CHECK(find_action<RemoveBinding>(actions)->home_address == kHome);
  CHECK(agent.core.find(kOtherHome)->care_of == kCareOf2);
  CHECK(agent.core.next_deadline() == BootTime{70s});
}
