// How long the mobile node waits with one home agent, or at one attachment, before it looks for another.
#pragma once

#include "libmip6/time.hpp"

namespace mip6::node {

// For keys: a home agent that does not answer IKE would otherwise be waited for without an end. Longer than an attempt
// of key management takes.
inline constexpr Duration kKeyPatience = std::chrono::seconds{20};
// For keys from one attachment, where there may be another: IKE has asked three times by then.
inline constexpr Duration kLinkKeyPatience = std::chrono::seconds{10};
// After a round in which no home agent served us; doubled with each.
inline constexpr Duration kFirstRoundPause = std::chrono::seconds{4};
inline constexpr Duration kLongestRoundPause = std::chrono::seconds{64};

}  // namespace mip6::node
