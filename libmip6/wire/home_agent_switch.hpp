// Home Agent Switch (RFC 5142 section 4) as a value.
#pragma once

#include <vector>

#include "libmip6/address.hpp"
#include "libmip6/wire/mh_type.hpp"
#include "libmip6/wire/mobility_option.hpp"

namespace mip6 {

// The home agent asks the mobile node to go to another one.
struct HomeAgentSwitch {
  static constexpr MhType kType = MhType::kHomeAgentSwitch;
  std::vector<Ipv6Address> home_agents{};  // at most 127; none: the node has to discover one
  MobilityOptions options{};
  bool operator==(const HomeAgentSwitch&) const = default;
};

}  // namespace mip6
