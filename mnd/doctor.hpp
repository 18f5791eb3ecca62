// What could be better, with what to do about it: for `mip6ctl doctor`, and the advice in `mip6ctl status`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmip6/time.hpp"

namespace mnd {

// What the checks look at, as values.
struct Health {
  bool manual_keys = false;
  bool charon_connected = false;  // with dynamic keys
  // Of the 2^15 sequence numbers that are safe under the present keys; empty: it is not known which are used.
  std::optional<std::uint16_t> numbers_used = std::uint16_t{0};
  // Sequence numbers per second: on the average for moves alone, and for everything in the busiest ten minutes.
  double movement_rate = 0;
  double highest_rate = 0;
  std::uint32_t held_back = 0;  // updates, by the limit of MAX_UPDATE_RATE, in the last ten minutes
  mip6::Duration horizon{};     // setting forecast-horizon
  struct Wrong {
    std::string what;
    std::string remedy;
  };
  std::optional<Wrong> keys{};   // why the manual keys are not used
  std::optional<Wrong> state{};  // what the disk refuses
};

struct Finding {
  std::string check;
  std::string what;
  std::string remedy;
  bool advice = false;  // nothing is broken: `status` shows it beside the trouble
};

// In the order of importance; empty: nothing found.
std::vector<Finding> examine(const Health& health);

// The part of the sequence space that is used, for people: "used 29500 of 32768 sequence numbers ...". Empty while
// there is plenty.
std::string numbers_warning(std::uint16_t used);

}  // namespace mnd
