// What happened lately, for `mip6-ha events`: a ring, so that what peers do cannot fill the memory.
#pragma once

#include <cstdint>
#include <deque>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace mip6ha {

class Events {
 public:
  static constexpr std::size_t kKept = 1000;
  static constexpr std::size_t kMaxText = 300;           // bytes of each text; more is cut off
  static constexpr std::size_t kMaxAnswer = 512 * 1024;  // bytes of JSON; the oldest are left out

  // `node` empty: it concerns none. What is told again of the same node is counted, not repeated.
  void add(std::int64_t unix_ms, std::string_view node, std::string_view what, std::string_view remedy = {});
  // An array, oldest first: time, node, what, remedy, count.
  nlohmann::json to_json() const;

 private:
  struct Event {
    std::int64_t unix_ms = 0;  // of the last time
    std::string node;
    std::string what;
    std::string remedy;
    std::uint64_t count = 1;
  };
  std::deque<Event> events_;
};

}  // namespace mip6ha
