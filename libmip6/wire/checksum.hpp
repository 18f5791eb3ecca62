// The checksum of Mobility Header and ICMPv6 messages (RFC 6275 section 6.1.1, RFC 8200 section 8.1).
#pragma once

#include <cstdint>
#include <span>

#include "libmip6/address.hpp"

namespace mip6 {

enum class UpperLayer : std::uint8_t {
  kIcmp = 58,
  kMobilityHeader = 135,
};

// Checksum of a message whose checksum field is zero, in host byte order. The addresses are those of the pseudo-header,
// which are not always those of the IPv6 header: with a Home Address option the source is the home address in it, and
// with a type 2 routing header the destination is the home address in that.
std::uint16_t checksum(std::span<const std::uint8_t> message, const Ipv6Address& source, const Ipv6Address& destination,
                       UpperLayer protocol = UpperLayer::kMobilityHeader);

// Whether the checksum field of a message is right for these addresses (the same as above). If not, the message is
// dropped in silence (section 9.2). Who receives from the kernel need not ask: it checks both protocols.
bool verify_checksum(std::span<const std::uint8_t> message, const Ipv6Address& source, const Ipv6Address& destination,
                     UpperLayer protocol = UpperLayer::kMobilityHeader);

}  // namespace mip6
