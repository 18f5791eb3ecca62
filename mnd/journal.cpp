#include "mnd/journal.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace mnd {

namespace {

std::string utc_now() {
  using namespace std::chrono;
  const auto now = time_point_cast<milliseconds>(system_clock::now());
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(system_clock::to_time_t(now)),
                     now.time_since_epoch().count() % 1000);
}

}  // namespace

kernel::Level level_of(std::string_view kind) {
  return kind == "trouble" || kind == "numbers" ? kernel::Level::kWarning : kernel::Level::kInfo;
}

void Journal::add(std::string kind, std::string text, std::string remedy) {
  kernel::log(level_of(kind), kind + ": " + text + (remedy.empty() ? "" : "; " + remedy));
  events_.push_back({{"time", utc_now()}, {"kind", std::move(kind)}, {"text", std::move(text)}});
  if (!remedy.empty()) events_.back()["remedy"] = std::move(remedy);
  if (events_.size() > kKept) events_.pop_front();
  if (publish_) publish_(events_.back().dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

nlohmann::json Journal::to_json() const { return nlohmann::json(events_); }

}  // namespace mnd
