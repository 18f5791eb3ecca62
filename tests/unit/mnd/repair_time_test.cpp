// When what others took away is set up again.
#include "mnd/repair_time.hpp"

#include "tests/catch.hpp"

using namespace std::chrono_literals;
using mnd::RepairTime;

namespace {

constexpr mip6::BootTime kStart{};

}  // namespace

TEST_CASE("what is missing is set up again soon after the first notification of it") {
  RepairTime time;
  CHECK_FALSE(time.at());
  time.incomplete(kStart);
  time.incomplete(kStart + 90ms);
  CHECK(time.at() == kStart + RepairTime::kAfter);
  time.complete();
  CHECK_FALSE(time.at());
}

TEST_CASE("a repair that fails is tried ever more seldom, in a network that changes all the time, too") {
  RepairTime time;
  auto now = kStart;
  time.incomplete(now);
  const bool busy = GENERATE(false, true);
  int failures = 0;
  for (; now < kStart + 60s; now += 10ms) {
    if (busy) time.incomplete(now);
    if (now < *time.at()) continue;
    time.failed(now);
    ++failures;
  }
  CHECK(failures == (busy ? 60 : 6));  // one a second; or after 0.1, 1.1, 3.1, 7.1, 15.1 and 31.1 s
}

TEST_CASE("a change of the network brings a repair that has failed for long forward") {
  RepairTime time;
  auto now = kStart;
  for (int i = 0; i < 10; ++i) time.failed(now = time.at().value_or(kStart));
  CHECK(time.at() == now + RepairTime::kMaxBackoff);
  time.incomplete(now + 5s);
  CHECK(time.at() == now + 5s + RepairTime::kAfter);
}

TEST_CASE("after a repair that was done the next failure begins with the shortest wait") {
  RepairTime time;
  for (int i = 0; i < 5; ++i) time.failed(kStart);
  time.complete();
  time.incomplete(kStart + 1ms);
  CHECK(time.at() == kStart + 1ms + RepairTime::kAfter);
  time.failed(kStart + 1s);
  CHECK(time.at() == kStart + 1s + RepairTime::kFirstBackoff);
}
