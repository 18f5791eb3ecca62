// An hour of a node that changes between two networks three times a second, with numbers and keys that come to their
// end meanwhile. Then it stands still, and must be registered where it is.
#include "tests/simulation/running.hpp"
#include "tests/simulation/simulation.hpp"

namespace mip6::simulation {
namespace {

constexpr Duration kHour = std::chrono::hours{1};
constexpr Duration kChange = std::chrono::microseconds{333333};
// Of the half space, when it begins: the keys must be renewed in the midst of it.
constexpr std::uint64_t kNumbersLeft = 9000;
// The limit allows as many as there are changes.
constexpr std::uint64_t kFewestUpdates = 10000;
// After the last change: silence is noticed after seven seconds, and an interrupted attempt of IKE given up after ten.
constexpr Duration kMostTimeToTell = 30s;
// A request of the home agent's charon that was lost with an old address ends the IKE_SA 165 s later, which the node's
// asks about after 60 s.
constexpr Duration kAllDeadPeersDetected = 400s;
// Connections that the node's charon is asked for. K agreed: one where numbers are used up, some more where a change
// interrupts that. K refused: one in ten seconds; at each change they would be 10,800. Where the node changes before
// IKE's two round trips are over most of them come to nothing, and where the home agent has taken the new keys all the
// same its silence tells, after seven seconds: one in three seconds.
constexpr std::uint64_t kMostAgreed = 40;
constexpr std::uint64_t kMostRefused = 360;
constexpr std::uint64_t kMostRefusedFar = 1200;

}  // namespace

Simulation Simulation::thrashing(std::uint64_t seed, bool print) {
  Faults faults;
  faults.delay = seed / 2 % 2 == 0 ? 20ms : 150ms;
  faults.loss = seed / 4 % 2;
  Options options;
  options.links = 2;
  options.key_mobility = seed % 2 == 0;
  options.lifetime = Lifetime{420};
  options.first_number = static_cast<std::uint16_t>(seed * 7919);
  return Simulation{seed, print, faults, options};
}

void Simulation::run_thrashing() {
  start();
  MobileHost& node = *nodes_.front();
  const auto registered = [&] { return all_settled(); };
  node.move_to(1, false);
  require(run_while_not(registered, 60s), Invariant::kSettles, "a node does not register");
  run_until(world_.now + 5s);  // the disk knows the first number under the present keys
  use_up_numbers(node, kNumbersLeft);
  require(run_while_not(registered, 60s), Invariant::kSettles, "a node does not register after a restart");
  const auto before = world_.totals;
  int link = 1;
  for (const Time end = world_.now + kHour; world_.now < end; link = 3 - link) {
    node.move_to(link, world_.chance.percent(50));
    run_until(world_.now + kChange);
  }
  const auto asked = world_.totals.initiations - before.initiations;
  const auto updates = world_.totals.updates - before.updates;
  world_.note(node.party(), "stands still; {} updates, IKE asked for {} times", updates, asked);
  const bool far = faults_.delay > 100ms;
  require(updates >= kFewestUpdates, Invariant::kSettles, "a node that changes to and fro does not say so");
  require(asked > 0, Invariant::kHalfSpace, "an hour of changes did not bring new keys");
  require(asked <= (options_.key_mobility ? kMostAgreed
                    : far                 ? kMostRefusedFar
                                          : kMostRefused),
          Invariant::kUpdateRate, "a node that changes to and fro floods its home agent with IKE");
  require(run_while_not(registered, kMostTimeToTell), Invariant::kSettles,
          "after an hour of changes a node is not registered where the last one led");
  faults_ = Faults::none();
  run_until(world_.now + kAllDeadPeersDetected);
  require(run_while_not(registered, kMostTimeToTell), Invariant::kStaysRegistered,
          "after an hour of changes a node does not stay registered");
  compare_endpoints(node);
}

}  // namespace mip6::simulation
