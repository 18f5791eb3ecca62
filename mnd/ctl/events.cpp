// mip6ctl events [--follow] [--since TIME]
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <charconv>

#include "mnd/ctl/commands.hpp"

namespace mip6ctl {

namespace {

using std::chrono::system_clock;

std::optional<std::chrono::seconds> unit_of(std::string_view name) {
  if (name == "s") return std::chrono::seconds{1};
  if (name == "m" || name == "min") return std::chrono::minutes{1};
  if (name == "h") return std::chrono::hours{1};
  if (name == "d") return std::chrono::days{1};
  return std::nullopt;
}

// "2026-11-27T08:22:35.785Z" from the tenth character on.
bool begins_time(std::string_view text) {
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:dd.dddZ";
  constexpr std::size_t kDate = 10;
  if (text.size() < kDate || text.size() > kForm.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (kForm[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != kForm[i]) return false;
  return true;
}

bool show(const json& event, const Options& options, const std::string& since) {
  if (text(event, "time") < since) return true;
  return print((options.json ? one_line(event) : render_event(event, options.colours)) + "\n");
}

}  // namespace

std::optional<std::string> since_text(const std::string& since, system_clock::time_point now) {
  if (since.empty() || begins_time(since)) return since;
  long count = 0;
  const auto* end = since.data() + since.size();
  const auto [rest, error] = std::from_chars(since.data(), end, count);
  const auto unit = unit_of({rest, end});
  constexpr long kMost = 1'000'000;
  if (error != std::errc{} || !unit || count < 0 || count > kMost) return std::nullopt;
  const auto then = system_clock::to_time_t(now - count * *unit);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}", fmt::gmtime(then));
}

int run_events(const Options& options) {
  const auto since = since_text(options.since, system_clock::now());
  if (!since)
    return fail({fmt::format("'{}' is no time", printable(options.since)), "write 10min, 2h, or 2026-11-27T08:22"},
                kUsage);
  auto conversation = ask(options, {{"command", "events"}, {"follow", options.follow}});
  if (!conversation) return conversation.error();
  auto& answer = conversation->answer;
  if (options.json && !options.follow) {
    if (member(answer, "events").is_array())
      std::erase_if(answer["events"].get_ref<json::array_t&>(),
                    [&](const json& event) { return text(event, "time") < *since; });
    return print(one_line(answer) + "\n") ? kOk : kFailed;
  }
  for (const auto& event : member(answer, "events"))
    if (event.is_object() && !show(event, options, *since)) return kFailed;
  while (options.follow) {
    const auto event = conversation->client.receive(std::nullopt);
    if (!event) return fail(event.error(), kNotRunning);
    // the stream may carry other objects too
    if (member(*event, "kind").is_string() && !show(*event, options, *since)) return kFailed;
  }
  return kOk;
}

}  // namespace mip6ctl
