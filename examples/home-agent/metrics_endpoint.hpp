// Where the metrics are served.
#pragma once

#include <cstdint>

#include "libmip6/address.hpp"

namespace mip6ha {

struct MetricsEndpoint {
  mip6::Ipv6Address address;
  std::uint16_t port = 0;  // 0: any that is free; only in tests
  bool operator==(const MetricsEndpoint&) const = default;
};

}  // namespace mip6ha
