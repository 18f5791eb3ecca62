// Which policies Mobile IPv6 has between the two ends, as one side sees them: for the Mobility Header, and for mobile
// prefix discovery. Internal to mnd/linux; xfrm.cpp installs and removes them.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "mnd/linux/xfrm.hpp"
#include "mnd/linux/xfrm_messages.hpp"

namespace mnd::kernel {

inline constexpr std::uint32_t kEspPriority = 1;
inline constexpr std::uint32_t kSubPriority = 2;
// Behind those of all nodes. Also how ours is known among those of others.
inline constexpr std::uint32_t kStrangersPriority = 6275'135;

struct Policy {
  PolicyKey key;
  PolicyTemplate wanted;
  std::uint32_t priority = 0;
};

// The two directions of Mobility Header messages.
struct Directions {
  PolicyKey out;
  PolicyKey in;
};
Directions directions(Side side, const Ends& ends, bool sub);

// The same two directions of mobile prefix discovery. Up to Linux 6.6 the kernel reads the type of what comes in from
// the extension header in front, whose next header is 58 and whose length is 2, and from 6.7 on from the message: each
// kernel finds its own of the two.
struct PrefixDirections {
  PolicyKey out;
  std::array<PolicyKey, 2> in;
};
PrefixDirections prefix_directions(Side side, const Ends& ends, bool sub);

PolicyTemplate along(const PolicyKey& key, std::uint8_t protocol, std::uint32_t reqid = 0);

// Home address options of whoever sends a Mobility Header to the agent: ESP policies decide.
Policy any_home_address(const mip6::Ipv6Address& home_agent);

// Mobility Header to the agent of whomever no other policy is for.
PolicyKey strangers(const mip6::Ipv6Address& home_agent);

// ESP for prefix discovery, in the order in which they are to be installed. On the agent also what takes the home
// address option in front: of this home address only, since up to Linux 6.6 it means every ICMPv6 message behind such
// an option, and of nobody but those that need ESP for it.
std::vector<Policy> prefix_policies(Side side, const Ends& ends, std::uint32_t reqid);

// Whether it is not the node's own, and takes what that sends to the home agent: from `care_of`, in the tunnel, or from
// the home address. One that lets pass what it applies to takes nothing.
bool takes_from_node(const DumpedPolicy& policy, const Ends& ends, const mip6::Ipv6Address& care_of);

}  // namespace mnd::kernel
