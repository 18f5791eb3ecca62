// See link_monitor.hpp. Messages are understood in link_table.cpp; here are the sockets.
#include "mnd/linux/link_monitor.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <initializer_list>

#include "mnd/linux/link_table.hpp"
#include "mnd/linux/neighbour_filter.hpp"
#include "mnd/linux/netlink.hpp"
#include "mnd/linux/os_error.hpp"

namespace mnd::kernel {

namespace {

constexpr int kNotificationBuffer = 4 * 1024 * 1024;
constexpr int kMaxDumps = 10;
constexpr timeval kDumpTimeout{.tv_sec = 1, .tv_usec = 0};
constexpr std::chrono::milliseconds kRetryAfter{100};

using Buffer = std::unique_ptr<std::uint8_t[]>;  // of kReceiveBuffer bytes, most of which are never touched
using MonitorSocket = std::unique_ptr<nl_sock, decltype(&nl_socket_free)>;

mip6::Error netlink_error(std::string tried, int number) {
  return os_error(number, std::move(tried), "netlink", "this needs a Linux kernel with IPv6");
}

int netlink_fd(const MonitorSocket& socket) { return nl_socket_get_fd(socket.get()); }

tl::expected<MonitorSocket, mip6::Error> connect_netlink() {
  MonitorSocket socket{nl_socket_alloc(), &nl_socket_free};
  if (!socket) return tl::unexpected(netlink_error("make a netlink socket", ENOMEM));
  if (nl_connect(socket.get(), NETLINK_ROUTE) < 0) return tl::unexpected(netlink_error("make a netlink socket", errno));
  return socket;
}

tl::expected<MonitorSocket, mip6::Error> subscribe() {
  auto socket = connect_netlink();
  if (!socket) return socket;
  nl_socket_set_nonblocking(socket->get());
  const int size = kNotificationBuffer;
  // without CAP_NET_ADMIN only up to net.core.rmem_max
  if (::setsockopt(netlink_fd(*socket), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
    ::setsockopt(netlink_fd(*socket), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  if (!keep_out_other_neighbours(netlink_fd(*socket), false))
    return tl::unexpected(netlink_error("keep out what is told of other neighbours", errno));
  for (const int group : {RTNLGRP_LINK, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE, RTNLGRP_NEIGH})
    if (nl_socket_add_membership(socket->get(), group) < 0)
      return tl::unexpected(netlink_error("subscribe to network changes", errno));
  return socket;
}

enum class Received { kMessages, kNothing, kLost };

// One datagram of the kernel.
struct Datagram {
  Received result = Received::kNothing;
  std::size_t size = 0;
};

Datagram receive(int fd, const Buffer& buffer) {
  for (;;) {
    sockaddr_nl sender{};
    iovec part{.iov_base = buffer.get(), .iov_len = kReceiveBuffer};
    msghdr message{};
    message.msg_name = &sender;
    message.msg_namelen = sizeof sender;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const auto got = ::recvmsg(fd, &message, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return {errno == ENOBUFS ? Received::kLost : Received::kNothing};
    if (sender.nl_pid != 0) continue;  // not from the kernel
    if (message.msg_flags & MSG_TRUNC) return {Received::kLost};
    return {Received::kMessages, static_cast<std::size_t>(got)};
  }
}

// Calls `use` with each message of a datagram until it returns false.
template <class Use>
void for_each_message(const Buffer& buffer, std::size_t size, Use use) {
  int left = static_cast<int>(size);
  for (auto* message = reinterpret_cast<nlmsghdr*>(buffer.get()); nlmsg_ok(message, left);
       message = nlmsg_next(message, &left))
    if (!use(*message)) return;
}

enum class DumpResult { kComplete, kInterrupted };

// Asks for all objects of one kind and applies them to `table`.
tl::expected<DumpResult, mip6::Error> dump(const MonitorSocket& socket, std::uint16_t request, int family,
                                           LinkTable& table, const Buffer& buffer) {
  const std::string tried = "read the network's state";
  // ifinfomsg is the longest of the four headers; the family comes first in all of them
  ifinfomsg header{};
  header.ifi_family = static_cast<std::uint8_t>(family);
  if (nl_send_simple(socket.get(), request, NLM_F_REQUEST | NLM_F_DUMP, &header, sizeof header) < 0)
    return tl::unexpected(netlink_error(tried, errno));
  auto result = DumpResult::kComplete;
  for (;;) {
    const auto datagram = receive(netlink_fd(socket), buffer);
    if (datagram.result != Received::kMessages) return tl::unexpected(netlink_error(tried, errno));
    bool done = false;
    int error = 0;
    for_each_message(buffer, datagram.size, [&](const nlmsghdr& message) {
      if (message.nlmsg_flags & NLM_F_DUMP_INTR) result = DumpResult::kInterrupted;
      done = message.nlmsg_type == NLMSG_DONE || message.nlmsg_type == NLMSG_ERROR;
      if (message.nlmsg_type == NLMSG_ERROR) {
        const auto* answer = static_cast<const nlmsgerr*>(nlmsg_data(&message));
        error = message.nlmsg_len >= NLMSG_LENGTH(sizeof *answer) ? -answer->error : EPROTO;
      }
      if (!done) table.apply(message);
      return !done;
    });
    if (error != 0) return tl::unexpected(netlink_error(tried, error));
    if (done) return result;
  }
}

// Everything anew, until a dump was not interrupted by a change. After kMaxDumps the last one is taken: what
// interrupted it is waiting as a notification. `former`: what no dump tells.
tl::expected<LinkTable, mip6::Error> dump_all(const LinkTable& former, const Buffer& buffer) {
  for (int attempt = 1;; ++attempt) {
    const auto socket = connect_netlink();
    if (!socket) return tl::unexpected(socket.error());
    ::setsockopt(netlink_fd(*socket), SOL_SOCKET, SO_RCVTIMEO, &kDumpTimeout, sizeof kDumpTimeout);
    LinkTable table = former.successor();
    bool interrupted = false;
    for (const auto& [request, family] : {std::pair{RTM_GETLINK, AF_UNSPEC}, std::pair{RTM_GETADDR, AF_INET6},
                                          std::pair{RTM_GETROUTE, AF_INET6}, std::pair{RTM_GETNEIGH, AF_INET6}}) {
      // the kernel forgets sooner or later who did not answer
      if (request == RTM_GETNEIGH) table.assume_unreachable(former.state().unreachable_routers);
      const auto result = dump(*socket, static_cast<std::uint16_t>(request), family, table, buffer);
      if (!result) return tl::unexpected(result.error());
      interrupted |= *result == DumpResult::kInterrupted;
    }
    if (!interrupted || attempt == kMaxDumps) return table;
  }
}

}  // namespace

struct LinkMonitor::Impl : std::enable_shared_from_this<LinkMonitor::Impl> {
  Impl(boost::asio::io_context& loop, Changed on_changed)
      : changed{std::move(on_changed)}, descriptor{loop}, retry{loop} {}
  ~Impl() {
    if (descriptor.is_open()) descriptor.release();  // the netlink socket closes it
  }

  tl::expected<void, mip6::Error> start() {
    auto subscribed = subscribe();
    if (!subscribed) return tl::unexpected(subscribed.error());
    socket = std::move(*subscribed);
    descriptor.assign(netlink_fd(socket));
    if (auto read = read_all(); !read) return read;
    drain();
    changed_since_told = true;
    tell();
    wait();
    return {};
  }

  void wait() {
    descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                          [weak = weak_from_this()](const boost::system::error_code& error) {
                            const auto self = weak.lock();
                            if (error || !self || self->stopped) return;
                            self->drain();
                            self->tell();
                            if (!self->stopped) self->wait();
                          });
  }

  // Reads and applies all notifications that are there.
  void drain() {
    bool reread_wanted = false;
    for (;;) {
      const auto datagram = receive(netlink_fd(socket), buffer);
      if (datagram.result == Received::kNothing) break;
      if (datagram.result == Received::kLost) reread_wanted = true;
      for_each_message(buffer, datagram.size, [&](const nlmsghdr& message) {
        if (table.brings_back(message)) tell();
        if (stopped) return false;
        const auto effect = table.apply(message);
        unchanged += effect == LinkTable::Effect::kNone;
        changed_since_told |= effect != LinkTable::Effect::kNone;
        reread_wanted |= effect == LinkTable::Effect::kReread;
        return true;
      });
      if (stopped) return;
    }
    if (reread_wanted) reread();
    hear_recovery();
  }

  // Only while a router is unreachable it matters that one is heard.
  void hear_recovery() {
    const bool wanted = !table.state().unreachable_routers.empty();
    if (wanted == hears_recovery || !keep_out_other_neighbours(netlink_fd(socket), wanted)) return;
    hears_recovery = wanted;
    if (wanted) reread();  // it may have been heard just before
  }

  // Everything anew. What is not yet read of the notifications is older or newer than the dump; applied after it, it
  // leads to the same end.
  tl::expected<void, mip6::Error> read_all() {
    auto fresh = dump_all(table, buffer);
    if (!fresh) return tl::unexpected(fresh.error());
    changed_since_told |= fresh->state() != table.state();
    table = std::move(*fresh);
    return {};
  }

  void reread() {
    if (read_all()) return;
    retry.expires_after(kRetryAfter);
    retry.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      const auto self = weak.lock();
      if (error || !self || self->stopped) return;
      self->reread();
      self->tell();
    });
  }

  void tell() {
    table.forget_removals();
    if (!std::exchange(changed_since_told, false)) return;
    if (told == table.state()) return;
    told = table.state();
    const auto alive = shared_from_this();  // the handler may destroy the monitor
    if (!stopped) changed(*told);
  }

  Changed changed;
  MonitorSocket socket{nullptr, &nl_socket_free};
  boost::asio::posix::stream_descriptor descriptor;
  boost::asio::steady_timer retry;
  Buffer buffer = std::make_unique_for_overwrite<std::uint8_t[]>(kReceiveBuffer);
  LinkTable table;
  std::optional<NetworkState> told;
  std::uint64_t unchanged = 0;
  bool changed_since_told = false;
  bool hears_recovery = false;
  bool stopped = false;
};

LinkMonitor::LinkMonitor(boost::asio::io_context& loop, Changed changed)
    : impl_{std::make_shared<Impl>(loop, std::move(changed))} {}

LinkMonitor::~LinkMonitor() {
  impl_->stopped = true;
  if (impl_->descriptor.is_open()) impl_->descriptor.cancel();
  impl_->retry.cancel();
}

tl::expected<void, mip6::Error> LinkMonitor::start() { return impl_->start(); }

void LinkMonitor::reread() {
  impl_->changed_since_told |= impl_->table.forget_unreachable();
  impl_->reread();
  impl_->tell();
}

const NetworkState& LinkMonitor::state() const { return impl_->table.state(); }

void LinkMonitor::watch_own_routes(std::uint32_t port) { impl_->table.watch_own_routes(port); }

std::uint64_t LinkMonitor::unchanged() const { return impl_->unchanged; }

}  // namespace mnd::kernel
