// Heartbeat (RFC 5847 section 3.3) as a value.
#pragma once

#include <cstdint>

#include "libmip6/wire/mh_type.hpp"
#include "libmip6/wire/mobility_option.hpp"

namespace mip6 {

struct Heartbeat {
  static constexpr MhType kType = MhType::kHeartbeat;
  bool unsolicited = false;    // U
  bool response = false;       // R
  std::uint32_t sequence = 0;  // matches the response to the request; host byte order
  MobilityOptions options{};
  bool operator==(const Heartbeat&) const = default;
};

}  // namespace mip6
