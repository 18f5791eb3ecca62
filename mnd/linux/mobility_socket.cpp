// See mobility_socket.hpp. Ancillary data is looked at in mobility_ancillary.cpp.
#include "mnd/linux/mobility_socket.hpp"

#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "mnd/linux/descriptor.hpp"
#include "mnd/linux/ipv6_socket.hpp"
#include "mnd/linux/mobility_ancillary.hpp"
#include "mnd/linux/os_error.hpp"

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78  // linux/in6.h, which does not go with netinet/in.h
#endif

namespace mnd::kernel {

namespace {

constexpr int kMobilityHeader = 135;
constexpr int kChecksumOffset = 4;  // RFC 6275 section 6.1.1
constexpr std::size_t kMaxMessage =
    256 * 8 + 1;  // Header Len is one byte of 8 octet units; one more tells a longer one
// Then others on the loop have their turn. Also the most updates that a home agent stores with one sync: with 64, a
// disk of 100 syncs a second would allow 6,400 updates in that time.
constexpr int kUpdatesAtOnce = 256;
// Bytes: room for what arrives while a disk syncs, some 4,000 updates; the usual buffer holds about 200.
constexpr int kUpdatesBuffer = 4 * 1024 * 1024;
// More packets than that buffer, which the kernel doubles, has room for: none takes less than half a KiB of it.
constexpr int kMostWaiting = 16'384;

tl::expected<void, mip6::Error> send_from(int fd, const mip6::Ipv6Address& local, std::span<const std::uint8_t> message,
                                          const mip6::Ipv6Address& destination) {
  const auto to = to_sockaddr(destination);
  const auto sent = ::sendto(fd, message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                             reinterpret_cast<const sockaddr*>(&to), sizeof to);
  if (sent == static_cast<ssize_t>(message.size())) return {};
  const int number = sent < 0 ? errno : EMSGSIZE;
  return tl::unexpected(os_error(number, "send a mobility message",
                                 local.to_string() + " -> " + destination.to_string(),
                                 "check that there is a route to the peer, and keys for it"));
}

// Packets that the kernel had for this socket and did not give it.
std::uint32_t drops_of(int fd) {
  std::array<std::uint32_t, SK_MEMINFO_VARS> counted{};
  socklen_t size = sizeof counted;
  return ::getsockopt(fd, SOL_SOCKET, SO_MEMINFO, counted.data(), &size) == 0 ? counted[SK_MEMINFO_DROPS] : 0;
}

class RawMobilitySocket final : public MobilitySocket, public std::enable_shared_from_this<RawMobilitySocket> {
 public:
  RawMobilitySocket(boost::asio::io_context& loop, Descriptor socket, const mip6::Ipv6Address& local, Received received)
      : descriptor_{loop, socket.release()}, local_{local}, received_{std::move(received)} {}

  tl::expected<void, mip6::Error> send(std::span<const std::uint8_t> message,
                                       const mip6::Ipv6Address& destination) override {
    return send_from(descriptor_.native_handle(), local_, message, destination);
  }

  std::uint64_t drops() override {
    // The kernel counts in 32 bits.
    const auto counted = drops_of(descriptor_.native_handle());
    drops_ += static_cast<std::uint32_t>(counted - last_counted_);
    last_counted_ = counted;
    return drops_;
  }

  void wait() {
    descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           [weak = weak_from_this()](const boost::system::error_code& error) {
                             const auto self = weak.lock();
                             if (error || !self) return;
                             self->receive_all();
                             if (!self->closed_) self->wait();
                           });
  }

  void take_waiting() override {
    for (int count = 0; count < kMostWaiting && !closed_; ++count)
      if (!receive_one()) return;
  }

  void close() {
    closed_ = true;
    descriptor_.close();
  }

 private:
  void receive_all() {
    for (int count = 0; count < kUpdatesAtOnce && !closed_; ++count)
      if (!receive_one()) return;
  }

