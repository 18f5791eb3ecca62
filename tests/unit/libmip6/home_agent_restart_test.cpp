// What a home agent takes up at its start and leaves at its end.
#include "tests/catch.hpp"
#include "tests/unit/libmip6/home_agent_harness.hpp"

using namespace mip6;
using namespace mip6::test;

TEST_CASE("after a restart bindings that live are installed for what is left of them", "[agent]") {
  const BindingRecord living{.home_address = kHome,
                             .care_of = kCareOf1,
                             .sequence = SequenceNumber{7},
                             .key_mobility = true,
                             .granted = 420s,
                             .expires_unix = kUnixNow + 100};
  Harness agent{default_policy()};
  agent.now = BootTime{5s};
  const auto actions = agent.core.restore({living}, kUnixNow, agent.now);
  REQUIRE(count_of<InstallBinding>(actions) == 1);
  CHECK(find_action<InstallBinding>(actions)->care_of == kCareOf1);
  CHECK(find_action<InstallBinding>(actions)->first);
  CHECK(agent.core.next_deadline() == BootTime{105s});
  CHECK(agent.core.records() == std::vector<BindingRecord>{living});
  CHECK(answered(agent.run(registration(7, kCareOf2))) == Status::kSequenceNumberOutOfWindow);
  CHECK(answered(agent.run(registration(8, kCareOf2))) == Status::kAccepted);
}

TEST_CASE("after a restart an expired binding and one of a node no longer served leave their numbers", "[agent]") {
  BindingRecord expired{.home_address = kHome,
                        .care_of = kCareOf1,
                        .sequence = SequenceNumber{7},
                        .granted = 420s,
                        .expires_unix = kUnixNow};
  BindingRecord foreign{.home_address = address("2001:db8:1::99"),
                        .care_of = kCareOf1,
                        .sequence = SequenceNumber{8},
                        .granted = 420s,
                        .expires_unix = kUnixNow + 400};
  Harness agent;
  CHECK(agent.core.restore({expired, foreign}, kUnixNow, agent.now).empty());
  CHECK_FALSE(agent.core.next_deadline());
  CHECK(agent.core.records() ==
        std::vector<BindingRecord>{{.home_address = kHome, .sequence = SequenceNumber{7}},
                                   {.home_address = foreign.home_address, .sequence = SequenceNumber{8}}});
}

TEST_CASE("a wall clock that was set back does not lengthen a binding", "[agent]") {
  Harness agent;
  agent.core.restore(
      {BindingRecord{.home_address = kHome, .care_of = kCareOf1, .granted = 420s, .expires_unix = kUnixNow + 420}},
      kUnixNow - 365 * 86400, agent.now);
  CHECK(agent.core.next_deadline() == agent.now + 420s);
}

TEST_CASE("a stop takes bindings out of the kernel and leaves the disk alone", "[agent]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  agent.run(from(kOtherHome, registration(1, kCareOf2)));
  agent.run(from(kManualHome, registration(1, kCareOf2)));
  agent.run(from(kManualHome, deregistration_away(2, kCareOf2)));
  const auto actions = agent.run(StopAsked{});
  CHECK(actions.size() == 2);
  CHECK(count_of<RemoveBinding>(actions) == 2);
  CHECK_FALSE(agent.core.next_deadline());
  CHECK(agent.core.find(kHome)->care_of == kCareOf1);
}

TEST_CASE("after a stop nothing is answered any more", "[agent]") {
  Harness agent;
  agent.handle(registration(1, kCareOf1));
  agent.handle(StopAsked{});
  CHECK(agent.handle(RecordStored{kHome, true}).empty());
  CHECK(agent.handle(registration(2, kCareOf1)).empty());
  CHECK(agent.handle(StopAsked{}).empty());
}
