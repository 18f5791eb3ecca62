// CLOCK_BOOTTIME as the cores' clock, and a timer on it that goes on while the machine sleeps.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "libmip6/time.hpp"

namespace mnd::kernel {

mip6::BootTime boot_now();
// Which boot that clock counts from, in the kernel's words; empty if it does not tell.
std::string boot_id();

class BootTimer {
 public:
  // `expired` is called from the loop. Throws std::system_error if the kernel has no timer for us (start-up only).
  BootTimer(boost::asio::io_context& loop, std::function<void()> expired);
  ~BootTimer();  // also from within `expired`; it is not called afterwards
  BootTimer(const BootTimer&) = delete;
  BootTimer& operator=(const BootTimer&) = delete;
  // Arms for `deadline` (past: fires at once), replaces a former one; empty: disarms. Same deadline twice costs
  // nothing.
  void arm(std::optional<mip6::BootTime> deadline);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with the wait that is pending in the loop
};

}  // namespace mnd::kernel
