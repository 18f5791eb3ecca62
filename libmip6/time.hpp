// Time as the cores see it: passed in, never asked for, and going on while the machine sleeps.
#pragma once

#include <chrono>

namespace mip6 {

using Duration = std::chrono::nanoseconds;

// The clock whose points are BootTime: nanoseconds since boot, sleep included (CLOCK_BOOTTIME).
// It has no now(): the caller reads the clock once per event and passes the time in.
struct BootClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;
};
using BootTime = BootClock::time_point;

}  // namespace mip6
