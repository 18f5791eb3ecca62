#include "examples/home-agent/events.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

namespace mip6ha {
namespace {

using nlohmann::json;

// A peer may have chosen parts of it.
std::string safe(std::string_view text) {
  std::string result{text.substr(0, Events::kMaxText)};
  std::replace_if(
      result.begin(), result.end(), [](char one) { return static_cast<unsigned char>(one) < 0x20 || one == 0x7f; },
      '?');
  return result;
}

std::string utc_with_ms(std::int64_t unix_ms) {
  constexpr std::int64_t kMs = 1000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(unix_ms / kMs)),
                     unix_ms % kMs);
}

}  // namespace

void Events::add(std::int64_t unix_ms, std::string_view node, std::string_view what, std::string_view remedy) {
  Event event{.unix_ms = unix_ms, .node = safe(node), .what = safe(what), .remedy = safe(remedy)};
  // A node that is refused a thousand times must not drive out what the others did.
  constexpr std::size_t kLookBack = 8;
  const auto from = events_.size() > kLookBack ? events_.end() - kLookBack : events_.begin();
  const auto same = std::find_if(from, events_.end(), [&](const Event& one) {
    return one.node == event.node && one.what == event.what && one.remedy == event.remedy;
  });
  if (same != events_.end()) {
    event.count = same->count + 1;
    events_.erase(same);
  }
  events_.push_back(std::move(event));
  if (events_.size() > kKept) events_.pop_front();
}

json Events::to_json() const {
  json list = json::array();
  std::size_t size = 0;
  for (auto event = events_.rbegin(); event != events_.rend(); ++event) {
    list.push_back({{"time", utc_with_ms(event->unix_ms)},
                    {"node", event->node},
                    {"what", event->what},
                    {"remedy", event->remedy},
                    {"count", event->count}});
    size += list.back().dump(-1, ' ', false, json::error_handler_t::replace).size();
    if (size <= kMaxAnswer) continue;
    list.erase(list.size() - 1);
    break;
  }
  std::reverse(list.begin(), list.end());
  return list;
}

}  // namespace mip6ha
