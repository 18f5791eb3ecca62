// CLOCK_BOOTTIME as the cores' clock, and a timer on it that goes on while the machine sleeps.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>

#include "libmip6/time.hpp"

namespace mnd::kernel {

mip6::BootTime boot_now();

class BootTimer {
 public:
  BootTimer(boost::asio::io_context& loop, std::function<void()> expired);
  ~BootTimer();
  // Arms for `deadline` (past: fires at once), replaces a former one; empty: disarms. Same deadline twice costs
  // nothing.
  void arm(std::optional<mip6::BootTime> deadline);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mnd::kernel
