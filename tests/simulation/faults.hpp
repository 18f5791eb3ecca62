// What a seed draws: how large the world is, what goes wrong in it, and how often.
#pragma once

#include <string>

#include "libmip6/wire/values.hpp"
#include "tests/simulation/world.hpp"

namespace mip6::simulation {

struct Faults {
  // network, in percent of the packets
  std::uint64_t loss = 0;
  std::uint64_t duplicate = 0;
  Duration delay = 20ms;  // longest; what comes later overtakes what came earlier
  // disk, in percent of the writes
  std::uint64_t disk_refuses = 0;
  std::uint64_t disk_slow = 0;
  // happenings: one in so many is a ..., 0: never
  std::uint64_t node_crashes = 0;
  std::uint64_t agent_crashes = 0;
  std::uint64_t charon_crashes = 0;
  std::uint64_t power_cuts = 0;
  std::uint64_t partitions = 0;
  std::uint64_t dead_links = 0;  // that the node uses, while another one is in reach
  std::uint64_t clock_jumps = 0;
  std::uint64_t state_losses = 0;
  std::uint64_t key_mobility_changes = 0;
  std::uint64_t wishes = 0;  // of the node's user: pause, home, resume, a reload
  std::uint64_t attacks = 0;
  std::uint64_t kernel_refusals = 0;  // percent of the calls that move an IKE endpoint
  Duration pause = 1s;                // longest, between two happenings

  static Faults draw(Chance& chance);
  static Faults none() { return {}; }
  std::string to_string() const;
};

// What stays the same over a whole run.
struct Options {
  int nodes = 1;
  int agents = 1;
  int links = 3;  // beside the home link; each behind a router of its own
  bool dynamic_keys = true;
  bool key_mobility = true;  // the home agents agree to K
  bool anti_replay = true;   // of ESP
  bool duplicate_address_detection = true;
  bool used_numbers = false;  // begins close to 2^15 numbers under the present keys
  Lifetime lifetime{60};
  int happenings = 60;
  int drift = 0;  // ppm, most
  std::uint16_t first_number = 0;

  static Options draw(Chance& chance);
  std::string to_string() const;
};

}  // namespace mip6::simulation
