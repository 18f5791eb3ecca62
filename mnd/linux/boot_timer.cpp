// See boot_timer.hpp: a timerfd of CLOCK_BOOTTIME in a stream descriptor.
#include "mnd/linux/boot_timer.hpp"

#include <sys/timerfd.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstdint>
#include <ctime>
#include <fstream>
#include <system_error>
#include <utility>

namespace mnd::kernel {

namespace {

int make_timer() {
  const int fd = ::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  if (fd < 0) throw std::system_error{errno, std::generic_category(), "timerfd_create(CLOCK_BOOTTIME)"};
  return fd;
}

timespec to_timespec(mip6::BootTime time) {
  // zero would disarm the timer
  const auto count = std::max<mip6::Duration::rep>(time.time_since_epoch().count(), 1);
  return {.tv_sec = count / 1'000'000'000, .tv_nsec = count % 1'000'000'000};
}

}  // namespace

mip6::BootTime boot_now() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return mip6::BootTime{std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec}};
}

std::string boot_id() {
  std::string id;
  std::ifstream{"/proc/sys/kernel/random/boot_id"} >> id;
  return id;
}

struct BootTimer::Impl : std::enable_shared_from_this<BootTimer::Impl> {
  Impl(boost::asio::io_context& loop, std::function<void()> on_expired)
      : descriptor{loop, make_timer()}, expired{std::move(on_expired)} {}

  void wait() {
    descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                          [weak = weak_from_this()](const boost::system::error_code& error) {
                            const auto self = weak.lock();
                            if (error || !self) return;
                            self->readable();
                          });
  }

  void readable() {
    std::uint64_t expirations = 0;
    // nothing to read: armed anew after the descriptor became readable
    const bool fired = ::read(descriptor.native_handle(), &expirations, sizeof expirations) == sizeof expirations;
    wait();
    if (!fired) return;
    armed.reset();
    expired();
  }

  boost::asio::posix::stream_descriptor descriptor;
  std::function<void()> expired;
  std::optional<mip6::BootTime> armed;
};

BootTimer::BootTimer(boost::asio::io_context& loop, std::function<void()> expired)
    : impl_{std::make_shared<Impl>(loop, std::move(expired))} {
  impl_->wait();
}

BootTimer::~BootTimer() { impl_->descriptor.close(); }

void BootTimer::arm(std::optional<mip6::BootTime> deadline) {
  if (deadline == impl_->armed) return;
  impl_->armed = deadline;
  itimerspec setting{};
  if (deadline) setting.it_value = to_timespec(*deadline);
  if (::timerfd_settime(impl_->descriptor.native_handle(), TFD_TIMER_ABSTIME, &setting, nullptr) != 0)
    throw std::system_error{errno, std::generic_category(), "timerfd_settime"};
}

}  // namespace mnd::kernel
