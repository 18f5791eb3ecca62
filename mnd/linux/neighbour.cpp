// See neighbour.hpp. The packets are made and judged in icmp6.cpp; here are the sockets.
#include "mnd/linux/neighbour.hpp"

#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "mnd/linux/boot_timer.hpp"
#include "mnd/linux/descriptor.hpp"
#include "mnd/linux/icmp6.hpp"
#include "mnd/linux/ipv6_socket.hpp"
#include "mnd/linux/os_error.hpp"

namespace mnd::kernel {

namespace {

constexpr std::chrono::seconds kRetransTimer{1};  // RFC 4861 section 10: RETRANS_TIMER
constexpr const char* kRemedy = "check that the interface is up, and that the daemon has CAP_NET_RAW";

std::string name_of_interface(std::uint32_t interface) {
  std::array<char, IF_NAMESIZE> name{};
  return ::if_indextoname(interface, name.data()) ? std::string{name.data()} : "interface " + std::to_string(interface);
}

tl::unexpected<mip6::Error> failed(std::string tried, std::uint32_t interface, int number = errno) {
  return tl::unexpected(os_error(number, std::move(tried), name_of_interface(interface), kRemedy));
}

sockaddr_in6 on_link(const mip6::Ipv6Address& address, std::uint32_t interface) {
  auto result = to_sockaddr(address);
  result.sin6_scope_id = interface;
  return result;
}

// A raw socket of `protocol` that sees and uses one interface only, and hears nothing of what it sends itself.
tl::expected<Descriptor, mip6::Error> raw_socket(int protocol, std::uint32_t interface) {
  Descriptor socket{::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol)};
  if (!socket) return failed("open a raw socket", interface);
  const auto name = name_of_interface(interface);
  const auto size = static_cast<socklen_t>(name.size());
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_BINDTODEVICE, name.c_str(), size) != 0 ||
      !set_option(socket.get(), IPV6_MULTICAST_IF, static_cast<int>(interface)) ||
      !set_option(socket.get(), IPV6_MULTICAST_HOPS, kNdHopLimit) || !set_option(socket.get(), IPV6_MULTICAST_LOOP, 0))
    return failed("bind a raw socket to the interface", interface);
  return socket;
}

