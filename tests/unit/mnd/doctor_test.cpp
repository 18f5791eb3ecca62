// Each finding of the doctor, and that a healthy node has none.
#include "mnd/doctor.hpp"

#include <chrono>

#include "tests/catch.hpp"

using namespace mnd;
using namespace std::chrono_literals;

namespace {

Health healthy(bool manual) {
  return {.manual_keys = manual,
          .charon_connected = !manual,
          .numbers_used = std::uint16_t{100},
          .until_whole_space = std::chrono::days{500},
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
  still.until_whole_space.reset();
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
  health.until_whole_space = std::chrono::days{400} - 1h;
  const auto finding = only(health);
  CHECK(finding.check == "movement");
  CHECK(finding.advice);
  CHECK(finding.what.find("in 399 days, earlier than in the 400 days of forecast-horizon") != std::string::npos);
  CHECK(finding.remedy.find("keying = ikev2") != std::string::npos);
  health.until_whole_space = std::chrono::days{400};
  CHECK(examine(health).empty());
  health.until_whole_space = 1h;
  health.manual_keys = false;
  health.charon_connected = true;
  CHECK(examine(health).empty());
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
