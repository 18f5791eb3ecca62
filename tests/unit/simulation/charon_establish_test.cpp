// Two pretended charons under the keying cores: establishing, and who is refused.
#include "libmip6/defect.hpp"
#include "tests/catch.hpp"
#include "tests/unit/simulation/charon_world.hpp"

using namespace charon_test;

namespace {

struct Plant {  // for one test
  explicit Plant(Defect defect) { planted_defect = defect; }
  ~Plant() { planted_defect = Defect::kNone; }
};

bool agent_has_states_for(Agent& agent, const Ipv6Address& home) {
  const auto& states = agent.kernel.states();
  return std::any_of(states.begin(), states.end(), [&](const EspState& one) { return one.remote == home; });
}

}  // namespace

TEST_CASE("the right secret gives both ends the same keys, with four packets") {
  Pair pair;
  CHECK(pair.packets == 4);
  CHECK(pair.node.keys);
  CHECK(pair.node.fresh == 1);
  CHECK(pair.agent.keys.contains(home_of(1)));
  CHECK(agree(pair.node, pair.agent));
  CHECK(pair.node.kernel.states().size() == 2);
  CHECK(pair.agent.kernel.states().size() == 2);
  CHECK(pair.node.troubles.empty());
  CHECK(pair.agent.troubles.empty());
  CHECK(pair.node.events == std::vector<std::string>{"ike-updown", "child-updown"});
}

TEST_CASE("a wrong secret is refused") {
  World world;
  Agent agent(world);
  Node node(world, 1, "another secret", 1);
  agent.connect();
  node.connect();
  node.handle(ike::EstablishAsked{kFirst});
  world.pass(5s);
  CHECK_FALSE(node.keys);
  CHECK(node.troubles.find("wrong secret or identity") != std::string::npos);
  CHECK(agent.troubles.find("authentication of node1@example.org") != std::string::npos);
  CHECK(node.kernel.states().empty());
  CHECK(agent.kernel.states().empty());
  CHECK(agent.charon->ike_sas() == 0);
}

TEST_CASE("an unknown identity is refused") {
  World world;
  Agent agent(world);
  Node node(world, 7);
  agent.connect();
  node.connect();
  node.handle(ike::EstablishAsked{kFirst});
  world.pass(5s);
  CHECK_FALSE(node.keys);
  CHECK(agent.kernel.states().empty());
}

TEST_CASE("a node gets no keys for another node's home address") {
  World world;
  Agent agent(world);
  Node node(world, 2, secret_of(2), 1);
  agent.connect();
  node.connect();
  node.handle(ike::EstablishAsked{kFirst});
  world.pass(5s);
  CHECK_FALSE(node.keys);
  CHECK(node.troubles.find("does not have home address") != std::string::npos);
  CHECK_FALSE(agent_has_states_for(agent, home_of(1)));
  world.pass(60s);
  node.handle(ike::StopAsked{});
  world.pass(40s);
  CHECK(agent.charon->ike_sas() == 0);
}

TEST_CASE("with the defect that the selectors are not looked at, a node gets keys for another's home address") {
  const Plant plant(Defect::kPeerSelectorAny);
  World world;
  Agent agent(world);
  Node node(world, 2, secret_of(2), 1);
  agent.connect();
  node.connect();
  node.handle(ike::EstablishAsked{kFirst});
  world.pass(5s);
  CHECK(node.keys);
  CHECK(agent_has_states_for(agent, home_of(1)));
}

TEST_CASE("a home agent that nobody answers for is said to be silent, and found when it is there") {
  World world;
  Agent agent(world);
  Node node(world);
  node.connect();
  node.handle(ike::EstablishAsked{kFirst});
  world.pass(20s);
  CHECK_FALSE(node.keys);
  CHECK(node.troubles.find("does not answer IKE") != std::string::npos);
  agent.connect();
  world.pass(60s);
  CHECK(node.keys);
  CHECK(agree(node, agent));
}

TEST_CASE("a charon without our connection answers that it has no proposal for us") {
  World world;
  Agent agent(world);
  Node node(world);
  agent.start_charon();
  node.connect();
  node.handle(ike::EstablishAsked{kFirst});
  world.pass(1s);
  CHECK(node.troubles.find("has no connection for us") != std::string::npos);
}

TEST_CASE("what was lost is sent again after four seconds") {
  World world;
  Agent agent(world);
  Node node(world);
  agent.connect();
  node.connect();
  world.pass(1s);
  world.loss = 100;
  node.handle(ike::EstablishAsked{kFirst});
  world.pass(1s);
  world.loss = 0;
  world.pass(2900ms);
  CHECK_FALSE(node.keys);
  world.pass(500ms);
  CHECK(node.keys);
}

TEST_CASE("loss and repetition delay an establishment, and no more") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    World world(seed);
    world.loss = 40;
    world.duplicate = 20;
    world.longest_delay = 300ms;
    Agent agent(world);
    Node node(world);
    agent.connect();
    node.connect();
    node.handle(ike::EstablishAsked{kFirst});
    world.pass(120s);
    world.loss = 0;
    world.pass(400s);
    CHECK(node.keys);
    CHECK(agree(node, agent));
    CHECK(node.charon->ike_sas() == 1);
    CHECK(agent.charon->ike_sas() == 1);
    CHECK(node.kernel.states().size() == 2);
    CHECK(agent.kernel.states().size() == 2);
  }
}

TEST_CASE("one charon serves twenty nodes, each with keys of its own") {
  World world;
  Agent agent(world, 20);
  agent.connect();
  std::vector<std::unique_ptr<Node>> nodes;
  for (int i = 1; i <= 20; ++i) {
    nodes.push_back(std::make_unique<Node>(world, i));
    nodes.back()->addresses = {address("2001:db8:b" + std::to_string(i) + "::7")};
    nodes.back()->connect();
  }
  world.pass(1s);
  for (auto& node : nodes) node->handle(ike::EstablishAsked{*node->addresses.begin()});
  world.pass(2s);
  std::set<std::uint64_t> keys;
  for (int i = 1; i <= 20; ++i) {
    CHECK(agree(*nodes[static_cast<std::size_t>(i - 1)], agent, i));
  }
  for (const auto& state : agent.kernel.states()) keys.insert(state.key);
  CHECK(keys.size() == 40);
}

TEST_CASE("the same seed gives the same run") {
  const auto run = [](std::uint64_t seed) {
    Pair pair(seed);
    pair.world.loss = 30;
    pair.node.addresses = {kSecond};
    pair.node.handle(ike::ReestablishAsked{kSecond, false});
    pair.world.pass(100s);
    return pair.world.trace;
  };
  CHECK(run(7) == run(7));
  CHECK(run(7) != run(8));
}
