// The end of what was granted for a while, told on two clocks so that a restart finds it: the boot clock, which nobody
// sets and which counts sleep, but begins anew with each boot; and the wall clock, which may have been set meanwhile.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "libmip6/time.hpp"
#include "libmip6/wire/values.hpp"

namespace mip6::agent {

struct EndOnBothClocks {
  Lifetime granted{};                      // from its beginning
  std::int64_t expires_unix = 0;           // wall clock, seconds since 1970
  std::optional<BootTime> expires_boot{};  // empty: it was told in another boot
  bool operator==(const EndOnBothClocks&) const = default;
};

// What is left: never more than was granted, whatever a clock says; not positive if it is over.
inline Duration left_of(const EndOnBothClocks& end, std::int64_t unix_now, BootTime now) {
  if (end.expires_boot) return std::min<Duration>(*end.expires_boot - now, end.granted);
  return std::clamp(Lifetime{end.expires_unix - unix_now}, Lifetime{0}, end.granted);
}

}  // namespace mip6::agent