  // False if there is nothing more to read.
  bool receive_one() {
    sockaddr_in6 sender{};
    iovec part{.iov_base = buffer_.data(), .iov_len = buffer_.size()};
    alignas(cmsghdr) std::array<std::uint8_t, 4096> control;
    msghdr header{};
    header.msg_name = &sender;
    header.msg_namelen = sizeof sender;
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const auto got = ::recvmsg(descriptor_.native_handle(), &header, MSG_DONTWAIT);
    if (got < 0) return errno == EINTR;
    // a message cut short, or one whose extension headers did not fit, is nothing we can judge
    const bool too_long = (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    const auto ancillary = read_ancillary(header);
    received_({.source = from_in6(sender.sin6_addr),
               .destination = ancillary.destination.value_or(local_),
               .home_address_option = ancillary.home_address_option,
               .routing_header = ancillary.routing_header,
               .too_long = too_long,
               .message = std::span{buffer_}.first(too_long ? 0 : static_cast<std::size_t>(got))});
    return true;
  }

  boost::asio::posix::stream_descriptor descriptor_;
  mip6::Ipv6Address local_;
  Received received_;
  std::array<std::uint8_t, kMaxMessage> buffer_{};
  bool closed_ = false;
  std::uint64_t drops_ = 0;
  std::uint32_t last_counted_ = 0;
};

// What the caller holds: the socket itself lives on while one of its handlers runs.
class MobilitySocketHandle final : public MobilitySocket {
 public:
  explicit MobilitySocketHandle(std::shared_ptr<RawMobilitySocket> socket) : socket_{std::move(socket)} {
    socket_->wait();
  }
  ~MobilitySocketHandle() override { socket_->close(); }
  MobilitySocketHandle(const MobilitySocketHandle&) = delete;
  MobilitySocketHandle& operator=(const MobilitySocketHandle&) = delete;
  tl::expected<void, mip6::Error> send(std::span<const std::uint8_t> message,
                                       const mip6::Ipv6Address& destination) override {
    return socket_->send(message, destination);
  }
  std::uint64_t drops() override { return socket_->drops(); }
  void take_waiting() override { socket_->take_waiting(); }

 private:
  std::shared_ptr<RawMobilitySocket> socket_;
};

// Which messages of its protocol a socket takes, and who makes their checksum.
using SetUp = bool (*)(int fd, std::uint8_t type);

tl::expected<std::unique_ptr<MobilitySocket>, mip6::Error> open_raw(boost::asio::io_context& loop, int protocol,
                                                                    SetUp set_up, std::uint8_t type,
                                                                    const mip6::Ipv6Address& local,
                                                                    MobilitySocket::Received received) {
  const auto failed = [&](const char* tried, const char* remedy) {
    return tl::unexpected(os_error(errno, tried, local.to_string(), remedy));
  };
  Descriptor socket{::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol)};
  if (!socket) return failed("open a raw socket for mobility messages", "start it as root or give it CAP_NET_RAW");
  const int fd = socket.get();
  if (!set_up(fd, type) || !set_option(fd, IPV6_FREEBIND, 1) || !set_option(fd, IPV6_RECVDSTOPTS, 1) ||
      !set_option(fd, IPV6_RECVRTHDR, 1) || !set_option(fd, IPV6_RECVPKTINFO, 1))
    return failed("set up the socket for mobility messages", "this needs a Linux kernel of 4.15 or later");
  // Above the limit for all with CAP_NET_ADMIN only; without it a smaller buffer does, too.
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kUpdatesBuffer, sizeof kUpdatesBuffer) != 0)
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kUpdatesBuffer, sizeof kUpdatesBuffer);
  const auto address = to_sockaddr(local);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return failed("bind the socket for mobility messages", "check the address");
  return std::make_unique<MobilitySocketHandle>(
      std::make_shared<RawMobilitySocket>(loop, std::move(socket), local, std::move(received)));
}

}  // namespace

// By a socket of its own: one that is bound to an interface hears nothing of the others.
tl::expected<void, mip6::Error> send_mobility_message_by(std::uint32_t interface, const mip6::Ipv6Address& local,
                                                         std::span<const std::uint8_t> message,
                                                         const mip6::Ipv6Address& destination) {
  std::array<char, IF_NAMESIZE> name{};
  const Descriptor socket{::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, kMobilityHeader)};
  const auto address = to_sockaddr(local);
  if (!socket || ::if_indextoname(interface, name.data()) == nullptr ||
      ::setsockopt(socket.get(), SOL_SOCKET, SO_BINDTODEVICE, name.data(), name.size()) != 0 ||
      !set_option(socket.get(), IPV6_CHECKSUM, kChecksumOffset) || !set_option(socket.get(), IPV6_FREEBIND, 1) ||
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return tl::unexpected(os_error(errno, "open a raw socket for the home link", local.to_string(),
                                   "check that the interface is there, and that the daemon has CAP_NET_RAW"));
  return send_from(socket.get(), local, message, destination);
}

tl::expected<std::unique_ptr<MobilitySocket>, mip6::Error> MobilitySocket::open(boost::asio::io_context& loop,
                                                                                const mip6::Ipv6Address& local,
                                                                                Received received) {
  const auto with_checksum = [](int fd, std::uint8_t) { return set_option(fd, IPV6_CHECKSUM, kChecksumOffset); };
  return open_raw(loop, kMobilityHeader, with_checksum, 0, local, std::move(received));
}

tl::expected<std::unique_ptr<MobilitySocket>, mip6::Error> MobilitySocket::open_icmpv6(boost::asio::io_context& loop,
                                                                                       const mip6::Ipv6Address& local,
                                                                                       std::uint8_t type,
                                                                                       Received received) {
  return open_raw(loop, IPPROTO_ICMPV6, pass_only, type, local, std::move(received));
}

}  // namespace mnd::kernel
