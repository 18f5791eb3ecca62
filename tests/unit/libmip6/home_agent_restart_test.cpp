// What a home agent takes up at its start and leaves at its end.
#include "tests/catch.hpp"
#include "tests/unit/libmip6/home_agent_harness.hpp"

using namespace mip6;
using namespace mip6::test;

TEST_CASE("after a restart bindings that live are installed for what is left of them", "[agent]") {
  BindingRecord living{.home_address = kHome,
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
  living.expires_boot = BootTime{105s};
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
  const auto actions = agent.core.restore({expired, foreign}, kUnixNow, agent.now);
  REQUIRE(actions.size() == 1);
  CHECK(std::get<Report>(actions.front()).what == "binding expired meanwhile");
  CHECK_FALSE(agent.core.next_deadline());
  CHECK(agent.core.records() ==
        std::vector<BindingRecord>{{.home_address = kHome, .sequence = SequenceNumber{7}},
                                   {.home_address = foreign.home_address, .sequence = SequenceNumber{8}}});
}

constexpr std::int64_t kYear = 365 * 86400;

TEST_CASE("a wall clock that was set while the home agent was down does not count if the boot is the same", "[agent]") {
  const auto set_by = GENERATE(-kYear, kYear);
  const BindingRecord living{.home_address = kHome,
                             .care_of = kCareOf1,
                             .sequence = SequenceNumber{7},
                             .granted = 420s,
                             .expires_unix = kUnixNow + 420,
                             .expires_boot = BootTime{500s}};
  Harness agent;
  agent.now = BootTime{400s};
  CHECK(count_of<InstallBinding>(agent.core.restore({living}, kUnixNow + 320 + set_by, agent.now)) == 1);
  CHECK(agent.core.next_deadline() == BootTime{500s});
  CHECK(*agent.core.find(kHome) == living);  // as it is on the disk
}

TEST_CASE("after a boot a wall clock that was set back does not lengthen a binding, however often we start",
          "[agent]") {
  const BindingRecord living{.home_address = kHome,
                             .care_of = kCareOf1,
                             .sequence = SequenceNumber{7},
                             .granted = 420s,
                             .expires_unix = kUnixNow + 100};
  Harness agent;
  agent.core.restore({living}, kUnixNow - kYear, agent.now);
  CHECK(agent.core.next_deadline() == agent.now + 420s);
  // Told on the clocks of now, to be stored: the next start goes on from there.
  const auto record = *agent.core.find(kHome);
  CHECK(record.expires_boot == agent.now + 420s);
  CHECK(record.expires_unix == kUnixNow - kYear + 420);
  Harness again;
  again.now = agent.now + 300s;
  again.core.restore({record}, kUnixNow - kYear + 300, again.now);
  CHECK(again.core.next_deadline() == agent.now + 420s);
}

TEST_CASE("after a boot a wall clock that was set forward ends a binding aloud, and its number stays", "[agent]") {
  Harness agent;
  const auto actions = agent.core.restore({BindingRecord{.home_address = kHome,
                                                         .care_of = kCareOf1,
                                                         .sequence = SequenceNumber{7},
                                                         .granted = 420s,
                                                         .expires_unix = kUnixNow + 420}},
                                          kUnixNow + kYear, agent.now);
  REQUIRE(count_of<Report>(actions) == 1);
  CHECK(count_of<InstallBinding>(actions) == 0);
  CHECK(*agent.core.find(kHome) == BindingRecord{.home_address = kHome, .sequence = SequenceNumber{7}});
  CHECK(answered(agent.run(registration(7, kCareOf2))) == Status::kSequenceNumberOutOfWindow);
  CHECK(answered(agent.run(registration(8, kCareOf2))) == Status::kAccepted);
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
