// A home agent that was away on a link with other home agents: what another one has taken over stays the other's.
#include "tests/catch.hpp"
#include "tests/unit/libmip6/home_agent_harness.hpp"

using namespace mip6;
using namespace mip6::test;

namespace {

const BindingRecord kLiving{.home_address = kHome,
                            .care_of = kCareOf1,
                            .sequence = SequenceNumber{7},
                            .granted = 420s,
                            .expires_unix = kUnixNow + 100};

// Restored, and not known whether somebody else serves it by now.
struct Returned : Harness {
  Returned() : Harness{default_policy()} { first = core.restore({kLiving}, kUnixNow, now, {kHome}); }
  std::vector<Action> first;
};

}  // namespace

TEST_CASE("a binding that another home agent may have is withheld until the home link was asked", "[agent]") {
  Returned agent;
  CHECK(count_of<InstallBinding>(agent.first) == 0);
  REQUIRE(count_of<StartDad>(agent.first) == 1);
  CHECK(find_action<StartDad>(agent.first)->thorough);
  CHECK(agent.core.withholds(kHome));
  CHECK_FALSE(agent.core.find(kHome)->care_of);
  SECTION("nobody claims it: it is served for what is left of its lifetime") {
    agent.now += 3s;
    const auto actions = agent.run(DadFinished{kHome, false});
    REQUIRE(count_of<InstallBinding>(actions) == 1);
    CHECK(find_action<InstallBinding>(actions)->first);
    CHECK(find_action<StoreRecord>(actions)->record.care_of == kCareOf1);
    CHECK(agent.core.find(kHome)->care_of == kCareOf1);
    CHECK(agent.core.next_deadline() == BootTime{100s});
  }
  SECTION("it is claimed: the binding ends, its number is kept") {
    const auto actions = agent.run(DadFinished{kHome, true});
    CHECK(count_of<InstallBinding>(actions) == 0);
    REQUIRE(count_of<StoreRecord>(actions) == 1);
    CHECK(find_action<StoreRecord>(actions)->record ==
          BindingRecord{.home_address = kHome, .sequence = SequenceNumber{7}});
    CHECK(answered(agent.run(registration(7, kCareOf2))) == Status::kSequenceNumberOutOfWindow);
  }
  SECTION("it has expired meanwhile") {
    agent.now += 100s;
    CHECK(count_of<InstallBinding>(agent.run(DadFinished{kHome, false})) == 0);
    CHECK_FALSE(agent.core.find(kHome)->care_of);
  }
  CHECK_FALSE(agent.core.withholds(kHome));
}

TEST_CASE("an update that comes while the home link is asked is judged as a first registration", "[agent]") {
  Returned agent;
  const auto probing = agent.run(registration(8, kCareOf2));
  CHECK(count_of<StartDad>(probing) == 1);
  const bool claimed = GENERATE(false, true);
  const auto actions = agent.run(DadFinished{kHome, claimed});
  CHECK(answered(actions) == (claimed ? Status::kDuplicateAddressDetectionFailed : Status::kAccepted));
  CHECK(agent.core.find(kHome)->care_of.has_value() != claimed);
  CHECK_FALSE(agent.core.withholds(kHome));
  // What the disk had does not come back with the next start.
  CHECK(find_action<StoreRecord>(actions)->record.care_of.has_value() != claimed);
}

TEST_CASE("a de-registration ends a binding that is withheld", "[agent]") {
  Returned agent;
  CHECK(answered(agent.run(deregistration_away(8, kCareOf1))) == Status::kAccepted);
  CHECK_FALSE(agent.core.withholds(kHome));
  CHECK(count_of<InstallBinding>(agent.run(DadFinished{kHome, false})) == 0);
}

TEST_CASE("when the disk refuses an update the home link is asked again for what is withheld", "[agent]") {
  Returned agent;
  agent.run(registration(8, kCareOf2));
  const auto actions = agent.run(DadFinished{kHome, false}, false);
  CHECK(answered(actions) == Status::kInsufficientResources);
  CHECK(count_of<StartDad>(actions) == 1);
  CHECK(count_of<InstallBinding>(agent.run(DadFinished{kHome, false})) == 1);
}

TEST_CASE("after the home link was away nothing is intercepted before it was asked", "[agent]") {
  Harness agent{default_policy()};
  agent.run(registration(1, kCareOf1));
  agent.run(DadFinished{kHome, false});
  REQUIRE(agent.core.find(kHome)->care_of == kCareOf1);
  const auto actions = agent.run(HomeLinkReturned{});
  CHECK(position_of<RemoveBinding>(actions) < position_of<StartDad>(actions));
  CHECK(count_of<StartDad>(actions) == 1);
  CHECK(count_of<StoreRecord>(actions) == 0);  // the disk keeps it meanwhile
  CHECK(count_of<InstallBinding>(agent.run(DadFinished{kHome, false})) == 1);
}

TEST_CASE("a node that is banned while its binding is withheld is served no more", "[agent]") {
  Returned agent;
  const auto actions = agent.run(ServiceEnded{kHome});
  CHECK_FALSE(find_action<StoreRecord>(actions)->record.care_of);
  CHECK(count_of<InstallBinding>(agent.run(DadFinished{kHome, false})) == 0);
}

TEST_CASE("only so many home addresses are asked for at a time", "[agent]") {
  std::vector<BindingRecord> records;
  std::set<Ipv6Address> doubtful;
  ServedNodes nodes;
  for (std::size_t i = 0; i < kMaxClaimsAsked + 2; ++i) {
    auto record = kLiving;
    record.home_address.bytes[14] = static_cast<std::uint8_t>(i / 256);
    record.home_address.bytes[13] = static_cast<std::uint8_t>(i % 256);
    nodes.serve({.home_address = record.home_address, .dynamic_keys = true});
    doubtful.insert(record.home_address);
    records.push_back(record);
  }
  HomeAgent core{default_policy(), nodes};
  const auto first = core.restore(records, kUnixNow, BootTime{}, doubtful);
  CHECK(count_of<StartDad>(first) == kMaxClaimsAsked);
  const auto asked = find_action<StartDad>(first)->home_address;
  CHECK(count_of<StartDad>(core.handle(DadFinished{asked, false}, BootTime{3s})) == 1);
}
