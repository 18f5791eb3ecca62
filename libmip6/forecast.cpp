// Counters of the last ten minutes, and the division that makes a time of them.
#include "libmip6/forecast.hpp"

#include <algorithm>
#include <cassert>
#include <limits>

namespace mip6 {
namespace {

std::int64_t minute_of(BootTime time) { return time.time_since_epoch() / std::chrono::minutes{1}; }

void add(std::uint32_t& to, std::uint32_t numbers) {
  to += std::min(numbers, std::numeric_limits<std::uint32_t>::max() - to);
}

double per_second(std::uint32_t numbers) {
  return numbers / std::chrono::duration<double>(SequenceForecast::kWindow).count();
}

}  // namespace

SequenceUse use_of_half_space(std::uint16_t used) {
  if (used >= kHalfSpace) return SequenceUse::kAll;
  if (used * 10 >= kHalfSpace * 9) return SequenceUse::kNearlyAll;
  return used * 2 >= kHalfSpace ? SequenceUse::kHalf : SequenceUse::kPlenty;
}

void SequenceForecast::used(BootTime now, std::uint32_t numbers) {
  add(minute_at(now).used, numbers);
  add(used_, numbers);
  add(counted_, numbers);
  if (!since_) since_ = now;
  most_in_window_ = std::max(most_in_window_, in_window(now, &Minute::used));
}

SequenceForecast::Minute& SequenceForecast::minute_at(BootTime now) {
  const auto number = minute_of(now);
  assert(number >= 0);
  Minute& minute = minutes_[static_cast<std::size_t>(number) % minutes_.size()];
  if (minute.number != number) minute = {.number = number};
  return minute;
}

void SequenceForecast::used_for_move() { add(for_moves_, 1); }

void SequenceForecast::held_back(BootTime now) { add(minute_at(now).held_back, 1); }

std::uint32_t SequenceForecast::in_window(BootTime now, std::uint32_t Minute::*what) const {
  const auto present = minute_of(now);
  const auto too_old = present - static_cast<std::int64_t>(minutes_.size());
  std::uint32_t sum = 0;
  for (const auto& minute : minutes_)
    if (minute.number > too_old) add(sum, minute.*what);
  return sum;
}

double SequenceForecast::current_rate(BootTime now) const { return per_second(in_window(now, &Minute::used)); }

std::uint32_t SequenceForecast::held_back_in_window(BootTime now) const { return in_window(now, &Minute::held_back); }

double SequenceForecast::highest_rate() const { return per_second(most_in_window_); }

double SequenceForecast::seconds_watched(BootTime now) const {
  const Duration watched = std::max<Duration>(since_ ? now - *since_ : Duration{}, std::chrono::hours{1});
  return std::chrono::duration<double>(watched).count();
}

double SequenceForecast::average_rate(BootTime now) const { return counted_ / seconds_watched(now); }

double SequenceForecast::movement_rate(BootTime now) const { return for_moves_ / seconds_watched(now); }

SequenceForecast::Remaining SequenceForecast::remaining_at(double rate) const {
  return {time_until(kHalfSpace, used_, rate), time_until(kWholeSpace, used_, rate)};
}

std::optional<Duration> SequenceForecast::time_until(std::uint32_t limit, std::uint32_t used, double rate) {
  if (used >= limit) return Duration{};
  const std::chrono::duration<double> left{(limit - used) / rate};
  // Compared before it is converted: a double that does not fit has no meaning as an integer. Not a number: false.
  if (!(rate > 0 && left <= kFarthest)) return std::nullopt;
  return std::chrono::duration_cast<Duration>(left);
}

}  // namespace mip6
