// See service_manager.hpp.
#include "mnd/linux/service_manager.hpp"

#include <systemd/sd-daemon.h>

#include <chrono>
#include <cstdint>

namespace mnd::kernel {

namespace {

constexpr int kKeepEnvironment = 0;

}  // namespace

void tell_ready() { static_cast<void>(::sd_notify(kKeepEnvironment, "READY=1")); }

Watchdog::Watchdog(boost::asio::io_context& loop) {
  std::uint64_t microseconds = 0;
  if (::sd_watchdog_enabled(kKeepEnvironment, &microseconds) <= 0) return;
  pause_ = std::chrono::microseconds{microseconds} / 2;
  timer_ = std::make_unique<BootTimer>(loop, [this] { feed(); });
  feed();
}

void Watchdog::feed() {
  static_cast<void>(::sd_notify(kKeepEnvironment, "WATCHDOG=1"));
  timer_->arm(boot_now() + pause_);
}

}  // namespace mnd::kernel
