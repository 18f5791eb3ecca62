// See icmp6_socket.hpp.
#include "mnd/linux/icmp6_socket.hpp"

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
#include "mnd/linux/os_error.hpp"

namespace mnd::kernel {

namespace {

constexpr std::size_t kLongestMessage = 65535;  // on a link with a large MTU; a longer one is not looked at

template <class Value>
Value value_of(const cmsghdr& item) {
  Value value{};
  std::memcpy(&value, CMSG_DATA(&item), sizeof value);
  return value;
}

class RawIcmp6Socket final : public std::enable_shared_from_this<RawIcmp6Socket> {
 public:
  RawIcmp6Socket(boost::asio::io_context& loop, Descriptor socket, Icmp6Socket::Received received)
      : descriptor_{loop, socket.release()}, received_{std::move(received)} {}

  int fd() { return descriptor_.native_handle(); }

  void wait() {
    descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           [weak = weak_from_this()](const boost::system::error_code& error) {
                             const auto self = weak.lock();
                             if (error || !self) return;
                             for (int count = 0; count < kReceiveAtOnce && !self->closed_; ++count)
                               if (!self->receive_one()) break;
                             if (!self->closed_) self->wait();
                           });
  }

  void close() {
    closed_ = true;
    descriptor_.close();
  }

 private:
  // False if there is nothing more to read.
  bool receive_one() {
    sockaddr_in6 sender{};
    iovec part{.iov_base = buffer_.data(), .iov_len = buffer_.size()};
    alignas(cmsghdr) std::array<std::uint8_t, 256> control;
    msghdr header{};
    header.msg_name = &sender;
    header.msg_namelen = sizeof sender;
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const auto got = ::recvmsg(fd(), &header, MSG_DONTWAIT);
    if (got < 0) return errno == EINTR;
    if (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) return true;
    Icmp6Packet packet;
    packet.source = from_in6(sender.sin6_addr);
    packet.message = std::span{buffer_}.first(static_cast<std::size_t>(got));
    for (auto* item = CMSG_FIRSTHDR(&header); item != nullptr; item = CMSG_NXTHDR(&header, item)) {
      if (item->cmsg_level != IPPROTO_IPV6) continue;
      if (item->cmsg_type == IPV6_HOPLIMIT && item->cmsg_len >= CMSG_LEN(sizeof(int)))
        packet.hop_limit = value_of<int>(*item);
      if (item->cmsg_type != IPV6_PKTINFO || item->cmsg_len < CMSG_LEN(sizeof(in6_pktinfo))) continue;
      const auto info = value_of<in6_pktinfo>(*item);
      packet.destination = from_in6(info.ipi6_addr);
      packet.interface = info.ipi6_ifindex;
    }
    received_(packet);
    return true;
  }

  boost::asio::posix::stream_descriptor descriptor_;
  Icmp6Socket::Received received_;
  std::array<std::uint8_t, kLongestMessage> buffer_{};
  bool closed_ = false;
};

// What the caller holds: the socket itself lives on while one of its handlers runs.
class Icmp6Handle final : public Icmp6Socket {
 public:
  explicit Icmp6Handle(std::shared_ptr<RawIcmp6Socket> socket) : socket_{std::move(socket)} { socket_->wait(); }
  ~Icmp6Handle() override { socket_->close(); }
  Icmp6Handle(const Icmp6Handle&) = delete;
  Icmp6Handle& operator=(const Icmp6Handle&) = delete;

  tl::expected<void, mip6::Error> join_anycast(const mip6::Ipv6Address& anycast, std::uint32_t interface) override {
    ipv6_mreq wanted{};
    wanted.ipv6mr_multiaddr = to_in6(anycast);
    wanted.ipv6mr_interface = interface;
    if (::setsockopt(socket_->fd(), IPPROTO_IPV6, IPV6_JOIN_ANYCAST, &wanted, sizeof wanted) == 0) return {};
    return tl::unexpected(os_error(errno, "listen to an anycast address", anycast.to_string(),
                                   "check that this host forwards, and that it has CAP_NET_ADMIN"));
  }

  tl::expected<void, mip6::Error> send(std::span<const std::uint8_t> message, const mip6::Ipv6Address& source,
                                       const mip6::Ipv6Address& destination) override {
    auto to = to_sockaddr(destination);
    in6_pktinfo from{};
    from.ipi6_addr = to_in6(source);
    std::array<std::uint8_t, 1280> bytes{};
    if (message.size() > bytes.size())
      return tl::unexpected(os_error(EMSGSIZE, "send an ICMPv6 message", destination.to_string(), ""));
    std::memcpy(bytes.data(), message.data(), message.size());
    iovec part{.iov_base = bytes.data(), .iov_len = message.size()};
    alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof from)> control{};
    msghdr header{};
    header.msg_name = &to;
    header.msg_namelen = sizeof to;
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    auto* item = CMSG_FIRSTHDR(&header);
    item->cmsg_level = IPPROTO_IPV6;
    item->cmsg_type = IPV6_PKTINFO;
    item->cmsg_len = CMSG_LEN(sizeof from);
    std::memcpy(CMSG_DATA(item), &from, sizeof from);
    if (::sendmsg(socket_->fd(), &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return {};
    return tl::unexpected(os_error(errno, "send an ICMPv6 message",
                                   source.to_string() + " -> " + destination.to_string(),
                                   "check that there is a route to the destination"));
  }

 private:
  std::shared_ptr<RawIcmp6Socket> socket_;
};

}  // namespace

tl::expected<std::unique_ptr<Icmp6Socket>, mip6::Error> Icmp6Socket::open(boost::asio::io_context& loop,
                                                                          std::uint8_t type, Received received) {
  Descriptor socket{::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6)};
  if (!socket || !pass_only(socket.get(), type) || !set_option(socket.get(), IPV6_RECVPKTINFO, 1) ||
      !set_option(socket.get(), IPV6_RECVHOPLIMIT, 1))
    return tl::unexpected(os_error(errno, "open a raw socket for ICMPv6 messages", "type " + std::to_string(type),
                                   "start it as root or give it CAP_NET_RAW"));
  return std::make_unique<Icmp6Handle>(std::make_shared<RawIcmp6Socket>(loop, std::move(socket), std::move(received)));
}

}  // namespace mnd::kernel
