// Building a world and running its time. See simulation.hpp.
#include "tests/simulation/simulation.hpp"

#include "tests/simulation/running.hpp"

namespace mip6::simulation {

Simulation::Simulation(std::uint64_t seed, bool print)
    : world_{seed, print},
      drawn_{Faults::draw(world_.chance)},
      faults_{drawn_},
      options_{Options::draw(world_.chance)},
      attacker_{world_},
      network_{world_, faults_, options_.links, [this](const Packet& packet) { attacker_.watch(packet); }} {
  build();
}

Simulation::Simulation(std::uint64_t seed, bool print, const Faults& faults, const Options& options)
    : world_{seed, print},
      drawn_{faults},
      faults_{faults},
      options_{options},
      attacker_{world_},
      network_{world_, faults_, options_.links, [this](const Packet& packet) { attacker_.watch(packet); }} {
  build();
}

std::string Simulation::description() const { return options_.to_string() + "\n  " + drawn_.to_string(); }

void Simulation::run() {
  start();
  troubled();
  calm();
  part();
}

void Simulation::start() {
  for (auto& agent : agents_) {
    agent->start_process();
    if (options_.dynamic_keys) agent->start_charon();
  }
  for (auto& node : nodes_) {
    if (options_.dynamic_keys) node->start_charon();
    node->start_process();
    node->move_to(static_cast<int>(world_.chance.below(static_cast<std::uint64_t>(options_.links) + 1)), false);
  }
}

void Simulation::build() {
  std::vector<Peer> peers;
  for (int i = 0; i < options_.agents; ++i) peers.push_back({address_on(0, 1 + i), static_cast<std::uint32_t>(11 + i)});
  for (int i = 0; i < options_.nodes; ++i) {
    nodes_.push_back(std::make_unique<MobileHost>(around(), i, peers));
    const auto style = world_.chance.below(10);
    styles_.push_back(style < 6 ? Style::kTraveller : style < 8 ? Style::kThrasher : Style::kSleeper);
  }
  std::vector<Served> served;
  for (const auto& node : nodes_) served.push_back({node->party(), node->home_address(), 100u + node->party().index});
  if (options_.dynamic_keys && drawn_.attacks != 0) {
    insider_ = std::make_unique<Insider>(around());
    served.push_back({insider_->party(), insider_->home_address(), 99});
  }
  const auto defended = [this](const Ipv6Address& home_address, const AgentHost& but) {
    for (const auto& node : nodes_)
      if (node->home_address() == home_address && node->defends_home_address()) return true;
    for (const auto& agent : agents_)
      if (agent.get() != &but && agent->bound(home_address)) return true;
    return false;
  };
  for (int i = 0; i < options_.agents; ++i)
    agents_.push_back(std::make_unique<AgentHost>(around(), i, served, defended));
  if (!options_.dynamic_keys)
    for (auto& node : nodes_) new_manual_keys(*node);
}

// As an administrator does it: the same at both ends, with each home agent.
void Simulation::new_manual_keys(MobileHost& node) {
  std::vector<EspState> of_node;
  for (std::size_t i = 0; i < agents_.size(); ++i) {
    AgentHost& agent = *agents_[i];
    const auto spi = static_cast<std::uint32_t>(0x1000 + 4 * (last_key_ + 1));
    const auto key = ++last_key_;
    const auto& home_address = node.home_address();
    const auto state = [&](Direction direction, bool towards_agent, bool at_node) {
      return EspState{.direction = direction,
                      .spi = towards_agent ? spi : spi + 1,
                      .reqid = at_node ? node.peers()[i].reqid : agent.served(home_address)->reqid,
                      .key = towards_agent ? 2 * key : 2 * key + 1,
                      .local = at_node ? home_address : agent.address(),
                      .remote = at_node ? agent.address() : home_address};
    };
    of_node.push_back(state(Direction::kOut, true, true));
    of_node.push_back(state(Direction::kIn, false, true));
    agent.set_manual_keys(home_address, {state(Direction::kIn, true, false), state(Direction::kOut, false, false)});
  }
  node.set_manual_keys(std::move(of_node));
}

void Simulation::run_until(Time end) {
  while (world_.agenda.next() <= end) {
    world_.now = std::max(world_.now, world_.agenda.next());
    world_.agenda.run_first();
  }
  world_.now = end;
}

}  // namespace mip6::simulation
