// Running until something holds. For the sources of Simulation only.
#pragma once

#include "tests/simulation/simulation.hpp"

namespace mip6::simulation {

template <class Condition>
bool Simulation::run_while_not(Condition done, Duration most) {
  const Time end = world_.now + most;
  while (!done()) {
    if (world_.agenda.next() > end) {
      world_.now = end;
      return done();
    }
    world_.now = std::max(world_.now, world_.agenda.next());
    world_.agenda.run_first();
  }
  return true;
}

}  // namespace mip6::simulation
