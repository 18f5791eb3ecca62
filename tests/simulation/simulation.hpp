// One run from one seed: a world is built, everything may fail in it and nothing wrong may happen, then the faults stop
// and everything must come right, then everybody goes home or stops and nothing may be left.
#pragma once

#include <memory>
#include <vector>

#include "tests/simulation/agent_host.hpp"
#include "tests/simulation/attacker.hpp"
#include "tests/simulation/faults.hpp"
#include "tests/simulation/insider.hpp"
#include "tests/simulation/mobile_host.hpp"
#include "tests/simulation/network.hpp"

namespace mip6::simulation {

class Simulation {
 public:
  Simulation(std::uint64_t seed, bool print);

  void run();  // throws Violation

  // Another world: one node that changes between two networks for an hour. The seed says whether K is agreed, how far
  // away the home agent is, and whether packets are lost.
  static Simulation thrashing(std::uint64_t seed, bool print);
  void run_thrashing();  // throws Violation

  const World& world() const { return world_; }
  std::string description() const;  // what the seed has drawn

 private:
  enum class Style : std::uint8_t { kTraveller, kThrasher, kSleeper };
  using Node = std::unique_ptr<MobileHost>;
  using Agent = std::unique_ptr<AgentHost>;

  Simulation(std::uint64_t seed, bool print, const Faults& faults, const Options& options);
  void build();
  void start();
  Surroundings around() { return {world_, network_, faults_, options_, last_order_}; }
  void new_manual_keys(MobileHost& node);
  void run_until(Time end);
  // Runs until `done` holds, at most for so long; gives whether it does.
  template <class Condition>
  bool run_while_not(Condition done, Duration most);

  // --- troubled.cpp ---
  void troubled();
  void happen();
  bool something_fails(MobileHost& node, AgentHost& agent);
  bool something_returns(MobileHost& node, AgentHost& agent);
  void lose_link(MobileHost& node);
  void travel(MobileHost& node, Style style);
  void fall_asleep(MobileHost& node);
  void wish(MobileHost& node);
  void use_up_numbers(MobileHost& node, std::uint64_t left);
  int other_link(const MobileHost& node);

  // --- calm.cpp ---
  void calm();
  void repair();
  bool any_misdated() const;
  // True: keys have been replaced that only the user can replace.
  bool replace_useless_keys();
  // Registered where it is, as node and home agent see it.
  bool in_place(const MobileHost& node) const;
  bool settled(const MobileHost& node) const;
  bool all_settled() const;
  void stay();
  void move_in_peace(MobileHost& node);
  bool compare_endpoints(MobileHost& node);
  void part();
  AgentHost* agent_of(const MobileHost& node) const;

  World world_;
  Faults drawn_;
  Faults faults_;
  Options options_;
  std::uint64_t last_order_ = 0;
  Attacker attacker_;
  Network network_;
  std::vector<Agent> agents_;
  std::vector<Node> nodes_;
  std::vector<Style> styles_;
  std::unique_ptr<Insider> insider_;  // only where keys are dynamic
  std::uint64_t last_key_ = 0;
};

}  // namespace mip6::simulation
