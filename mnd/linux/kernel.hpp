// Names and numbers that mark kernel objects as ours. Whatever carries them is found again at start and removed at
// stop.
#pragma once

#include <cstdint>

namespace mnd::kernel {

inline constexpr std::uint8_t kRouteProtocol = 175;  // routes and rules
inline constexpr std::uint32_t kHomeTable = 6275;    // routing table for packets from the home address
// The same for TCP alone, in the clear: its packets are smaller than those of a route may be that is for UDP, too.
inline constexpr std::uint32_t kTcpTable = 6276;
// Rules: what is from the home address or for the home agent is asked for here, or before the first rule of others.
inline constexpr std::uint32_t kRulePriority = 6275;
// Rules for what has no source yet: behind those of others, right before the main table.
inline constexpr std::uint32_t kNewConnectionPriority = 32765;
// Of the home table's route, and of the main default route at home, which makes new connections choose the home
// address.
inline constexpr std::uint32_t kDefaultMetric = 6;
// Of routes that give new connections a care-of address as source: before those that the kernel (256), a router (1024)
// or a network manager (100 and more) made of the same prefix.
inline constexpr std::uint32_t kLocalMetric = 10;
// A connection made on one link has to live on any other, and a path's MTU may be told by nobody. So what is inside the
// tunnel is as small as IPv6 allows everywhere, and outside it 1320 bytes, more under ESP; the least links need
// fragments (RFC 2473 section 7.1). TCP needs none: it is told the size of its segments, and the kernel, which
// fragments no packet of TCP outside the tunnel, sends none that are larger.
inline constexpr std::uint32_t kTunnelMtu = 1280;  // bytes
inline constexpr std::uint32_t kTcpTunnelMtu = kTunnelMtu - 40;
// Beside TCP's and the inner header 40 bytes for the outer one; under ESP SPI and sequence number (8), an
// initialization vector of 16, padding of up to 15 and its two bytes, and an integrity check value of up to 32.
inline constexpr std::uint32_t kTunnelMss = kTunnelMtu - 40 - 60;
inline constexpr std::uint32_t kEspTunnelMss = kTunnelMss - (8 + 16 + 15 + 2 + 32);
inline constexpr const char* kTunnelName = "mip6";  // external ip6tnl device of the node
inline constexpr const char* kAgentTunnelName = "mip6ha";
inline constexpr std::uint32_t kNodeReqid = 6275;          // the node's Mobility Header SAs
inline constexpr std::uint32_t kNodePayloadReqid = 6276;   // its payload in ESP tunnel mode
inline constexpr std::uint32_t kNodePrefixesReqid = 6277;  // its mobile prefix discovery
inline constexpr std::uint32_t kAgentFirstReqid = 627500;  // home agent: one for each node, from here on
inline constexpr std::uint32_t kAgentReqids = 100'000;     // so many
// The same node's further SAs: its reqid and this.
inline constexpr std::uint32_t kPayloadReqidOffset = kAgentReqids;
inline constexpr std::uint32_t kPrefixesReqidOffset = 2 * kAgentReqids;

}  // namespace mnd::kernel
