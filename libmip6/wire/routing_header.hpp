// The type 2 routing header (RFC 6275 section 6.4): value, bytes and back.
#pragma once

#include <cstdint>
#include <span>
#include <tl/expected.hpp>

#include "libmip6/address.hpp"
#include "libmip6/wire/values.hpp"

namespace mip6 {

struct Type2RoutingHeader {
  std::uint8_t next_header = 59;  // protocol number of what follows
  Ipv6Address home_address{};     // where the packet goes in the end
  bool operator==(const Type2RoutingHeader&) const = default;
};

// Parses one whole routing header as it is on the wire, from its Next Header field on. Checks Hdr Ext Len 2, Routing
// Type 2, Segments Left 1, and that the home address is unicast routable; that it is the node's own is the caller's
// check. Every error means that the packet is dropped in silence (section 11.3.3).
tl::expected<Type2RoutingHeader, ParseError> parse_type2_routing_header(std::span<const std::uint8_t> bytes);

// The 24 octets of the header, Segments Left 1. Never fails.
Bytes write_type2_routing_header(const Type2RoutingHeader& header);

}  // namespace mip6
