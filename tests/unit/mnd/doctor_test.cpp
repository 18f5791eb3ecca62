// Each finding of the doctor, and that a healthy node has none.
#include "mnd/doctor.hpp"

#include <chrono>

#include "libmip6/forecast.hpp"
#include "tests/catch.hpp"

using namespace mnd;
using namespace std::chrono_literals;

namespace {

// The rate at which a round through all sequence numbers takes so long.
double round_in(mip6::Duration time) { return mip6::kWholeSpace / std::chrono::duration<double>(time).count(); }

Health healthy(bool manual) {
  return {.manual_keys = manual,
          .charon_connected = !manual,
          .numbers_used = std::uint16_t{100},
          .movement_rate = round_in(std::chrono::days{500}),
          .highest_rate = round_in(std::chrono::days{2}),
          .horizon = std::chrono::days{400}};
}

Finding only(const Health& health) {
  const auto findings = examine(health);
  REQUIRE(findings.size() == 1);
  CHECK_FALSE(findings.front().what.empty());
  CHECK_FALSE(findings.front().remedy.empty());
  return findings.front();
}

}  // namespace

TEST_CASE("nothing is found of a healthy node", "[doctor]") {
  const bool manual = GENERATE(true, false);
  CHECK(examine(healthy(manual)).empty());
  auto still = healthy(manual);
  still.movement_rate = 0;
  CHECK(examine(still).empty());
}

TEST_CASE("a charon that is missing is found where it makes the keys", "[doctor]") {
  auto health = healthy(false);
  health.charon_connected = false;
  CHECK(only(health).check == "charon");
  CHECK(examine(healthy(true)).empty());
}

TEST_CASE("the use of the sequence space is found from half on, with manual keys", "[doctor]") {
  auto health = healthy(true);
  health.numbers_used = std::uint16_t{16383};
  CHECK(examine(health).empty());
  health.numbers_used = std::uint16_t{16384};
  CHECK(only(health).what == "16384 of the 32768 sequence numbers that are safe under the manual keys are used (50 %)");
  CHECK(only(health).advice);
  health.numbers_used = std::uint16_t{29500};
  CHECK(only(health).what.find("(90 %)") != std::string::npos);
  health.numbers_used = std::uint16_t{32768};
  CHECK(only(health).what.starts_with("all 32768"));
  health.numbers_used.reset();
  CHECK(only(health).check == "sequence-numbers");
  health.manual_keys = false;
  health.charon_connected = true;
  CHECK(examine(health).empty());
}

TEST_CASE("IKE should be used where the sequence space is cycled within the horizon", "[doctor]") {
  auto health = healthy(true);
  health.movement_rate = round_in(std::chrono::days{400} - 1h);
  const auto finding = only(health);
  CHECK(finding.check == "movement");
  CHECK(finding.advice);
  CHECK(finding.what.find("in 399 days, earlier than in the 400 days of forecast-horizon") != std::string::npos);
  CHECK(finding.remedy.find("keying = ikev2") != std::string::npos);
  health.movement_rate = round_in(std::chrono::days{400} + 1h);
  CHECK(examine(health).empty());
  health = healthy(false);
  health.movement_rate = round_in(1h);
  CHECK(examine(health).empty());
}

TEST_CASE("that refreshes use up the numbers is no reason for IKE", "[doctor]") {
  mip6::SequenceForecast forecast;
  mip6::BootTime now{1h};
  const auto end = now + std::chrono::days{30};
  forecast.used(now);
  forecast.used_for_move();                        // registers, and stands still from then on
  while ((now += 315s) < end) forecast.used(now);  // at the default lifetime of 420 s
  auto health = healthy(true);
  health.movement_rate = forecast.movement_rate(now);
  health.highest_rate = forecast.highest_rate();
  const auto round = mip6::SequenceForecast::time_until(mip6::kWholeSpace, 0, forecast.average_rate(now));
  REQUIRE(round);
  CHECK(*round < health.horizon);
  CHECK(examine(health).empty());
}

TEST_CASE("IKE should be used after thrashing, whatever the average is", "[doctor]") {
  auto health = healthy(true);
  health.highest_rate = 3;  // as many updates a second as the core sends at most
  const auto finding = only(health);
  CHECK(finding.check == "thrashing");
  CHECK(finding.advice);
  CHECK(finding.what.starts_with("IKE should be used"));
  CHECK(finding.what.ends_with("come round again in 6 h"));
  CHECK(finding.remedy.find("keying = ikev2") != std::string::npos);
  health.highest_rate = round_in(24h - 1min);
  CHECK(only(health).what.ends_with("in 23 h"));
  health.highest_rate = round_in(24h + 1min);
  CHECK(examine(health).empty());
  health = healthy(false);
  health.highest_rate = 3;
  CHECK(examine(health).empty());
}

TEST_CASE("thrashing is told whatever the keys, once many updates were held back", "[doctor]") {
  for (const bool manual_keys : {false, true}) {
    auto health = healthy(manual_keys);
    health.held_back = 9;
    CHECK(examine(health).empty());
    health.held_back = 10;
    const auto finding = only(health);
    CHECK(finding.check == "thrashing");
    CHECK(finding.advice);
    CHECK(finding.what.find("10 updates were held back") != std::string::npos);
    CHECK(finding.remedy.starts_with("prefer and exclude"));
  }
  auto health = healthy(true);
  health.held_back = 10;
  health.highest_rate = 3;  // the graver one of the two
  CHECK(only(health).what.starts_with("IKE should be used"));
}

TEST_CASE("trouble with the keys and with the disk is found, the disk first", "[doctor]") {
  auto health = healthy(true);
  health.keys = Health::Wrong{"no record", "make new keys"};
  CHECK(only(health).check == "manual-keys");
  CHECK_FALSE(only(health).advice);
  health.state = Health::Wrong{"disk full", "make room"};
  const auto findings = examine(health);
  REQUIRE(findings.size() == 2);
  CHECK(findings.front().check == "state-file");
  CHECK(findings.front().remedy == "make room");
}
