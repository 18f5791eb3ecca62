// Moves as timelines.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "mnd/ctl/render.hpp"

namespace mip6ctl {

namespace {

constexpr double kWidth = 32;  // columns of a timeline

std::string place_text(const json& place) {
  if (!place.is_object()) return "nowhere";
  return fmt::format("{} {}", text(place, "interface"), text(place, "address"));
}

double trace_ms(const json& object, const char* name) {
  const auto value = number(object, name);
  return value && std::isfinite(*value) ? std::clamp(*value, 0.0, 1e12) / 1000 : 0;
}

std::string move_text(const json& move) {
  auto result = fmt::format("{}  {}", text(move, "time"), text(move, "result"));
  if (number(move, "registered_us")) result += fmt::format(" after {:.3f} ms", trace_ms(move, "registered_us"));
  result += fmt::format("\n  from {}\n  to   {}\n", place_text(member(move, "from")), place_text(member(move, "to")));
  double last = 0;
  for (const auto& step : member(move, "steps")) last = std::max(last, trace_ms(step, "us"));
  for (const auto& step : member(move, "steps")) {
    const auto at = trace_ms(step, "us");
    const auto column = last > 0 ? static_cast<int>(at / last * (kWidth - 1)) : 0;
    result += fmt::format("{:>12.3f} ms  |{:>{}}{:>{}}|  {}\n", at, "*", column + 1, "",
                          static_cast<int>(kWidth) - column - 1, text(step, "step"));
  }
  return result;
}

}  // namespace

std::string render_trace(const json& answer) {
  std::string result;
  for (const auto& move : member(answer, "moves")) {
    if (!move.is_object()) continue;
    result += (result.empty() ? "" : "\n") + move_text(move);
  }
  return result.empty() ? "the node has not moved yet\n" : result;
}

}  // namespace mip6ctl
