// How long the mobile node waits with one home agent before it looks for another.
#pragma once

#include "libmip6/time.hpp"

namespace mip6::node {

// For keys: a home agent that does not answer IKE would otherwise be waited for without an end. Longer than an attempt
// of key management takes.
inline constexpr Duration kKeyPatience = std::chrono::seconds{20};
// After a round in which no home agent served us; doubled with each.
inline constexpr Duration kFirstRoundPause = std::chrono::seconds{4};
inline constexpr Duration kLongestRoundPause = std::chrono::seconds{64};

}  // namespace mip6::node
