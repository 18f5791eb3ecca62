// See render.hpp.
#include "mnd/ctl/render.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>

#include "mnd/ctl/layout.hpp"

namespace mip6ctl {

namespace {

std::string_view colour_of_state(std::string_view state) {
  if (state == "registered" || state == "at home") return kGood;
  if (state == "detached" || state == "stopped") return kBad;
  return kWaiting;
}

std::string whole(const json& object, const char* name) {
  const auto value = number(object, name);
  return value ? fmt::format("{:.0f}", *value) : "0";
}

// The state, with how long it will last.
std::string state_text(const json& status) {
  auto state = or_unknown(text(status, "state"));
  if (state == "de-registered") return state + ", until: mip6ctl resume";
  const auto expires = number(status, "expires_in_s");
  if (!expires) return state;
  const auto lifetime = number(status, "lifetime_s");
  auto result = fmt::format("{}, for another {}", state, duration_text(*expires));
  if (lifetime) result += fmt::format(" of {}", duration_text(*lifetime));
  return result;
}

// Where the node is, with the reason; `with_address` in one line.
std::string attachment_text(const json& status, bool with_address) {
  const auto& attachment = member(status, "attachment");
  if (!attachment.is_object()) return "nowhere: no interface has a usable address";
  const auto reason = text(attachment, "reason");
  auto result = or_unknown(text(attachment, "interface"));
  if (flag(attachment, "at_home").value_or(false))
    result = "home link on " + result;
  else if (with_address)
    result += ", care-of address " + or_unknown(text(attachment, "care_of"));
  return reason.empty() ? result : fmt::format("{} ({})", result, reason);
}

// Nothing at home.
std::string care_of_row(const json& status) {
  const auto& attachment = member(status, "attachment");
  if (!attachment.is_object() || flag(attachment, "at_home").value_or(false)) return {};
  return row("care-of", or_unknown(text(attachment, "care_of")));
}

std::string key_mobility_text(const json& status) {
  if (text(member(status, "keying"), "method") == "manual") return "none: manual keys have no endpoint that could move";
  const auto moves = flag(status, "key_mobility");
  if (!moves) return "not agreed yet";
  return *moves ? "agreed: keys move with the node (K)" : "refused: new keys after each move (no K)";
}

std::string keying_text(const json& status) {
  const auto& keying = member(status, "keying");
  auto result = fmt::format("{}, {}", or_unknown(text(keying, "method")), or_unknown(text(keying, "state")));
  if (const auto endpoint = text(keying, "endpoint"); !endpoint.empty()) result += " from " + endpoint;
  if (flag(keying, "migration_failed").value_or(false)) result += "; moving them failed, they are made anew";
  return result;
}

std::string counters_text(const json& status) {
  const auto& counters = member(status, "counters");
  auto result =
      fmt::format("{} sent, {} acknowledged, {} repeated, {} refused", whole(counters, "updates_sent"),
                  whole(counters, "acknowledged"), whole(counters, "retransmissions"), whole(counters, "refused"));
  if (number(counters, "rate_limited").value_or(0) > 0)
    result += fmt::format("; {} held back by the limit of 3 a second", whole(counters, "rate_limited"));
  if (number(counters, "sent_for_new_keys").value_or(0) > 0)
    result += fmt::format("; {} sent again for new keys", whole(counters, "sent_for_new_keys"));
  if (number(counters, "malformed").value_or(0) > 0)
    result += fmt::format("; {} malformed messages dropped", whole(counters, "malformed"));
  if (number(counters, "binding_errors").value_or(0) > 0)
    result += fmt::format("; {} Binding Errors", whole(counters, "binding_errors"));
  if (number(counters, "parameter_problems").value_or(0) > 0)
    result += fmt::format("; {} Parameter Problems", whole(counters, "parameter_problems"));
  return result;
}

std::string error_text(const json& status, Colours colours) {
  const auto& error = member(status, "last_error");
  if (!error.is_object()) return row("last error", "none");
  const bool current = in_trouble(status);
  const auto when = number(error, "ago_s") ? duration_text(*number(error, "ago_s")) + " ago" : "some time ago";
  const auto what = or_unknown(text(error, "what"));
  if (!current) return row("last error", fmt::format("{}: {} (over)", when, what));
  auto result = row("trouble", fmt::format("{} ({})", what, when), kBad, colours);
  if (const auto remedy = text(error, "remedy"); !remedy.empty()) result += row("  what to do", remedy);
  return result;
}

// What goes on working, but is dangerous or will end badly.
std::string warnings_text(const json& status, Colours colours) {
  std::string result;
  const auto& warnings = member(status, "warnings");
  if (!warnings.is_array()) return result;
  for (const auto& warning : warnings) {
    result += row("warning", or_unknown(text(warning, "what")), kWaiting, colours);
    if (const auto remedy = text(warning, "remedy"); !remedy.empty()) result += row("  what to do", remedy);
  }
  return result;
}

}  // namespace

std::string duration_text(double seconds) {
  // what the daemon sends is no figure to trust a conversion with
  if (!std::isfinite(seconds)) return "unknown";
  const auto total = static_cast<std::int64_t>(std::clamp(seconds, 0.0, 1e12));
  const auto hours = total / 3600;
  const auto minutes = total / 60 % 60;
  if (hours > 0) return minutes > 0 ? fmt::format("{} h {} min", hours, minutes) : fmt::format("{} h", hours);
  const auto rest = total % 60;
  if (minutes > 0) return rest > 0 ? fmt::format("{} min {} s", minutes, rest) : fmt::format("{} min", minutes);
  return fmt::format("{} s", rest);
}

bool in_trouble(const json& status) { return flag(member(status, "last_error"), "current").value_or(false); }

std::string render_status(const json& status, Colours colours) {
  std::string result;
  result += row("state", state_text(status), colour_of_state(text(status, "state")), colours);
  if (const auto on = text(status, "paused_on"); !on.empty())
    result += row("paused", fmt::format("stays on {}, until: mip6ctl resume", on), kWaiting, colours);
  result += row("home address", or_unknown(text(status, "home_address")));
  result += row("home agent", or_unknown(text(status, "home_agent")));
  result += row("attached", attachment_text(status, false));
  result += care_of_row(status);
  if (const auto at = text(status, "registered_at"); !at.empty()) result += row("registered", at);
  result += row("sequence", number(status, "sequence") ? whole(status, "sequence") : "none used yet");
  result += row("keys", keying_text(status));
  result += row("key mobility", key_mobility_text(status));
  if (const auto payload = text(status, "payload"); !payload.empty() && payload != "not protected")
    result += row("payload", payload);
  result += row("updates", counters_text(status));
  result += warnings_text(status, colours);
  result += render_advice(status);
  result += error_text(status, colours);
  return result;
}

std::string render_change(const json& status, Colours colours) {
  auto state = or_unknown(text(status, "state"));
  auto result = coloured(state, colour_of_state(state), colours) + ": " + attachment_text(status, true);
  if (number(status, "sequence")) result += ", sequence " + whole(status, "sequence");
  result += ", keys " + or_unknown(text(member(status, "keying"), "state"));
  if (in_trouble(status))
    result += "; " + coloured(or_unknown(text(member(status, "last_error"), "what")), kBad, colours);
  return result;
}

std::string render_event(const json& event, Colours colours) {
  const auto kind = or_unknown(text(event, "kind"));
  const auto padded = fmt::format("{:<12}", kind);
  const auto remedy = text(event, "remedy");
  return fmt::format("{}  {}  {}{}{}", text(event, "time"),
                     kind == "trouble" ? coloured(padded, kBad, colours) : padded, text(event, "text"),
                     remedy.empty() ? "" : "; ", remedy);
}

}  // namespace mip6ctl
