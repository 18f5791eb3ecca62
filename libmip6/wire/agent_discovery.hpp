// ICMPv6 messages of the dynamic home agent address discovery (RFC 6275 sections 6.5 and 6.6) as values.
#pragma once

#include <cstdint>
#include <vector>

#include "libmip6/address.hpp"

namespace mip6 {

struct HomeAgentAddressDiscoveryRequest {  // 6.5
  static constexpr std::uint8_t kType = 144;
  std::uint16_t identifier = 0;  // host byte order
  bool operator==(const HomeAgentAddressDiscoveryRequest&) const = default;
};

struct HomeAgentAddressDiscoveryReply {  // 6.6
  static constexpr std::uint8_t kType = 145;
  std::uint16_t identifier = 0;            // of the request; host byte order
  std::vector<Ipv6Address> home_agents{};  // the most preferable first
  bool operator==(const HomeAgentAddressDiscoveryReply&) const = default;
};

}  // namespace mip6
