// What happened lately, for `mip6ctl events` and the log.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "mnd/linux/log.hpp"

namespace mnd {

// How an event of that kind is logged: as a warning if the user has to do something, now or soon.
kernel::Level level_of(std::string_view kind);

// "2026-11-23T08:01:02.345Z"
std::string utc(std::chrono::system_clock::time_point time);

class Journal {
 public:
  static constexpr std::size_t kKept = 256;
  using Publish = std::function<void(const std::string& line)>;

  // `kind` is one word for scripts: registered, moved, trouble, keys, ... `remedy`: what the user can do about it, if
  // anything. Also goes to the log.
  void add(std::string kind, std::string text, std::string remedy = {});
  nlohmann::json to_json() const;  // an array, oldest first
  // Called with each new event as one line of JSON.
  void on_new(Publish publish) { publish_ = std::move(publish); }

 private:
  std::deque<nlohmann::json> events_;
  Publish publish_;
};

}  // namespace mnd
