// The same work in several processes, and what they found added up.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "tests/simulation/world.hpp"

namespace mip6::simulation {

struct Sums {
  std::uint64_t seeds = 0;
  std::uint64_t failed = 0;
  std::uint64_t hash = 0;
  Totals totals;
};

// `work` for each job from 0 to jobs - 1, each in a process of its own (in this one if there is only one). Empty, and
// told on standard error: one of them ended early.
std::optional<Sums> in_processes(unsigned jobs, const std::function<Sums(unsigned job)>& work);

}  // namespace mip6::simulation
