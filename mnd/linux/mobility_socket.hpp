// The raw sockets for the Mobility Header (protocol 135), and for the ICMPv6 messages of mobile prefix discovery, which
// travel the same way.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <tl/expected.hpp>

#include "libmip6/address.hpp"
#include "libmip6/error.hpp"

namespace mnd::kernel {

struct MobilityPacket {
  mip6::Ipv6Address source;  // the home address, where a home address option was there
  mip6::Ipv6Address destination;
  std::optional<mip6::Ipv6Address> home_address_option;  // the IP source (care-of) address, if that option was there
  bool routing_header = false;                           // came through a type 2 routing header
  // Longer than a message can be, or with more extension headers than anybody would send.
  bool too_long = false;
  std::span<const std::uint8_t> message;  // from Payload Proto on, empty if that is too long; valid during the call
};

class MobilitySocket {
 public:
  using Received = std::function<void(const MobilityPacket&)>;
  // Receives packets to `local` only (bound with IPV6_FREEBIND: the address may come later); unspecified: to any
  // address. The ESP policies must be there before: nothing in the clear is to reach it, at the home address.
  static tl::expected<std::unique_ptr<MobilitySocket>, mip6::Error> open(boost::asio::io_context& loop,
                                                                         const mip6::Ipv6Address& local,
                                                                         Received received);
  // The same for ICMPv6 messages of one type; `message` begins at the Type field.
  static tl::expected<std::unique_ptr<MobilitySocket>, mip6::Error> open_icmpv6(boost::asio::io_context& loop,
                                                                                const mip6::Ipv6Address& local,
                                                                                std::uint8_t type, Received received);
  virtual ~MobilitySocket() = default;
  // Never blocks; an error tells what the kernel said (EAGAIN included).
  virtual tl::expected<void, mip6::Error> send(std::span<const std::uint8_t> message,
                                               const mip6::Ipv6Address& destination) = 0;
  // What the kernel has dropped at this socket since it was opened: refused by IPsec, with a wrong checksum, or without
  // room.
  virtual std::uint64_t drops() = 0;
  // Gives what is there by now to `received` at once: what came before a policy is never read after it.
  virtual void take_waiting() = 0;
};

// Sends a Mobility Header message from `local` out of this interface, whatever routes its destination has elsewhere: to
// a node that is at home while packets for it are tunnelled. IPsec policies apply as ever. Never blocks.
tl::expected<void, mip6::Error> send_mobility_message_by(std::uint32_t interface, const mip6::Ipv6Address& local,
                                                         std::span<const std::uint8_t> message,
                                                         const mip6::Ipv6Address& destination);

}  // namespace mnd::kernel
