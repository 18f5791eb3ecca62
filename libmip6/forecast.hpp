// How long the sequence numbers last: what was used under the present keys, and when 2^15 and 2^16 of them will be
// (RFC 6275 section 15.3: with manual keys, replays become possible once the numbers come round again).
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "libmip6/sequence.hpp"
#include "libmip6/time.hpp"

namespace mip6 {

inline constexpr std::uint32_t kWholeSpace = 1U << 16;

// How much of the half space the present keys have seen; with keys set by hand the user is told at each.
enum class SequenceUse : std::uint8_t { kPlenty, kHalf, kNearlyAll, kAll };  // from 50 % on, from 90 % on, 2^15
SequenceUse use_of_half_space(std::uint16_t used);

// Counts every number that is used, retransmissions included, and forecasts from the rate of that.
class SequenceForecast {
 public:
  static constexpr Duration kWindow = std::chrono::minutes{10};  // a rate is what was used in so long
  // What lies further ahead than this is never, for practical purposes. (Duration itself ends after 292 years.)
  static constexpr Duration kFarthest = std::chrono::years{100};

  struct Remaining {                              // from now on; zero: used up already; empty: never at this rate
    std::optional<Duration> until_half_space{};   // 2^15 numbers: fresh keys are needed
    std::optional<Duration> until_whole_space{};  // 2^16 numbers
  };

  // `used`: numbers that the present keys have seen before (of a former process); no rate comes from these.
  explicit SequenceForecast(std::uint32_t used = 0) : used_{used} {}

  void used(BootTime now, std::uint32_t numbers = 1);  // `now` never goes back
  // One of the numbers counted was used for a move: not to refresh a binding, nor because somebody asked.
  void used_for_move();
  // An update that was due had to wait for MAX_UPDATE_RATE (RFC 6275 section 11.8): the node changes between networks
  // faster than it may tell.
  void held_back(BootTime now);
  // From now on other keys count; the rates stay, they are the movement's.
  void keys_renewed() { used_ = 0; }

  // Stays at 2^32 - 1 once there.
  std::uint32_t used_under_present_keys() const { return used_; }
  // Rates are numbers per second. The window's end is `now`, its beginning the minute in which it began.
  double current_rate(BootTime now) const;
  double highest_rate() const;  // over any window so far
  // Since the first number that was counted; less than an hour counts as one, so that a few moves in the first minutes
  // are no rate for years.
  double average_rate(BootTime now) const;
  double movement_rate(BootTime now) const;               // the part of the average that moves have used
  std::uint32_t held_back_in_window(BootTime now) const;  // updates
  Remaining remaining_at(double rate) const;

  // Until `limit` numbers are used when `used` are by now. Empty if that is further away than kFarthest, or if `rate`
  // is zero, negative or no number.
  static std::optional<Duration> time_until(std::uint32_t limit, std::uint32_t used, double rate);

 private:
  struct Minute {
    std::int64_t number = -1;  // since boot
    std::uint32_t used = 0;
    std::uint32_t held_back = 0;
  };
  Minute& minute_at(BootTime now);
  std::uint32_t in_window(BootTime now, std::uint32_t Minute::*what) const;
  double seconds_watched(BootTime now) const;

  std::array<Minute, kWindow / std::chrono::minutes{1}> minutes_{};  // each at its number modulo their count
  std::uint32_t used_;
  std::uint32_t most_in_window_ = 0;
  std::uint32_t counted_ = 0;    // over all keys
  std::uint32_t for_moves_ = 0;  // of these
  std::optional<BootTime> since_;
};

}  // namespace mip6
