// A table of checks, one function each.
#include "mnd/doctor.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>

#include "libmip6/forecast.hpp"

namespace mnd {
namespace {

using Result = std::optional<Finding>;

constexpr std::string_view kNewKeys =
    "make new keys (mnd --make-keys), set them here and at the home agent, restart both";

Result found(std::string what, std::string remedy, bool advice = false) {
  return Finding{.check = {}, .what = std::move(what), .remedy = std::move(remedy), .advice = advice};
}

Result check_state(const Health& health) {
  if (!health.state) return std::nullopt;
  return found(health.state->what, health.state->remedy);
}

Result check_keys(const Health& health) {
  if (!health.keys) return std::nullopt;
  return found(health.keys->what, health.keys->remedy);
}

Result check_charon(const Health& health) {
  if (health.manual_keys || health.charon_connected) return std::nullopt;
  return found("charon cannot be reached, and it makes the keys",
               "start it (systemctl start strongswan), or name its socket with vici-socket");
}

// Keys from key management are renewed by the node itself.
Result check_numbers(const Health& health) {
  if (!health.manual_keys || health.keys) return std::nullopt;
  if (!health.numbers_used)
    return found("it is not known which sequence numbers the manual keys have seen", std::string{kNewKeys});
  auto warning = numbers_warning(*health.numbers_used);
  if (warning.empty()) return std::nullopt;
  return found(std::move(warning), std::string{kNewKeys} + "; or use keying = ikev2, which renews them by itself",
               true);
}

// How long a round through the whole space takes, however old the keys are; empty: not in sight.
std::optional<mip6::Duration> round_at(double rate) {
  return mip6::SequenceForecast::time_until(mip6::kWholeSpace, 0, rate);
}

// RFC 6275 section 15.3: where movement makes replays possible with manual keying only, IKE SHOULD be used. Refreshes
// are left out: that a node which stands still uses its numbers up tells when new keys are due, and nothing else.
Result check_movement(const Health& health) {
  const auto round = round_at(health.movement_rate);
  if (!health.manual_keys || !round || *round >= health.horizon) return std::nullopt;
  const auto days = [](mip6::Duration time) { return std::chrono::floor<std::chrono::days>(time).count(); };
  return found(fmt::format("IKE should be used instead of manual keys: with as many moves as so far, the sequence "
                           "numbers of these alone come round again in {} days, earlier than in the {} days of "
                           "forecast-horizon",
                           days(*round), days(health.horizon)),
               "use keying = ikev2; fewer moves (prefer, exclude) use fewer numbers", true);
}

// The same section: "uncontrolled alternation" between networks. The average forgets such a burst, and the next one may
// last. A round in a day is 455 numbers in ten minutes. Alternation at the rate limit, three updates a second, makes
// one in six hours; refreshing at the shortest lifetime (a number in 3 s) takes more than two days, a home agent that
// does not answer (one in 32 s, with two links hardly more) more than two weeks. And nobody can replace manual keys
// every day.
constexpr mip6::Duration kThrashing = std::chrono::days{1};

// So many held back in ten minutes are no coincidence of moves any more.
constexpr std::uint32_t kManyHeldBack = 10;

Result check_thrashing(const Health& health) {
  const auto round = round_at(health.highest_rate);
  if (!health.manual_keys || !round || *round >= kThrashing) {
    if (health.held_back < kManyHeldBack) return std::nullopt;
    return found(fmt::format("the node changes between networks faster than it may tell the home agent: {} updates "
                             "were held back in the last ten minutes",
                             health.held_back),
                 "prefer and exclude keep the node from changing to and fro between two links", true);
  }
  return found(fmt::format("IKE should be used instead of manual keys: with thrashing as in the busiest ten minutes so "
                           "far the sequence numbers come round again in {} h",
                           std::chrono::floor<std::chrono::hours>(*round).count()),
               "use keying = ikev2; prefer and exclude keep the node from changing to and fro between two links", true);
}

struct Check {
  std::string_view name;
  Result (*run)(const Health&);
};
constexpr std::array<Check, 6> kChecks{{
    {"state-file", check_state},
    {"manual-keys", check_keys},
    {"charon", check_charon},
    {"sequence-numbers", check_numbers},
    {"movement", check_movement},
    {"thrashing", check_thrashing},
}};

}  // namespace

std::vector<Finding> examine(const Health& health) {
  std::vector<Finding> findings;
  for (const auto& check : kChecks) {
    auto finding = check.run(health);
    if (!finding) continue;
    finding->check = check.name;
    findings.push_back(std::move(*finding));
  }
  return findings;
}

std::string numbers_warning(std::uint16_t used) {
  switch (mip6::use_of_half_space(used)) {
    case mip6::SequenceUse::kPlenty:
      return {};
    case mip6::SequenceUse::kAll:
      return fmt::format("all {} sequence numbers that are safe under the manual keys are used", mip6::kHalfSpace);
    case mip6::SequenceUse::kHalf:
    case mip6::SequenceUse::kNearlyAll:
      break;
  }
  return fmt::format("{} of the {} sequence numbers that are safe under the manual keys are used ({} %)", used,
                     mip6::kHalfSpace, used * 100 / mip6::kHalfSpace);
}

}  // namespace mnd
