// See authorisation.hpp.
#include "libmip6/agent/authorisation.hpp"

namespace mip6::agent {

ServedNodes::ServedNodes(const std::vector<ServedNode>& nodes) {
  for (const auto& node : nodes) serve(node);
}

void ServedNodes::serve(const ServedNode& node) { nodes_[node.home_address] = {Standing::kServed, node.dynamic_keys}; }

void ServedNodes::prohibit(const Ipv6Address& home_address) { nodes_[home_address].standing = Standing::kProhibited; }

void ServedNodes::forget(const Ipv6Address& home_address) { nodes_.erase(home_address); }

Standing ServedNodes::standing_of(const Ipv6Address& home_address) const {
  const auto found = nodes_.find(home_address);
  return found == nodes_.end() ? Standing::kNotServed : found->second.standing;
}

bool ServedNodes::has_dynamic_keys(const Ipv6Address& home_address) const {
  const auto found = nodes_.find(home_address);
  return found != nodes_.end() && found->second.dynamic_keys;
}

}  // namespace mip6::agent
