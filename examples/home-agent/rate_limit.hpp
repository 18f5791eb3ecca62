// At most one line a second for each reason, and how many were left out in between.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "libmip6/time.hpp"

namespace mip6ha {

class RateLimit {
 public:
  static constexpr mip6::Duration kInterval = std::chrono::seconds{1};

  // Counts `reason`; gives how many were counted since the last time this said yes (at least 1), or nothing if that was
  // less than kInterval ago. Reasons are few: they come from our own code, not from a peer.
  std::optional<std::uint64_t> count(std::string_view reason, mip6::BootTime now) {
    auto found = reasons_.find(reason);
    if (found == reasons_.end()) found = reasons_.emplace(reason, Reason{}).first;
    auto& one = found->second;
    ++one.total;
    if (one.last && now - *one.last < kInterval) return std::nullopt;
    one.last = now;
    return one.total - std::exchange(one.told, one.total);
  }
  std::map<std::string, std::uint64_t, std::less<>> totals() const {
    std::map<std::string, std::uint64_t, std::less<>> totals;
    for (const auto& [reason, one] : reasons_) totals.emplace(reason, one.total);
    return totals;
  }

 private:
  struct Reason {
    std::uint64_t total = 0;
    std::uint64_t told = 0;
    std::optional<mip6::BootTime> last;
  };
  std::map<std::string, Reason, std::less<>> reasons_;
};

}  // namespace mip6ha
