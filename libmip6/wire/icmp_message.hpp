// The ICMPv6 messages that Mobile IPv6 has or changes, as one value, and their way to bytes and back.
#pragma once

#include <cstdint>
#include <span>
#include <tl/expected.hpp>
#include <variant>

#include "libmip6/wire/agent_discovery.hpp"
#include "libmip6/wire/prefix_discovery.hpp"
#include "libmip6/wire/router_advertisement.hpp"
#include "libmip6/wire/values.hpp"

namespace mip6 {

using IcmpMessage = std::variant<HomeAgentAddressDiscoveryRequest, HomeAgentAddressDiscoveryReply,
                                 MobilePrefixSolicitation, MobilePrefixAdvertisement, RouterAdvertisement>;

// Parses one whole ICMPv6 message, from its Type field on; a message of any other type is an error. Checks what the
// bytes alone tell: Code 0, the length, that no option has length 0 (RFC 4861 section 6.1.2). The receiver has to check
// the rest: for a Router Advertisement, hop limit 255 and a link-local source. Does not check the checksum (the kernel
// has; see checksum()). An option of unknown type, or of another length than its type has, is skipped. Every error
// means that the message is dropped in silence.
tl::expected<IcmpMessage, ParseError> parse_icmp_message(std::span<const std::uint8_t> bytes);

// The bytes of a message, checksum field zero (a Linux raw socket of protocol 58 fills it in). Lifetimes and intervals
// that the wire cannot hold become the nearest that it can. Never fails.
Bytes write_icmp_message(const IcmpMessage& message);

}  // namespace mip6
