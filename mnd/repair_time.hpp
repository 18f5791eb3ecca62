// When what is missing of ours in the kernel is set up again.
#pragma once

#include <algorithm>
#include <optional>

#include "libmip6/time.hpp"

namespace mnd {

// After a failure it is tried again, ever more seldom. A change in the network brings that forward, since what stood in
// the way may be over; but however often the network changes, a second lies between two failures.
class RepairTime {
 public:
  // What the kernel tells of one change comes in several batches, and so does what it tells of our own.
  static constexpr mip6::Duration kAfter = std::chrono::milliseconds{100};
  static constexpr mip6::Duration kFirstBackoff = std::chrono::seconds{1};
  static constexpr mip6::Duration kMaxBackoff = std::chrono::seconds{32};

  // The network has changed, and something of ours is missing.
  void incomplete(mip6::BootTime now) {
    auto at = now + kAfter;
    if (failed_at_) at = std::max(at, *failed_at_ + kFirstBackoff);
    at_ = at_ ? std::min(*at_, at) : at;
  }

  void failed(mip6::BootTime now) {
    failed_at_ = now;
    at_ = now + backoff_;
    backoff_ = std::min(2 * backoff_, kMaxBackoff);
  }

  void complete() { *this = {}; }

  const std::optional<mip6::BootTime>& at() const { return at_; }  // empty: nothing is missing

 private:
  std::optional<mip6::BootTime> at_, failed_at_;
  mip6::Duration backoff_ = kFirstBackoff;
};

}  // namespace mnd
