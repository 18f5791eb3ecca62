// See signals.hpp.
#include "mnd/linux/signals.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

namespace mnd::kernel {

namespace {

int block(std::initializer_list<int> numbers) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int one : numbers) ::sigaddset(&set, one);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  const int fd = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (fd < 0) throw std::system_error{errno, std::generic_category(), "signalfd"};
  return fd;
}

}  // namespace

struct Signals::Impl : std::enable_shared_from_this<Signals::Impl> {
  Impl(boost::asio::io_context& loop, std::initializer_list<int> numbers, std::function<void(int)> when_caught)
      : descriptor{loop, block(numbers)}, caught{std::move(when_caught)} {}

  // One is read only where it is told of at once.
  void wait() {
    descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                          [weak = weak_from_this()](const boost::system::error_code& error) {
                            const auto self = weak.lock();
                            if (error || !self) return;
                            signalfd_siginfo told{};
                            const auto got = ::read(self->descriptor.native_handle(), &told, sizeof told);
                            self->wait();
                            if (got == sizeof told) self->caught(static_cast<int>(told.ssi_signo));
                          });
  }

  boost::asio::posix::stream_descriptor descriptor;
  std::function<void(int)> caught;
};

Signals::Signals(boost::asio::io_context& loop, std::initializer_list<int> numbers,
                 std::function<void(int number)> caught)
    : impl_{std::make_shared<Impl>(loop, numbers, std::move(caught))} {
  impl_->wait();
}

Signals::~Signals() { impl_->descriptor.close(); }

}  // namespace mnd::kernel
