// Words to the service manager that has started us: sd_notify(3). Nothing is said where nobody asked for it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>

#include "libmip6/time.hpp"
#include "mnd/linux/boot_timer.hpp"

namespace mnd::kernel {

// We serve from now on (READY=1): whoever started the unit goes on. Whether it listens (NOTIFY_SOCKET) is its affair.
void tell_ready();

// Says that the loop goes round (WATCHDOG=1), twice in the time after which we would be taken to hang: WatchdogSec= of
// the unit, which comes as WATCHDOG_USEC. Without that there is no timer. Throws as BootTimer does.
class Watchdog {
 public:
  explicit Watchdog(boost::asio::io_context& loop);

 private:
  void feed();

  mip6::Duration pause_{};
  std::unique_ptr<BootTimer> timer_;
};

}  // namespace mnd::kernel
