// What the last moves took, step by step, for `mip6ctl trace`. A move costs a few readings of a clock.
#pragma once

#include <chrono>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mnd {

// Who calls it tells the time: CLOCK_MONOTONIC, which libstdc++'s steady_clock is. It never goes back between calls.
class Trace {
 public:
  static constexpr std::size_t kKept = 16;   // moves
  static constexpr std::size_t kSteps = 32;  // of each; what comes after them is not kept
  using Time = std::chrono::steady_clock::time_point;

  struct Place {  // no interface: nowhere
    std::string interface;
    std::string address;
    bool operator==(const Place&) const = default;
  };

  // The kernel's notification has been read, or what is known was looked at again. If nothing comes of it, it is
  // forgotten at the next one.
  void heard(Time now);
  // The route from the address that is best now to the home agent is in the kernel.
  void path_set(Time now);
  // That notification means a move, which begins now; the one before it is over.
  void begin(Time now, Place from, Place to);
  // There is no address any more: the move under way comes to nothing.
  void end() { open_ = false; }
  // Of the move under way; nothing if there is none. `what` is a literal.
  void step(Time now, std::string_view what);
  // The home agent has acknowledged it: the move is over, unless keys are still to come.
  void registered(Time now);
  void keys_wanted(Time now);
  void keys_came(Time now);

  // An array, oldest first: [{time, monotonic_us, from, to, result, registered_us, steps: [{step, us}]}]. `time`: UTC,
  // of the notification; monotonic_us: the same by CLOCK_MONOTONIC; us: since then. registered_us: null until it is.
  nlohmann::json to_json() const;

 private:
  struct Step {
    std::string_view what;
    Time at;
  };
  struct Move {
    std::chrono::system_clock::time_point heard_wall;
    Time heard;
    Place from;
    Place to;
    std::vector<Step> steps;
    std::optional<Time> registered{};
    bool wants_keys = false;
  };
  Move* under_way() { return open_ ? &moves_.back() : nullptr; }

  std::deque<Move> moves_;
  bool open_ = false;  // the last one is under way
  Time heard_{};
  std::optional<Time> path_{};
};

}  // namespace mnd
