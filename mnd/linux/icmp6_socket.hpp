// A raw socket for ICMPv6 messages in the clear: router advertisements, home agent address discovery.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <tl/expected.hpp>

#include "libmip6/address.hpp"
#include "libmip6/error.hpp"

namespace mnd::kernel {

struct Icmp6Packet {
  mip6::Ipv6Address source;
  mip6::Ipv6Address destination;
  std::uint32_t interface = 0;            // at which it came in
  int hop_limit = 0;                      // 255: no router has forwarded it
  std::span<const std::uint8_t> message;  // from the Type field on, checksum right; valid during the call
};

class Icmp6Socket {
 public:
  using Received = std::function<void(const Icmp6Packet&)>;
  // Receives messages of one type, to any address of this host.
  static tl::expected<std::unique_ptr<Icmp6Socket>, mip6::Error> open(boost::asio::io_context& loop, std::uint8_t type,
                                                                      Received received);
  virtual ~Icmp6Socket() = default;
  // What is sent to `anycast` comes here as long as the socket is open, if this host is a router; `interface` is where
  // its prefix is.
  virtual tl::expected<void, mip6::Error> join_anycast(const mip6::Ipv6Address& anycast, std::uint32_t interface) = 0;
  // From `source`, an address of this host. Never blocks; an error tells what the kernel said (EAGAIN included).
  virtual tl::expected<void, mip6::Error> send(std::span<const std::uint8_t> message, const mip6::Ipv6Address& source,
                                               const mip6::Ipv6Address& destination) = 0;
};

}  // namespace mnd::kernel
