// The overall limit of RFC 6275 section 11.8: at most MAX_UPDATE_RATE messages of a type to one peer within a second.
#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include "libmip6/defect.hpp"
#include "libmip6/time.hpp"

namespace mip6::node {

inline constexpr int kMaxUpdateRate = 3;  // updates per second to one peer

class UpdateRate {
 public:
  // The earliest time at which one more may be sent.
  BootTime opens() const {
    if (planted(Defect::kNoRateLimit)) return BootTime::min();
    const auto& oldest = sent_[next_];
    return oldest ? *oldest + std::chrono::seconds{1} : BootTime::min();
  }
  void count(BootTime now) {
    sent_[next_] = now;
    next_ = (next_ + 1) % sent_.size();
  }

 private:
  std::array<std::optional<BootTime>, kMaxUpdateRate> sent_{};
  std::size_t next_ = 0;
};

}  // namespace mip6::node
