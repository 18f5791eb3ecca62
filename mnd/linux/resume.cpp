// See resume.hpp: a timer of CLOCK_REALTIME that never expires and is cancelled when that clock jumps, which it does
// for the kernel at each resume (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET), or when somebody sets it.
#include "mnd/linux/resume.hpp"

#include <sys/timerfd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstdint>
#include <ctime>
#include <limits>
#include <system_error>
#include <utility>

namespace mnd::kernel {

namespace {

constexpr mip6::Duration kShortestSleep = std::chrono::seconds{1};

mip6::Duration read_clock(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
}

int make_timer() {
  const int fd = ::timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  if (fd < 0) throw std::system_error{errno, std::generic_category(), "timerfd_create(CLOCK_REALTIME)"};
  return fd;
}

}  // namespace

mip6::Duration SleepMeter::slept(mip6::Duration boot, mip6::Duration monotonic) {
  const mip6::Duration ahead = boot - monotonic;
  if (ahead - ahead_ < kShortestSleep) return mip6::Duration::zero();
  return ahead - std::exchange(ahead_, ahead);
}

struct ResumeWatch::Impl : std::enable_shared_from_this<ResumeWatch::Impl> {
  Impl(boost::asio::io_context& on, std::function<void(mip6::Duration)> when_resumed)
      : loop{on}, descriptor{on, make_timer()}, resumed{std::move(when_resumed)} {
    arm();
  }

  void arm() {
    itimerspec never{};
    never.it_value.tv_sec = std::numeric_limits<time_t>::max();
    // ECANCELED: it is armed, and the clock has jumped since it was armed last
    if (::timerfd_settime(descriptor.native_handle(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, nullptr) !=
            0 &&
        errno != ECANCELED)
      throw std::system_error{errno, std::generic_category(), "timerfd_settime(CLOCK_REALTIME)"};
  }

  void wait() {
    descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                          [weak = weak_from_this()](const boost::system::error_code& error) {
                            const auto self = weak.lock();
                            if (error || !self) return;
                            std::uint64_t expirations = 0;
                            // ECANCELED is what is waited for
                            [[maybe_unused]] const auto got =
                                ::read(self->descriptor.native_handle(), &expirations, sizeof expirations);
                            self->arm();
                            self->wait();
                            self->look();
                          });
  }

  void look() {
    const auto monotonic = read_clock(CLOCK_MONOTONIC);
    const auto slept = meter.slept(read_clock(CLOCK_BOOTTIME), monotonic);
    if (slept == mip6::Duration::zero()) return;
    boost::asio::post(loop, [weak = weak_from_this(), slept] {
      const auto self = weak.lock();
      if (self && self->descriptor.is_open()) self->resumed(slept);
    });
  }

  boost::asio::io_context& loop;
  boost::asio::posix::stream_descriptor descriptor;
  std::function<void(mip6::Duration)> resumed;
  SleepMeter meter{read_clock(CLOCK_BOOTTIME), read_clock(CLOCK_MONOTONIC)};
};

ResumeWatch::ResumeWatch(boost::asio::io_context& loop, std::function<void(mip6::Duration)> resumed)
    : impl_{std::make_shared<Impl>(loop, std::move(resumed))} {
  impl_->wait();
}

ResumeWatch::~ResumeWatch() { impl_->descriptor.close(); }

void ResumeWatch::look() { impl_->look(); }

}  // namespace mnd::kernel
