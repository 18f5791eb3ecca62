#include "mnd/journal.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace mnd {

std::string utc(std::chrono::system_clock::time_point time) {
  using namespace std::chrono;
  const auto whole = time_point_cast<milliseconds>(time);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(system_clock::to_time_t(whole)),
                     whole.time_since_epoch().count() % 1000);
}

kernel::Level level_of(std::string_view kind) {
  return kind == "trouble" || kind == "numbers" ? kernel::Level::kWarning : kernel::Level::kInfo;
}

void Journal::add(std::string kind, std::string text, std::string remedy) {
  kernel::log(level_of(kind), kind + ": " + text + (remedy.empty() ? "" : "; " + remedy));
  events_.push_back(
      {{"time", utc(std::chrono::system_clock::now())}, {"kind", std::move(kind)}, {"text", std::move(text)}});
  if (!remedy.empty()) events_.back()["remedy"] = std::move(remedy);
  if (events_.size() > kKept) events_.pop_front();
  if (publish_) publish_(events_.back().dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

nlohmann::json Journal::to_json() const { return nlohmann::json(events_); }

}  // namespace mnd
