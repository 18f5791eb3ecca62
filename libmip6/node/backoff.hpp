// Waiting times that double from one failure to the next.
#pragma once

#include "libmip6/time.hpp"

namespace mip6::node {

// `initial` doubled `times` times, but no longer than `longest`.
constexpr Duration doubled(Duration initial, int times, Duration longest) {
  auto wait = initial;
  while (times-- > 0 && wait < longest) wait *= 2;
  return wait < longest ? wait : longest;
}

}  // namespace mip6::node
