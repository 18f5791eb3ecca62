// How fast nodes use up the space of sequence numbers, of which under one set of keys only half is safe (RFC 6275
// section 15.3).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <unordered_map>

#include "examples/home-agent/histogram.hpp"
#include "libmip6/address.hpp"
#include "libmip6/sequence.hpp"

namespace mip6ha {

class SequenceUse {
 public:
  void accepted(const mip6::Ipv6Address& home_address, mip6::SequenceNumber sequence) {
    const auto [found, first] = nodes_.try_emplace(home_address, Node{.last = sequence});
    auto& node = found->second;
    const std::uint32_t ahead = first ? 1 : sequence.distance_from(node.last);
    if (!first) advances_.observe(ahead);
    node.last = sequence;
    node.used = std::min<std::uint32_t>(node.used + ahead, mip6::kHalfSpace);
  }
  void keys_are_fresh(const mip6::Ipv6Address& home_address) {
    if (const auto found = nodes_.find(home_address); found != nodes_.end()) found->second.used = 0;
  }
  void forget(const mip6::Ipv6Address& home_address) { nodes_.erase(home_address); }

  // From each accepted number to the next one of that node.
  const Histogram& advances() const { return advances_; }
  // The largest share of the half space that a node has used under its keys, or since our start: 0 to 1.
  double highest() const {
    std::uint32_t most = 0;
    for (const auto& [home_address, node] : nodes_) most = std::max(most, node.used);
    return static_cast<double>(most) / mip6::kHalfSpace;
  }

 private:
  struct Node {
    mip6::SequenceNumber last;
    std::uint32_t used = 0;
  };
  static constexpr std::array<double, 7> kSteps{1, 2, 4, 16, 64, 1024, 4096};
  std::unordered_map<mip6::Ipv6Address, Node> nodes_;
  Histogram advances_{kSteps};
};

}  // namespace mip6ha
