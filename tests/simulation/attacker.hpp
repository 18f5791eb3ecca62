// Somebody who has seen every packet: replays, forges, cuts short, and has keys of its own for an address of its own.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "tests/simulation/network.hpp"
#include "tests/simulation/world.hpp"

namespace mip6::simulation {

class AgentHost;
class MobileHost;

class Attacker {
 public:
  using Nodes = std::vector<std::unique_ptr<MobileHost>>;
  using Agents = std::vector<std::unique_ptr<AgentHost>>;

  explicit Attacker(World& world) : world_{world} {}
  void watch(const Packet& packet);
  // One attack.
  void attack(Network& network, const Nodes& nodes, const Agents& agents, std::uint64_t& last_order);
  // What a registration must survive: Binding Errors and Parameter Problems that nobody can authenticate.
  void forge_errors(Network& network, const MobileHost& node, const Ipv6Address& agent);

 private:
  void replay(Network& network);
  void forge_update(Network& network, const Nodes& nodes, const AgentHost& agent, std::uint64_t& last_order);
  void forge_acknowledgement(Network& network, const MobileHost& node, const Ipv6Address& agent);
  void speak_for_another(Network& network, const Nodes& nodes, const AgentHost& agent, std::uint64_t& last_order);
  void send_nonsense(Network& network, const Ipv6Address& agent);
  const Packet* captured();

  World& world_;
  std::vector<Packet> early_;  // the first ones, for ever
  std::deque<Packet> recent_;
};

}  // namespace mip6::simulation
