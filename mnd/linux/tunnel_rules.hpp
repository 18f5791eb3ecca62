// The node's rules among those of others: which there are to be, in which order. Internal to mnd/linux.
#pragma once

#include <vector>

#include "libmip6/address.hpp"
#include "mnd/linux/tunnel_messages.hpp"

namespace mnd::kernel {

// To be performed in this order; all empty if the rules are as they should be.
struct RuleChanges {
  std::vector<NetlinkMessage> out_of_order;  // these are added again
  std::vector<NetlinkMessage> added;
  std::vector<NetlinkMessage> former;
};
// `present`: all rules, in the kernel's order. What is wanted: see NodeTunnel.
std::vector<Rule> wanted_rules(const std::vector<DumpedRule>& present, const mip6::Ipv6Address& home_address,
                               const mip6::Ipv6Address& home_agent);
RuleChanges rule_changes(const std::vector<DumpedRule>& present, const mip6::Ipv6Address& home_address,
                         const mip6::Ipv6Address& home_agent);

}  // namespace mnd::kernel