tl::expected<void, mip6::Error> send_to(int fd, std::span<const std::uint8_t> bytes, const mip6::Ipv6Address& to,
                                        std::uint32_t interface, const char* tried) {
  const auto address = on_link(to, interface);
  const auto sent = ::sendto(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                             reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (sent < 0) return failed(tried, interface);
  return {};
}

tl::expected<void, mip6::Error> send_from_unspecified(std::uint32_t interface, const mip6::Ipv6Address& to,
                                                      std::vector<std::uint8_t> message, const char* tried) {
  // a packet socket: even with an IPv6 header of ours, a raw one wants a usable source address on the interface
  const Descriptor socket{::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!socket) return failed("open a packet socket", interface);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_IPV6);
  address.sll_ifindex = static_cast<int>(interface);
  // RFC 2464 section 7: 33:33 and the last four bytes of the group
  address.sll_halen = 6;
  address.sll_addr[0] = address.sll_addr[1] = 0x33;
  std::memcpy(address.sll_addr + 2, to.bytes.data() + 12, 4);
  const auto packet = unspecified_source_packet(to, std::move(message));
  if (::sendto(socket.get(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
    return failed(tried, interface);
  return {};
}

std::optional<EthernetAddress> ethernet_address(int fd, std::uint32_t interface) {
  ifreq request{};
  request.ifr_ifindex = static_cast<int>(interface);
  if (::ioctl(fd, SIOCGIFNAME, &request) != 0 || ::ioctl(fd, SIOCGIFHWADDR, &request) != 0 ||
      request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
    return std::nullopt;
  EthernetAddress address;
  std::memcpy(address.data(), request.ifr_hwaddr.sa_data, address.size());
  return address;
}

// A socket that receives these types of ICMPv6 messages.
tl::expected<Descriptor, mip6::Error> listening_socket(std::uint32_t interface, std::initializer_list<int> types) {
  auto socket = raw_socket(IPPROTO_ICMPV6, interface);
  if (!socket) return socket;
  icmp6_filter filter;
  ICMP6_FILTER_SETBLOCKALL(&filter);
  for (const int type : types) ICMP6_FILTER_SETPASS(type, &filter);
  if (::setsockopt(socket->get(), IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter) != 0 ||
      !set_option(socket->get(), IPV6_RECVHOPLIMIT, 1))
    return failed("listen to neighbours", interface);
  return socket;
}

// A socket that receives what may show a duplicate of `target`.
tl::expected<Descriptor, mip6::Error> probing_socket(std::uint32_t interface, const mip6::Ipv6Address& target) {
  auto socket = listening_socket(interface, {ND_NEIGHBOR_SOLICIT, ND_NEIGHBOR_ADVERT});
  if (!socket) return socket;
  ipv6_mreq group{};
  const auto address = solicited_node_group(target);
  std::memcpy(&group.ipv6mr_multiaddr, address.bytes.data(), address.bytes.size());
  group.ipv6mr_interface = interface;
  if (::setsockopt(socket->get(), IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof group) != 0)
    return failed("listen for duplicates of an address", interface);
  return socket;
}

struct NdPacket {
  mip6::Ipv6Address source;
  int hop_limit = 0;
  std::size_t size = 0;
};

// Empty: nothing more to read.
std::optional<NdPacket> receive(int fd, std::span<std::uint8_t> buffer) {
  sockaddr_in6 sender{};
  iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
  alignas(cmsghdr) std::array<std::uint8_t, 256> control;
  msghdr message{};
  message.msg_name = &sender;
  message.msg_namelen = sizeof sender;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const auto got = ::recvmsg(fd, &message, MSG_DONTWAIT);
  if (got < 0) return std::nullopt;
  NdPacket packet;
  std::memcpy(packet.source.bytes.data(), &sender.sin6_addr, packet.source.bytes.size());
  packet.size = static_cast<std::size_t>(got);
  for (auto* item = CMSG_FIRSTHDR(&message); item; item = CMSG_NXTHDR(&message, item))
    if (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_HOPLIMIT && item->cmsg_len >= CMSG_LEN(sizeof(int)))
      std::memcpy(&packet.hop_limit, CMSG_DATA(item), sizeof packet.hop_limit);
  return packet;
}

struct Probe : std::enable_shared_from_this<Probe> {
  Probe(boost::asio::io_context& loop, Descriptor socket, std::uint32_t on_interface, const mip6::Ipv6Address& address,
        const Nonce& own_nonce, int transmits, DadProbe::Done on_done)
      : descriptor{loop, socket.release()}, timer{loop, [this] { unanswered(); }}, interface {
    on_interface
  }, target{address}, nonce{own_nonce}, left{transmits}, done{std::move(on_done)} {
  }

  tl::expected<void, mip6::Error> ask() {
    --left;
    timer.arm(boot_now() + kRetransTimer);
    return send_from_unspecified(interface, solicited_node_group(target), dad_solicitation(target, nonce),
                                 "ask for duplicates of an address");
  }

  // One that cannot be sent any more, because the link is down, has nobody who could answer. An answer that is there
  // counts, even if this process has had no time to look at it before.
  void unanswered() {
    if (duplicate_came()) return finish(true);
    if (left > 0 && ask()) return;
    finish(false);
  }

  void wait() {
    descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                          [weak = weak_from_this()](const boost::system::error_code& error) {
                            const auto self = weak.lock();
                            if (error || !self || !self->done) return;
                            self->duplicate_came() ? self->finish(true) : self->wait();
                          });
  }

  bool duplicate_came() {
    std::array<std::uint8_t, 1500> buffer;
    while (const auto packet = receive(descriptor.native_handle(), buffer)) {
      const auto message = std::span{buffer}.first(packet->size);
      if (shows_duplicate(message, packet->source, packet->hop_limit, target, nonce)) return true;
    }
    return false;
  }

  void finish(bool duplicate) {
    const auto alive = shared_from_this();  // the handler may destroy the probe
    cancel();
    if (const auto handler = std::exchange(done, nullptr)) handler(duplicate);
  }

  void cancel() {
    timer.arm({});
    if (descriptor.is_open()) descriptor.close();
  }

  boost::asio::posix::stream_descriptor descriptor;
  BootTimer timer;
  std::uint32_t interface;
  mip6::Ipv6Address target;
  Nonce nonce;
  int left;  // of the probes
  DadProbe::Done done;
};

class RawDadProbe final : public DadProbe {
 public:
  explicit RawDadProbe(std::shared_ptr<Probe> probe) : probe_{std::move(probe)} {}
  ~RawDadProbe() override {
    probe_->done = nullptr;
    probe_->cancel();
  }
  RawDadProbe(const RawDadProbe&) = delete;
  RawDadProbe& operator=(const RawDadProbe&) = delete;

 private:
  std::shared_ptr<Probe> probe_;
};

struct Watch : std::enable_shared_from_this<Watch> {
  Watch(boost::asio::io_context& loop, Descriptor socket, const EthernetAddress& own_address,
        ClaimWatch::Claimed on_claim)
      : descriptor{loop, socket.release()}, own{own_address}, claimed{std::move(on_claim)} {}

  void wait() {
    descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                          [weak = weak_from_this()](const boost::system::error_code& error) {
                            const auto self = weak.lock();
                            if (error || !self || !self->claimed) return;
                            self->receive_all();
                          });
  }

  void receive_all() {
    constexpr int kAtOnce = 64;  // then others on the loop have their turn
    std::array<std::uint8_t, 1500> buffer;
    for (int count = 0; count < kAtOnce; ++count) {
      const auto packet = receive(descriptor.native_handle(), buffer);
      if (!packet) break;
      const auto target = claimed_address(std::span{buffer}.first(packet->size), packet->hop_limit, own);
      if (target) claimed(*target);
      if (!claimed) return;
    }
    wait();
  }

  boost::asio::posix::stream_descriptor descriptor;
  EthernetAddress own;
  ClaimWatch::Claimed claimed;
};

class RawClaimWatch final : public ClaimWatch {
 public:
  explicit RawClaimWatch(std::shared_ptr<Watch> watch) : watch_{std::move(watch)} {}
  ~RawClaimWatch() override {
    watch_->claimed = nullptr;
    watch_->descriptor.close();
  }
  RawClaimWatch(const RawClaimWatch&) = delete;
  RawClaimWatch& operator=(const RawClaimWatch&) = delete;

 private:
  std::shared_ptr<Watch> watch_;
};

}  // namespace

tl::expected<std::unique_ptr<ClaimWatch>, mip6::Error> ClaimWatch::start(boost::asio::io_context& loop,
                                                                         std::uint32_t interface, Claimed claimed) {
  auto socket = listening_socket(interface, {ND_NEIGHBOR_ADVERT});
  if (!socket) return tl::unexpected(socket.error());
  // Without one nobody's address can be told from ours: nothing is a claim then.
  const auto own = ethernet_address(socket->get(), interface);
  if (!own) return std::make_unique<ClaimWatch>();
  auto watch = std::make_shared<Watch>(loop, std::move(*socket), *own, std::move(claimed));
  watch->wait();
  return std::make_unique<RawClaimWatch>(std::move(watch));
}

tl::expected<std::unique_ptr<DadProbe>, mip6::Error> DadProbe::start(boost::asio::io_context& loop,
                                                                     std::uint32_t interface,
                                                                     const mip6::Ipv6Address& address, int transmits,
                                                                     Done done) {
  Nonce nonce;
  if (::getrandom(nonce.data(), nonce.size(), 0) != static_cast<ssize_t>(nonce.size()))
    return failed("get random bytes", interface);
  // listening before asking: the answer may come at once
  auto socket = probing_socket(interface, address);
  if (!socket) return tl::unexpected(socket.error());
  auto probe = std::make_shared<Probe>(loop, std::move(*socket), interface, address, nonce, transmits, std::move(done));
  if (auto sent = probe->ask(); !sent) {
    probe->cancel();
    return tl::unexpected(sent.error());
  }
  probe->wait();
  return std::make_unique<RawDadProbe>(std::move(probe));
}

tl::expected<void, mip6::Error> advertise(std::uint32_t interface, const mip6::Ipv6Address& target) {
  return Advertiser::open(interface).and_then([&](const auto& opened) { return opened.advertise(target); });
}

tl::expected<Advertiser, mip6::Error> Advertiser::open(std::uint32_t interface) {
  auto socket = listening_socket(interface, {});  // to nothing: what it has no filter for would wait in there
  if (!socket) return tl::unexpected(socket.error());
  // At a start all that are bound are advertised at once. Without CAP_NET_ADMIN the usual buffer has to do.
  constexpr int kSendBuffer = 1024 * 1024;
  ::setsockopt(socket->get(), SOL_SOCKET, SO_SNDBUFFORCE, &kSendBuffer, sizeof kSendBuffer);
  return Advertiser{std::move(*socket), interface};
}

tl::expected<void, mip6::Error> Advertiser::advertise(const mip6::Ipv6Address& target) const {
  return send_to(socket_.get(), neighbour_advertisement(target, ethernet_address(socket_.get(), interface_)),
                 {kAllNodes}, interface_, "send a Neighbor Advertisement");
}

tl::expected<void, mip6::Error> solicit_routers(std::uint32_t interface) {
  const char* tried = "send a Router Solicitation";
  const auto socket = raw_socket(IPPROTO_ICMPV6, interface);
  if (!socket) return tl::unexpected(socket.error());
  auto sent = send_to(socket->get(), router_solicitation(ethernet_address(socket->get(), interface)), {kAllRouters},
                      interface, tried);
  // duplicate detection of the link-local address is still running
  if (!sent && sent.error().os_error == EADDRNOTAVAIL)
    return send_from_unspecified(interface, {kAllRouters}, router_solicitation(std::nullopt), tried);
  return sent;
}

}  // namespace mnd::kernel
