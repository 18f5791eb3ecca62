// How sleep is measured. That the kernel cancels the timer takes a clock that is set, or a machine that sleeps: see the
// lab.
#include "mnd/linux/resume.hpp"

#include "tests/catch.hpp"

using namespace std::chrono_literals;
using mnd::kernel::ResumeWatch;
using mnd::kernel::SleepMeter;

TEST_CASE("a machine has slept if CLOCK_BOOTTIME has gained on CLOCK_MONOTONIC, and that is told once") {
  SleepMeter meter{100s, 90s};
  CHECK(meter.slept(200s, 190s) == 0s);
  CHECK(meter.slept(510s, 200s) == 300s);
  CHECK(meter.slept(520s, 210s) == 0s);
  CHECK(meter.slept(522s, 211s) == 1s);
}

TEST_CASE("what may be the time between two readings is no sleep, and adds up if it was one") {
  SleepMeter meter{100s, 100s};
  CHECK(meter.slept(110s + 600ms, 110s) == 0s);
  CHECK(meter.slept(120s, 120s + 1ms) == 0s);
  CHECK(meter.slept(131s + 200ms, 130s) == 1200ms);
}

TEST_CASE("a watch that is gone leaves nothing in the loop, and nobody has slept meanwhile") {
  boost::asio::io_context loop;
  {
    ResumeWatch watch{loop, [](mip6::Duration) { FAIL("nobody slept"); }};
    watch.look();
    loop.poll();
  }
  loop.run();
  SUCCEED("the loop ended");
}
