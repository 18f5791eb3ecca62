// The forecast of how long the sequence numbers last.
#include "libmip6/forecast.hpp"

#include <limits>

#include "tests/catch.hpp"

using namespace mip6;
using namespace std::chrono_literals;

namespace {

constexpr double kEveryTenMinutes = 1.0 / 600;

double days(const std::optional<Duration>& time) {
  REQUIRE(time);
  return std::chrono::duration<double, std::ratio<86400>>(*time).count();
}

// Numbers used one by one, with `between` from one to the next; the time of the last one.
BootTime use(SequenceForecast& forecast, BootTime from, int numbers, Duration between) {
  for (int i = 0; i < numbers; ++i, from += between) forecast.used(from);
  return from - between;
}

}  // namespace

TEST_CASE("one number every ten minutes lasts 227 days to 2^15 and 455 days to 2^16", "[forecast]") {
  const auto remaining = SequenceForecast{}.remaining_at(kEveryTenMinutes);
  CHECK(days(remaining.until_half_space) == Approx(32768.0 / 144));   // 227.55...
  CHECK(days(remaining.until_whole_space) == Approx(65536.0 / 144));  // 455.11...
  CHECK(static_cast<int>(days(remaining.until_half_space)) == 227);
  CHECK(static_cast<int>(days(remaining.until_whole_space)) == 455);
}

TEST_CASE("a node that moves every ten minutes is forecast at that rate at any time", "[forecast]") {
  SequenceForecast forecast;
  const auto last = use(forecast, BootTime{90s}, 50, 10min);
  for (const auto later : {0s, 1s, 300s, 539s}) CHECK(forecast.current_rate(last + later) == Approx(kEveryTenMinutes));
  CHECK(forecast.highest_rate() == Approx(kEveryTenMinutes));
  CHECK(forecast.used_under_present_keys() == 50);
  const auto remaining = forecast.remaining_at(forecast.current_rate(last));
  CHECK(days(remaining.until_half_space) == Approx((32768.0 - 50) / 144));
  CHECK(days(remaining.until_whole_space) == Approx((65536.0 - 50) / 144));
}

TEST_CASE("numbers of one event count all, as retransmissions do", "[forecast]") {
  SequenceForecast forecast;
  forecast.used(BootTime{5s}, 7);
  forecast.used(BootTime{6s});
  CHECK(forecast.used_under_present_keys() == 8);
  CHECK(forecast.current_rate(BootTime{6s}) == Approx(8.0 / 600));
}

TEST_CASE("the current rate forgets what is older than ten minutes, the highest does not", "[forecast]") {
  SequenceForecast forecast;
  const auto last = use(forecast, BootTime{1h}, 60, 1s);  // within one minute
  CHECK(forecast.current_rate(last) == Approx(0.1));
  CHECK(forecast.current_rate(last + 9min) == Approx(0.1));
  CHECK(forecast.current_rate(last + 10min) == 0);
  forecast.used(last + 24h);
  CHECK(forecast.current_rate(last + 24h) == Approx(kEveryTenMinutes));
  CHECK(forecast.highest_rate() == Approx(0.1));
}

TEST_CASE("the highest rate is that of the busiest ten minutes, wherever they begin", "[forecast]") {
  SequenceForecast forecast;
  forecast.used(BootTime{0min}, 10);
  forecast.used(BootTime{8min}, 20);
  forecast.used(BootTime{12min}, 30);  // with the 20, not with the 10
  forecast.used(BootTime{19min}, 1);   // with the 30, not with the 20
  CHECK(forecast.highest_rate() == Approx(50.0 / 600));
  CHECK(forecast.current_rate(BootTime{19min}) == Approx(31.0 / 600));
}

