// Messages from sources that need no ESP: of no node, so anybody's. Few are answered, by Binding Errors; many would
// fill the socket in which updates of nodes wait, too.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "libmip6/time.hpp"

namespace mip6ha {

// When all of them are to be refused by the kernel, and when no longer.
class StrangerLimit {
 public:
  static constexpr std::uint64_t kPermitted = 256;  // in an interval
  static constexpr mip6::Duration kInterval = std::chrono::seconds{1};

  // One has arrived. True: it is one too many, and all are to be refused from now on.
  bool arrived(mip6::BootTime now) {
    if (next_look_) return false;  // it has waited in the socket since before
    if (!since_ || now - *since_ >= kInterval) {
      since_ = now;
      arrived_ = 0;
    }
    return ++arrived_ > kPermitted;
  }
  // They are from now on. `refused`: how many the kernel has counted so far.
  void refuse(mip6::BootTime now, std::uint64_t refused) {
    since_.reset();
    refused_ = refused;
    next_look_ = now + kInterval;
  }
  // True: no more have been refused since the last look than are permitted, and they are to be admitted again.
  bool look(mip6::BootTime now, std::uint64_t refused) {
    if (!next_look_ || now < *next_look_) return false;
    const bool over = refused - refused_ <= kPermitted;
    refused_ = refused;
    next_look_ = over ? std::nullopt : std::optional{now + kInterval};
    return over;
  }
  // When to look; empty: they are admitted.
  std::optional<mip6::BootTime> next_deadline() const { return next_look_; }

 private:
  std::optional<mip6::BootTime> since_;  // of this interval
  std::uint64_t arrived_ = 0;            // in it
  std::uint64_t refused_ = 0;            // at the last look
  std::optional<mip6::BootTime> next_look_;
};

}  // namespace mip6ha
