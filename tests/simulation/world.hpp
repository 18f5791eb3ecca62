// What surrounds the cores in a simulation: a virtual clock with its agenda, chance from a seed, and the faults.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>

#include "libmip6/time.hpp"

namespace mip6::simulation {

using namespace std::chrono_literals;

// A rule that did not hold.
struct Violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline void require(bool holds, const std::string& rule) {
  if (!holds) throw Violation{rule};
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_{seed} {}
  // 0 to bound - 1. Not std::uniform_int_distribution: a seed must mean the same with every standard library.
  std::uint64_t below(std::uint64_t bound) { return engine_() % bound; }
  bool chance(int percent) { return below(100) < static_cast<std::uint64_t>(percent); }
  Duration time(Duration longest) {
    return 1ms + Duration{static_cast<Duration::rep>(below(static_cast<std::uint64_t>(longest.count())))};
  }

 private:
  std::mt19937_64 engine_;
};

// Drawn once per seed; some are off entirely, so that the others reach further.
struct Faults {
  int loss = 0;       // percent of the messages
  int duplicate = 0;  // percent of the messages
  int disk = 0;       // percent of the writes that fail
  Duration delay{};   // longest, of a message; what comes later overtakes what came earlier
  bool node_crashes = false;
  bool agent_crashes = false;
  bool keys_vanish = false;
  Duration pause{};  // longest, between two happenings

  static Faults draw(Random& random) {
    Faults faults;
    faults.loss = random.chance(30) ? 0 : static_cast<int>(random.below(50));
    faults.duplicate = random.chance(50) ? 0 : static_cast<int>(random.below(30));
    faults.disk = random.chance(60) ? 0 : static_cast<int>(random.below(30));
    faults.delay = random.chance(50) ? Duration{20ms} : random.time(3s);
    faults.node_crashes = random.chance(50);
    faults.agent_crashes = random.chance(50);
    faults.keys_vanish = random.chance(30);
    constexpr Duration kPauses[] = {50ms, 1s, 10s};
    faults.pause = kPauses[random.below(3)];
    return faults;
  }
  static Faults none() {
    Faults calm;
    calm.delay = 20ms;
    calm.pause = 10s;
    return calm;
  }
  std::string to_string() const {
    return "loss=" + std::to_string(loss) + "% duplicate=" + std::to_string(duplicate) +
           "% disk=" + std::to_string(disk) + "% delay=" + std::to_string(delay / 1ms) +
           "ms node-crashes=" + std::to_string(node_crashes) + " agent-crashes=" + std::to_string(agent_crashes) +
           " keys-vanish=" + std::to_string(keys_vanish) + " pause=" + std::to_string(pause / 1ms) + "ms";
  }
};

class Agenda {
 public:
  void at(BootTime time, std::function<void()> task) { tasks_.emplace(time, std::move(task)); }
  BootTime next() const { return tasks_.empty() ? BootTime::max() : tasks_.begin()->first; }
  void run_first() {
    const auto task = std::move(tasks_.begin()->second);
    tasks_.erase(tasks_.begin());
    task();
  }

 private:
  std::multimap<BootTime, std::function<void()>> tasks_;
};

}  // namespace mip6::simulation
