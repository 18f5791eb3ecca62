// Swarm testing: many faults are off in one run, so that those that are on reach further.
#include "tests/simulation/faults.hpp"

#include <fmt/format.h>

#include <array>

namespace mip6::simulation {

Faults Faults::draw(Chance& chance) {
  const auto some = [&](std::uint64_t likely, std::uint64_t most) {
    return chance.percent(likely) ? 1 + chance.below(most) : 0;
  };
  const auto one_in = [&](std::uint64_t likely) { return chance.percent(likely) ? chance.between(6, 40) : 0; };
  Faults faults;
  faults.loss = some(60, 50);
  faults.duplicate = some(40, 30);
  faults.delay = chance.percent(60) ? Duration{20ms} : chance.time(3s);
  faults.disk_refuses = some(30, 30);
  faults.disk_slow = some(30, 30);
  faults.node_crashes = one_in(40);
  faults.agent_crashes = one_in(40);
  faults.charon_crashes = one_in(30);
  faults.power_cuts = one_in(25);
  faults.partitions = one_in(25);
  faults.dead_links = one_in(30);
  faults.clock_jumps = one_in(20);
  faults.state_losses = chance.percent(8) ? chance.between(20, 80) : 0;
  faults.key_mobility_changes = one_in(15);
  faults.wishes = one_in(25);
  faults.attacks = chance.percent(70) ? chance.between(3, 12) : 0;
  faults.kernel_refusals = chance.percent(10) ? chance.between(5, 40) : 0;
  constexpr std::array<Duration, 5> kPauses{50ms, 500ms, 3s, 20s, 10min};
  faults.pause = kPauses[chance.below(kPauses.size())];
  return faults;
}

std::string Faults::to_string() const {
  return fmt::format(
      "loss={}% duplicate={}% delay={}ms disk-refuses={}% disk-slow={}% node-crashes=1/{} agent-crashes=1/{} "
      "charon-crashes=1/{} power-cuts=1/{} partitions=1/{} dead-links=1/{} clock-jumps=1/{} state-losses=1/{} "
      "k-changes=1/{} wishes=1/{} "
      "attacks=1/{} kernel-refusals={}% pause={}ms",
      loss, duplicate, delay / 1ms, disk_refuses, disk_slow, node_crashes, agent_crashes, charon_crashes, power_cuts,
      partitions, dead_links, clock_jumps, state_losses, key_mobility_changes, wishes, attacks, kernel_refusals,
      pause / 1ms);
}

Options Options::draw(Chance& chance) {
  Options options;
  // Most worlds are small: two parties are enough for most of what goes wrong, and a small world is a quick one.
  options.nodes = chance.percent(70) ? 1 : chance.percent(80) ? 2 : static_cast<int>(chance.between(3, 20));
  options.agents = chance.percent(75) ? 1 : static_cast<int>(chance.between(2, 3));
  options.links = static_cast<int>(chance.between(2, 4));
  options.dynamic_keys = chance.percent(75);
  options.key_mobility = chance.percent(60);
  options.anti_replay = options.dynamic_keys && chance.percent(60);
  options.duplicate_address_detection = chance.percent(80);
  options.used_numbers = chance.percent(20);
  constexpr std::array<Lifetime, 4> kLifetimes{Lifetime{20}, Lifetime{60}, Lifetime{420}, Lifetime{3600}};
  options.lifetime = kLifetimes[chance.below(kLifetimes.size())];
  options.happenings = static_cast<int>(options.nodes > 4 ? chance.between(40, 80) : chance.between(20, 120));
  options.drift = chance.percent(50) ? static_cast<int>(chance.between(1, 200)) : 0;
  options.first_number =
      static_cast<std::uint16_t>(chance.percent(30) ? 65536 - chance.between(1, 40) : chance.below(65536));
  return options;
}

std::string Options::to_string() const {
  return fmt::format(
      "nodes={} agents={} links={} keys={} k={} anti-replay={} dad={} used-numbers={} lifetime={}s "
      "happenings={} drift={}ppm first-number={}",
      nodes, agents, links, dynamic_keys ? "dynamic" : "manual", key_mobility, anti_replay, duplicate_address_detection,
      used_numbers, lifetime.count(), happenings, drift, first_number);
}

}  // namespace mip6::simulation
