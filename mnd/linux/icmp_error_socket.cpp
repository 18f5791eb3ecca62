// See icmp_error_socket.hpp.
#include "mnd/linux/icmp_error_socket.hpp"

#include <netinet/icmp6.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <utility>

#include "mnd/linux/descriptor.hpp"
#include "mnd/linux/ipv6_socket.hpp"
#include "mnd/linux/os_error.hpp"

namespace mnd::kernel {

namespace {

class RawIcmpErrorSocket final : public std::enable_shared_from_this<RawIcmpErrorSocket> {
 public:
  RawIcmpErrorSocket(boost::asio::io_context& loop, Descriptor socket, IcmpErrorSocket::Received received)
      : descriptor_{loop, socket.release()}, received_{std::move(received)} {}

  void wait() {
    descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           [weak = weak_from_this()](const boost::system::error_code& error) {
                             const auto self = weak.lock();
                             if (error || !self) return;
                             self->receive();
                             if (!self->closed_) self->wait();
                           });
  }
  void close() {
    closed_ = true;
    descriptor_.close();
  }

 private:
  void receive() {
    for (int count = 0; count < kReceiveAtOnce && !closed_; ++count) {
      const auto got = ::recv(descriptor_.native_handle(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
      if (got < 0 && errno != EINTR) return;
      if (got <= 0) continue;
      const auto problem = mip6::parse_parameter_problem(std::span{buffer_}.first(static_cast<std::size_t>(got)));
      if (problem) received_(*problem);
    }
  }

  boost::asio::posix::stream_descriptor descriptor_;
  IcmpErrorSocket::Received received_;
  std::array<std::uint8_t, 1280> buffer_{};  // RFC 4443 section 2.4: errors are no longer
  bool closed_ = false;
};

class ErrorHandle final : public IcmpErrorSocket {
 public:
  explicit ErrorHandle(std::shared_ptr<RawIcmpErrorSocket> socket) : socket_{std::move(socket)} { socket_->wait(); }
  ~ErrorHandle() override { socket_->close(); }
  ErrorHandle(const ErrorHandle&) = delete;
  ErrorHandle& operator=(const ErrorHandle&) = delete;

 private:
  std::shared_ptr<RawIcmpErrorSocket> socket_;
};

}  // namespace

tl::expected<std::unique_ptr<IcmpErrorSocket>, mip6::Error> IcmpErrorSocket::open(boost::asio::io_context& loop,
                                                                                  Received received) {
  Descriptor socket{::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6)};
  if (!socket || !pass_only(socket.get(), ICMP6_PARAM_PROB))
    return tl::unexpected(
        os_error(errno, "open a raw socket for ICMPv6 errors", "ICMPv6", "start it as root or give it CAP_NET_RAW"));
  return std::make_unique<ErrorHandle>(
      std::make_shared<RawIcmpErrorSocket>(loop, std::move(socket), std::move(received)));
}

}  // namespace mnd::kernel
