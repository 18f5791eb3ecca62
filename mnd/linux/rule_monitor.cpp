#include "mnd/linux/rule_monitor.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <utility>

#include "mnd/linux/descriptor.hpp"
#include "mnd/linux/os_error.hpp"

namespace mnd::kernel {

struct RuleMonitor::Impl : std::enable_shared_from_this<RuleMonitor::Impl> {
  Impl(boost::asio::io_context& loop, std::function<void()> on_changed)
      : changed{std::move(on_changed)}, descriptor{loop} {}

  void wait() {
    descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                          [weak = weak_from_this()](const boost::system::error_code& error) {
                            const auto self = weak.lock();
                            if (error || !self || self->stopped) return;
                            self->drain();
                            self->wait();
                            self->changed();
                          });
  }

  // What is in them does not matter: who is told reads the rules.
  void drain() {
    std::array<char, 4096> buffer{};
    ssize_t got = 0;
    do got = ::recv(descriptor.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    while (got > 0 || (got < 0 && (errno == EINTR || errno == ENOBUFS)));
  }

  std::function<void()> changed;
  boost::asio::posix::stream_descriptor descriptor;
  bool stopped = false;
};

tl::expected<std::unique_ptr<RuleMonitor>, mip6::Error> RuleMonitor::open(boost::asio::io_context& loop,
                                                                          std::function<void()> changed) {
  Descriptor socket{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE)};
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  const int group = RTNLGRP_IPV6_RULE;
  if (!socket || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0 ||
      ::setsockopt(socket.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
    return tl::unexpected(os_error(errno, "watch the rules of routing", "netlink", "this needs a kernel with IPv6"));
  auto impl = std::make_shared<Impl>(loop, std::move(changed));
  impl->descriptor.assign(socket.release());
  impl->wait();
  return std::unique_ptr<RuleMonitor>(new RuleMonitor(std::move(impl)));
}

RuleMonitor::RuleMonitor(std::shared_ptr<Impl> impl) : impl_{std::move(impl)} {}

RuleMonitor::~RuleMonitor() {
  impl_->stopped = true;
  impl_->descriptor.cancel();
}

}  // namespace mnd::kernel
