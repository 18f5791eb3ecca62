// The first phase: moves, crashes, sleep, partitions and attacks, in an order that nobody would think of.
#include "tests/simulation/simulation.hpp"

namespace mip6::simulation {

void Simulation::troubled() {
  const int begin_used = options_.used_numbers ? static_cast<int>(world_.chance.below(10)) + 3 : -1;
  for (int i = 0; i < options_.happenings; ++i) {
    run_until(world_.now + world_.chance.time(faults_.pause));
    if (i == begin_used)
      for (auto& node : nodes_)
        // Dynamic keys are renewed with some numbers left.
        use_up_numbers(*node, world_.chance.between(80, 400) + (options_.dynamic_keys ? 900 : 0));
    happen();
  }
}

void Simulation::happen() {
  const auto which = world_.chance.below(nodes_.size());
  MobileHost& node = *nodes_[which];
  AgentHost& agent = *world_.chance.pick(agents_);
  if (faults_.attacks != 0 && world_.chance.one_in(faults_.attacks)) {
    attacker_.attack(network_, nodes_, agents_, last_order_);
    if (insider_ && world_.chance.one_in(4)) insider_->ask_for(node.home_address(), agent.address());
  }
  if (something_returns(node, agent)) return;
  if (something_fails(node, agent)) return;
  if (faults_.wishes != 0 && world_.chance.one_in(faults_.wishes)) return wish(node);
  travel(node, styles_[which]);
}

bool Simulation::something_returns(MobileHost& node, AgentHost& agent) {
  auto& chance = world_.chance;
  if (!agent.runs() && chance.percent(50)) {
    agent.return_power();
    if (options_.dynamic_keys) agent.start_charon();
    agent.start_process();
    return true;
  }
  if (node.asleep()) {
    if (chance.percent(60)) node.wake(other_link(node));
    return true;
  }
  if (!node.runs()) {
    if (options_.dynamic_keys) node.start_charon();
    if (chance.percent(60)) node.start_process();
    return true;
  }
  if (!options_.dynamic_keys) return false;
  if (node.charon() == nullptr && chance.percent(60)) node.start_charon();
  if (agent.charon() == nullptr && chance.percent(60)) agent.start_charon();
  return false;
}

bool Simulation::something_fails(MobileHost& node, AgentHost& agent) {
  auto& chance = world_.chance;
  auto& crashes = world_.totals.crashes;
  const auto strikes = [&](std::uint64_t one_in) { return one_in != 0 && chance.one_in(one_in); };
  if (strikes(faults_.node_crashes)) return ++crashes, node.crash_process(), true;
  if (strikes(faults_.agent_crashes)) return ++crashes, agent.crash_process(), true;
  if (strikes(faults_.charon_crashes)) {
    ++crashes;
    return chance.percent(50) ? node.kill_charon() : agent.kill_charon(), true;
  }
  if (strikes(faults_.power_cuts)) {
    ++crashes;
    return chance.percent(60) ? node.cut_power() : agent.cut_power(), true;
  }
  if (strikes(faults_.state_losses)) return ++crashes, node.lose_state(), true;
  if (strikes(faults_.partitions)) {
    const auto link = static_cast<int>(chance.below(static_cast<std::uint64_t>(network_.links())));
    network_.cut(link, world_.now + chance.time(chance.percent(50) ? 5s : 90s));
    return true;
  }
  if (strikes(faults_.dead_links)) return lose_link(node), true;
  if (strikes(faults_.clock_jumps)) {
    const Duration by = chance.time(chance.percent(50) ? 10s : 48h);
    Host& host = chance.percent(50) ? static_cast<Host&>(node) : static_cast<Host&>(agent);
    return host.jump(chance.percent(50) ? by : -by), true;
  }
  if (strikes(faults_.key_mobility_changes)) {
    agent.set_key_mobility(!agent.key_mobility());
    return ++crashes, agent.crash_process(), true;
  }
  return false;
}

// Without an event: its router forwards nothing any more, and the node finds that out, or not even that. Then it heals.
void Simulation::lose_link(MobileHost& node) {
  auto& chance = world_.chance;
  if (node.asleep() || node.wanted() < 1 || options_.links < 2) return;
  const int link = node.wanted();
  node.reach(link % options_.links + 1);
  const Duration lasts = chance.time(chance.percent(50) ? 30s : 900s);
  network_.cut(link, world_.now + lasts);
  if (chance.percent(40)) {
    world_.later(3s, [this, &node, link] {
      if (faults_.dead_links != 0 && node.wanted() == link) node.router_lives(false);
    });
    world_.later(3s + lasts, [&node, link] {
      if (node.wanted() == link) node.router_lives(true);
    });
  }
  if (chance.percent(50)) node.refresh();
}

int Simulation::other_link(const MobileHost& node) {
  const auto links = static_cast<std::uint64_t>(options_.links) + 1;
  int link = static_cast<int>(world_.chance.below(links));
  // Home is where nodes are rarely.
  if (link == 0 && world_.chance.percent(50)) link = static_cast<int>(world_.chance.between(1, links - 1));
  return link == node.link() ? (link + 1) % static_cast<int>(links) : link;
}

void Simulation::travel(MobileHost& node, Style style) {
  auto& chance = world_.chance;
  if (style == Style::kSleeper && chance.percent(25)) return fall_asleep(node);
  if (style == Style::kThrasher && chance.percent(40)) {
    const int one = other_link(node);
    const int other = (one + 1) % (options_.links + 1);
    for (auto times = chance.between(3, 12); times > 0 && !node.asleep(); --times) {
      node.move_to(times % 2 == 0 ? one : other, chance.percent(50));
      run_until(world_.now + chance.time(300ms));
    }
    return;
  }
  const auto what = chance.below(20);
  if (what == 0) return node.detach();
  if (what == 1) return node.refresh();
  if (what == 2) return node.stop();
  node.move_to(other_link(node), chance.percent(50));
}

// What a user wants is ended as often as it begins, whether anything was wanted or not.
void Simulation::wish(MobileHost& node) {
  switch (world_.chance.below(6)) {
    case 0:
      return node.pause();
    case 1:
      return node.go_home();
    case 2:
      return node.change_credentials();
    default:
      return node.resume();
  }
}

void Simulation::fall_asleep(MobileHost& node) {
  node.sleep();
  if (nodes_.size() == 1) run_until(world_.now + world_.chance.time(world_.chance.percent(50) ? 72h : 10min));
}

// As if it had been running for months under the same keys.
void Simulation::use_up_numbers(MobileHost& node, std::uint64_t left) {
  for (auto& agent : agents_) {
    if (!agent->bound(node.home_address())) continue;
    const auto number = static_cast<std::uint16_t>(kHalfSpace - left);
    const auto& peer = node.peers()[agent->party().index];
    node.crash_process();
    agent->crash_process();
    if (const auto next = node.use_up_numbers(number, peer))
      agent->accepted_up_to(node.home_address(), SequenceNumber{static_cast<std::uint16_t>(next->value() - 1)});
    agent->start_process();
    node.start_process();
    return;
  }
}

}  // namespace mip6::simulation
