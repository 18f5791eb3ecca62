// Names and numbers that mark kernel objects as ours. Whatever carries them is found again at start and removed at
// stop.
#pragma once

#include <cstdint>

namespace mnd::kernel {

inline constexpr std::uint8_t kRouteProtocol = 175;  // routes and rules
inline constexpr std::uint32_t kHomeTable = 6275;    // routing table for packets from the home address
inline constexpr std::uint32_t kHomeRulePriority = 6275;
inline constexpr std::uint32_t kDefaultMetric =
    6;  // of the default route that makes new connections choose the home address
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
