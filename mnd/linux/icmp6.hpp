// Neighbour Discovery packets as bytes (RFC 4861 sections 4.1, 4.3, 4.4; RFC 7527 section 3). No socket.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "libmip6/address.hpp"

namespace mnd::kernel {

inline constexpr std::uint8_t kNdHopLimit = 255;
inline constexpr std::array<std::uint8_t, 16> kAllNodes{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
inline constexpr std::array<std::uint8_t, 16> kAllRouters{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};

using EthernetAddress = std::array<std::uint8_t, 6>;
using Nonce = std::array<std::uint8_t, 6>;

// ff02::1:ffXX:XXXX (RFC 4291 section 2.7.1).
mip6::Ipv6Address solicited_node_group(const mip6::Ipv6Address& address);

// ICMPv6 messages, checksum field zero. Without `link_layer` its option is left out.
std::vector<std::uint8_t> neighbour_advertisement(const mip6::Ipv6Address& target,
                                                  const std::optional<EthernetAddress>& link_layer);
std::vector<std::uint8_t> router_solicitation(const std::optional<EthernetAddress>& link_layer);
std::vector<std::uint8_t> dad_solicitation(const mip6::Ipv6Address& target, const Nonce& nonce);

// A whole IPv6 packet with the unspecified source address around an ICMPv6 message; fills in the checksum.
std::vector<std::uint8_t> unspecified_source_packet(const mip6::Ipv6Address& destination,
                                                    std::vector<std::uint8_t> message);

// Whether a received Neighbor Solicitation or Advertisement (ICMPv6 message, without IPv6 header) shows that somebody
// else has, or wants, `target` (RFC 4862 sections 5.4.3 and 5.4.4). `hop_limit`, `source`: of its IPv6 header.
// Malformed messages (RFC 4861 section 7.1) and our own solicitation, known by its nonce, show nothing.
bool shows_duplicate(std::span<const std::uint8_t> message, const mip6::Ipv6Address& source, int hop_limit,
                     const mip6::Ipv6Address& target, const Nonce& nonce);

// Whose link-layer address a received Neighbor Advertisement gives unasked, if it gives one that is not `own`: somebody
// else says that the address is his. Empty also for malformed messages (RFC 4861 section 7.1.2).
std::optional<mip6::Ipv6Address> claimed_address(std::span<const std::uint8_t> message, int hop_limit,
                                                 const EthernetAddress& own);

}  // namespace mnd::kernel
