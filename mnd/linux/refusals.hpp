// What a server turns away, counted by reason.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace mnd::kernel {

// Requests and clients that were turned away, by reason: few names, none of them from a client.
using Refusals = std::map<std::string, std::uint64_t, std::less<>>;

inline constexpr std::string_view kTooManyClients = "a newer client had no room";

inline void count(Refusals& refusals, std::string_view reason) {
  const auto found = refusals.find(reason);
  ++(found == refusals.end() ? refusals.emplace(reason, 0).first : found)->second;
}

}  // namespace mnd::kernel
