// Router Advertisements (RFC 4861 section 4.2) with what RFC 6275 sections 7.1 to 7.4 add, as a value.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "libmip6/wire/prefix_information.hpp"

namespace mip6 {

struct HomeAgentInformation {    // RFC 6275 section 7.4
  std::uint16_t preference = 0;  // more is better; 0 is that of an agent without this option
  Lifetime lifetime{};           // seconds, at most 65535; a sender must not use 0
  bool operator==(const HomeAgentInformation&) const = default;
};

// Hop limit, timers and all other options are not kept: parsing skips them, writing leaves them out (so a home agent
// that writes its advertisements with this has to add its Source Link-Layer Address option, RFC 6275 section 7.5).
struct RouterAdvertisement {
  static constexpr std::uint8_t kType = 134;
  bool managed = false;        // M
  bool other = false;          // O
  bool home_agent = false;     // H
  Lifetime router_lifetime{};  // seconds, at most 65535
  std::vector<PrefixInformation> prefixes{};
  std::optional<HomeAgentInformation> home_agent_information{};       // means nothing without home_agent
  std::optional<std::chrono::milliseconds> advertisement_interval{};  // 32 bits; between unsolicited advertisements
  bool operator==(const RouterAdvertisement&) const = default;
};

}  // namespace mip6