TEST_CASE("renewed keys begin the count anew and keep the rates", "[forecast]") {
  SequenceForecast forecast;
  const auto last = use(forecast, BootTime{1h}, 60, 10s);
  forecast.keys_renewed();
  CHECK(forecast.used_under_present_keys() == 0);
  CHECK(forecast.current_rate(last) == Approx(0.1));
  CHECK(forecast.highest_rate() == Approx(0.1));
  CHECK(forecast.remaining_at(0.1).until_half_space == 327'680s);
}

TEST_CASE("what a former process used under the same keys counts, and makes no rate", "[forecast]") {
  const SequenceForecast forecast{32'000};
  CHECK(forecast.used_under_present_keys() == 32'000);
  CHECK(forecast.current_rate(BootTime{1s}) == 0);
  CHECK(forecast.highest_rate() == 0);
  CHECK(forecast.remaining_at(1).until_half_space == 768s);
  CHECK(forecast.remaining_at(1).until_whole_space == 33'536s);
}

TEST_CASE("what is used up takes no more time, whatever the rate", "[forecast]") {
  for (const auto used : {32'768U, 32'769U, 65'535U}) {
    const auto remaining = SequenceForecast{used}.remaining_at(0);
    CHECK(remaining.until_half_space == Duration{});
    CHECK_FALSE(remaining.until_whole_space);
  }
  CHECK(SequenceForecast{65'536}.remaining_at(0).until_whole_space == Duration{});
}

TEST_CASE("a rate too low to matter in a century, or none, means never", "[forecast]") {
  const double century = std::chrono::duration<double>(SequenceForecast::kFarthest).count();
  CHECK(SequenceForecast::time_until(1, 0, 1.001 / century));
  CHECK_FALSE(SequenceForecast::time_until(1, 0, 0.999 / century));
  for (const double rate : {0.0, -0.0, -1.0, std::numeric_limits<double>::denorm_min(),
                            std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity()})
    CHECK_FALSE(SequenceForecast::time_until(kWholeSpace, 0, rate));
  CHECK(SequenceForecast::time_until(kWholeSpace, 0, std::numeric_limits<double>::infinity()) == Duration{});
}

TEST_CASE("the count stops at its end instead of beginning anew", "[forecast]") {
  SequenceForecast forecast{std::numeric_limits<std::uint32_t>::max() - 1};
  forecast.used(BootTime{1s}, 3);
  CHECK(forecast.used_under_present_keys() == std::numeric_limits<std::uint32_t>::max());
}

TEST_CASE("the average rate is over the time since the first number, an hour at least", "[forecast]") {
  SequenceForecast forecast;
  CHECK(forecast.average_rate(BootTime{5h}) == 0);
  const auto last = use(forecast, BootTime{1h}, 6, 1min);
  CHECK(forecast.average_rate(last) == Approx(6.0 / 3600));
  CHECK(forecast.average_rate(BootTime{1h} + 2h) == Approx(6.0 / 7200));
  forecast.keys_renewed();  // the movement is the same
  CHECK(forecast.average_rate(BootTime{1h} + 2h) == Approx(6.0 / 7200));
}

TEST_CASE("moves have a rate of their own, in which refreshes have no part", "[forecast]") {
  SequenceForecast forecast;
  CHECK(forecast.movement_rate(BootTime{5h}) == 0);
  forecast.used(BootTime{1h});
  forecast.used_for_move();
  CHECK(forecast.movement_rate(BootTime{1h}) == Approx(1.0 / 3600));  // an hour at least, as for the average
  use(forecast, BootTime{1h} + 315s, 273, 315s);                      // then the node stands still
  CHECK(forecast.movement_rate(BootTime{25h}) == Approx(1.0 / 86400));
  CHECK(forecast.average_rate(BootTime{25h}) == Approx(274.0 / 86400));
  forecast.keys_renewed();
  CHECK(forecast.movement_rate(BootTime{25h}) == Approx(1.0 / 86400));
}

TEST_CASE("what the limit held back counts for ten minutes, and is no number used", "[forecast]") {
  SequenceForecast forecast;
  const BootTime begin{90s};
  for (int i = 0; i < 7; ++i) forecast.held_back(begin + i * 1s);
  CHECK(forecast.held_back_in_window(begin + 10s) == 7);
  CHECK(forecast.held_back_in_window(begin + 8min) == 7);
  CHECK(forecast.held_back_in_window(begin + 11min) == 0);
  CHECK(forecast.used_under_present_keys() == 0);
  CHECK(forecast.highest_rate() == 0);
}

TEST_CASE("the use of the half space is told at half, at nine tenths and at its end", "[forecast]") {
  CHECK(use_of_half_space(0) == SequenceUse::kPlenty);
  CHECK(use_of_half_space(16383) == SequenceUse::kPlenty);
  CHECK(use_of_half_space(16384) == SequenceUse::kHalf);
  CHECK(use_of_half_space(29491) == SequenceUse::kHalf);
  CHECK(use_of_half_space(29492) == SequenceUse::kNearlyAll);
  CHECK(use_of_half_space(32767) == SequenceUse::kNearlyAll);
  CHECK(use_of_half_space(32768) == SequenceUse::kAll);
}
