// Sequence numbers, findings and advice as text.
#include <fmt/format.h>

#include <cmath>

#include "mnd/ctl/layout.hpp"

namespace mip6ctl {

namespace {

constexpr double kDay = 86400;

std::string used_text(const json& answer) {
  const auto used = number(answer, "used");
  const auto limit = number(answer, "limit");
  if (!used || !limit || *limit <= 0) return "not known";
  return fmt::format("{:.0f} of {:.0f} ({:.0f} %)", *used, *limit, std::floor(*used / *limit * 100));
}

std::string rate_text(const json& forecast) {
  const auto rate = number(forecast, "per_ten_minutes");
  if (!rate) return "unknown";
  if (*rate < 0.05) return "less than one a day";
  return fmt::format("{:.1f} in 10 min", *rate);
}

std::string time_text(const json& forecast, const char* name) {
  const auto seconds = number(forecast, name);
  return seconds ? "in " + days_text(*seconds) : "not in sight";
}

}  // namespace

std::string days_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 2 * kDay) return duration_text(seconds);
  return fmt::format("{:.0f} days", std::floor(seconds / kDay));
}

std::string render_sequence(const json& answer) {
  const auto last = number(answer, "last");
  const auto reserved = number(answer, "reserved_until");
  std::string result = row("last number", last ? fmt::format("{:.0f}", *last) : "none used yet");
  result +=
      row("used", fmt::format("{} that are safe under these keys ({})", used_text(answer), text(answer, "method")));
  result += row("on disk", reserved ? fmt::format("reserved up to {:.0f}", *reserved) : "nothing");
  result += fmt::format("\n{:<18}{:<20}{:<16}{}\n", "RATE", "", "2^15 REACHED", "2^16 REACHED");
  for (const auto& forecast : member(answer, "forecast"))
    if (forecast.is_object())
      result += fmt::format("{:<18}{:<20}{:<16}{}\n", text(forecast, "rate"), rate_text(forecast),
                            time_text(forecast, "until_half_s"), time_text(forecast, "until_whole_s"));
  return result;
}

std::string render_findings(const json& answer) {
  std::string result;
  for (const auto& finding : member(answer, "findings")) {
    if (!finding.is_object()) continue;
    result += fmt::format("{}: {}\n", text(finding, "check"), text(finding, "what"));
    result += fmt::format("  what to do: {}\n", text(finding, "remedy"));
  }
  return result.empty() ? "nothing found\n" : result;
}

std::string render_advice(const json& status) {
  std::string result;
  for (const auto& advice : member(status, "advice")) {
    if (!advice.is_object()) continue;
    result += row("advice", text(advice, "what"));
    if (const auto remedy = text(advice, "remedy"); !remedy.empty()) result += row("  what to do", remedy);
  }
  return result;
}

}  // namespace mip6ctl
