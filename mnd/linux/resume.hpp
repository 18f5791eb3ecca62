// That the machine was asleep: noticed at once when it wakes up, without asking again and again.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>

#include "libmip6/time.hpp"

namespace mnd::kernel {

// How long the machine slept between two looks: CLOCK_BOOTTIME goes on in sleep, CLOCK_MONOTONIC stands still.
class SleepMeter {
 public:
  SleepMeter(mip6::Duration boot, mip6::Duration monotonic) : ahead_{boot - monotonic} {}
  // Zero if it was less than a second: the clocks are not read at the same time. What is not told is kept for later.
  mip6::Duration slept(mip6::Duration boot, mip6::Duration monotonic);

 private:
  mip6::Duration ahead_;
};

class ResumeWatch {
 public:
  // `resumed` is called from the loop, never within look(), with the time that the machine slept. Throws
  // std::system_error if the kernel has no timer for us (start-up only).
  ResumeWatch(boost::asio::io_context& loop, std::function<void(mip6::Duration)> resumed);
  ~ResumeWatch();  // also from within `resumed`; it is not called afterwards
  ResumeWatch(const ResumeWatch&) = delete;
  ResumeWatch& operator=(const ResumeWatch&) = delete;
  // For whoever was woken up by something else, which may come before the timer.
  void look();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with what is pending in the loop
};

}  // namespace mnd::kernel
