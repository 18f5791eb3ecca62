// Nodes and a home agent with their keying cores, a pretended charon and kernel each, and the network between them.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "ike-glue/agent_keying.hpp"
#include "ike-glue/node_keying.hpp"
#include "tests/simulation/charon_model.hpp"

namespace charon_test {

using namespace mip6;
using namespace mip6::simulation;
using namespace std::chrono_literals;

inline Ipv6Address address(const std::string& text) { return Ipv6Address::parse(text).value(); }
inline const auto kAgent = address("2001:db8:1::1");
inline const auto kFirst = address("2001:db8:a1::7");
inline const auto kSecond = address("2001:db8:a2::7");
inline const auto kThird = address("2001:db8:a3::7");
inline Ipv6Address home_of(int number) { return address("2001:db8:1::1:" + std::to_string(number)); }
inline std::string identity_of(int number) { return "node" + std::to_string(number) + "@example.org"; }
inline std::string secret_of(int number) { return "secret " + std::to_string(number); }
constexpr std::uint32_t kNodeReqid = 11;
inline std::uint32_t agent_reqid_of(int number) { return 1000 + static_cast<std::uint32_t>(number); }

class Host;

class World {
 public:
  explicit World(std::uint64_t seed = 1) : engine_(seed) {}
  std::uint64_t draw(std::uint64_t bound) { return engine_() % bound; }
  void later(Duration wait, std::function<void()> task) { agenda_.emplace(now + wait, std::move(task)); }
  void pass(Duration time) {
    const auto end = now + time;
    while (!agenda_.empty() && agenda_.begin()->first <= end) {
      auto entry = agenda_.extract(agenda_.begin());
      now = entry.key();
      entry.mapped()();
    }
    now = end;
  }
  void carry(const IkePacket& packet);

  BootTime now{1000s};
  std::vector<Host*> hosts;
  std::uint64_t loss = 0;       // percent
  std::uint64_t duplicate = 0;  // percent
  std::string lost_kind;        // packets of this kind are (kind_of())
  Duration longest_delay = 10ms;
  int carried = 0;
  std::string trace;
  CharonModel::Times times;

 private:
  std::mt19937_64 engine_;
  std::multimap<BootTime, std::function<void()>> agenda_;
};

// What node and home agent have in common.
class Host {
 public:
  explicit Host(World& its_world)
      : world(its_world), kernel({[this] { return world.now; }, [this] { return (world.now - BootTime{}) / 1s; }}) {
    world.hosts.push_back(this);
  }
  virtual ~Host() = default;
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  void start_charon() {
    CharonModel::Surroundings around;
    around.later = [this](Duration wait, std::function<void()> task) { world.later(wait, std::move(task)); };
    around.send = [this](const IkePacket& packet) {
      if (addresses.contains(packet.source)) world.carry(packet);
    };
    around.random = [this](std::uint64_t bound) { return world.draw(bound); };
    around.has_address = [this](const Ipv6Address& address) { return addresses.contains(address); };
    around.tell = [this](ike::CharonEvent event) {
      events.push_back(event.name);
      told(std::move(event));
    };
    charon = std::make_unique<CharonModel>(std::move(around), kernel, world.times);
  }
  virtual void told(ike::CharonEvent event) = 0;

  World& world;
  SaDatabase kernel;
  std::set<Ipv6Address> addresses;
  std::unique_ptr<CharonModel> charon;
  std::vector<std::string> events;
  std::string troubles;
};

inline void World::carry(const IkePacket& packet) {
  ++carried;
  trace += std::string(kind_of(packet)) + ' ' + packet.source.to_string() + '\n';
  const auto deliver = [this, packet] {
    for (auto* host : hosts)
      if (host->addresses.contains(packet.destination) && host->charon) host->charon->receive(packet);
  };
  const auto delay = [this] {
    return Duration{static_cast<Duration::rep>(draw(static_cast<std::uint64_t>(longest_delay.count())))};
  };
  if (draw(100) >= loss && kind_of(packet) != lost_kind) later(delay(), deliver);
  if (draw(100) < duplicate) later(delay(), deliver);
}

// Drives a keying core: `Self` performs what is its own.
template <typename Self, typename Core, typename Event>
class Driven : public Host {
 public:
  bool follows = true;  // what the kernel tells charon of a move is heeded

  template <typename Policy>
  Driven(World& its_world, Policy policy) : Host(its_world), core(std::make_unique<Core>(std::move(policy))) {}

  void handle(Event event) {
    auto actions = core->handle(event, world.now);
    for (auto& action : actions) std::visit([this](auto& one) { static_cast<Self*>(this)->perform(one); }, action);
    const auto next = core->next_deadline();
    if (!next || next == armed_) return;
    armed_ = next;
    world.later(std::max(*next - world.now, Duration{}), [this, at = *next] {
      if (armed_ != at) return;
      armed_.reset();
      handle(ike::DeadlineReached{});
    });
  }
  void told(ike::CharonEvent event) override { handle(std::move(event)); }
  void connect() {
    start_charon();
    handle(ike::CharonConnected{});
  }
  void kill_charon() {
    charon.reset();
    handle(ike::CharonDisconnected{{}});
  }

  void perform(const ike::Request& request) {
    if (!charon) return;
    charon->request(request, [this, id = request.id](auto response) {
      const auto* text = response ? response->message.text("errmsg") : nullptr;
      if (text && text->starts_with("the model")) troubles += *text;
      handle(ike::Answered{id, std::move(response)});
    });
  }
  void perform(const ike::Trouble& action) { troubles += action.what + '\n'; }
  void perform(const ike::Step&) {}
  void perform(const ike::Stopped&) { stopped = true; }

  std::unique_ptr<Core> core;
  bool stopped = false;

 private:
  std::optional<BootTime> armed_;
};

class Node : public Driven<Node, ike::NodeKeying, ike::NodeKeyingEvent> {
 public:
  // `claimed`: whose home address it asks for.
  Node(World& its_world, int number, const std::string& secret, int claimed)
      : Driven(its_world, ike::NodeKeyingPolicy{home_of(claimed),
                                                kAgent,
                                                {identity_of(number), "ha@example.org", ike::PreSharedKey{secret}},
                                                kNodeReqid}),
        home(home_of(claimed)) {
    addresses = {kFirst};
  }
  explicit Node(World& its_world, int number = 1) : Node(its_world, number, secret_of(number), number) {}

  void told(ike::CharonEvent event) override {
    if (event.name != "log" || follows_log) Driven::told(std::move(event));
  }

  using Driven::perform;
  void perform(const ike::FollowLog& action) { follows_log = action.follow; }
  void perform(const ike::KeysUp& action) {
    keys = true;
    spi_in = action.spi_in;
    spi_out = action.spi_out;
    fresh += action.fresh ? 1 : 0;
  }
  void perform(const ike::KeysDown&) {
    keys = false;
    ++losses;
  }
  void perform(const ike::MoveOwnEndpoint& action) {
    if (follows) charon->migrate(kNodeReqid, action.local, kAgent);
    world.later(0s, [this] { handle(ike::OwnEndpointMoved{}); });
  }
  void perform(const ike::ChildUp&) {}  // none but the Mobility Header's is asked for
  void perform(const ike::ChildDown&) {}
  void perform(const ike::DeleteChildStatesExcept&) {}
  void perform(const ike::DeleteStatesExcept& action) { kernel.remove_except(kNodeReqid, home, kAgent, action.spis); }

  Ipv6Address home;
  bool keys = false;
  bool follows_log = false;
  int fresh = 0;   // times that keys came which were never used
  int losses = 0;  // times that keys went
  std::uint32_t spi_in = 0;
  std::uint32_t spi_out = 0;
};

class Agent : public Driven<Agent, ike::AgentKeying, ike::AgentKeyingEvent> {
 public:
  static ike::AgentKeyingPolicy policy_for(int nodes) {
    ike::AgentKeyingPolicy policy{kAgent, {}};
    for (int i = 1; i <= nodes; ++i)
      policy.nodes.push_back({"node" + std::to_string(i),
                              home_of(i),
                              {"ha@example.org", identity_of(i), ike::PreSharedKey{secret_of(i)}},
                              agent_reqid_of(i)});
    return policy;
  }
  explicit Agent(World& its_world, int nodes = 2) : Driven(its_world, policy_for(nodes)) { addresses = {kAgent}; }

  using Driven::perform;
  void perform(const ike::PeerKeysUp& action) { keys.insert(action.home_address); }
  void perform(const ike::PeerKeysDown& action) { keys.erase(action.home_address); }
  void perform(const ike::PeerChildUp&) {}
  void perform(const ike::PeerChildDown&) {}
  void perform(const ike::NotePeerStates&) {}
  void perform(const ike::DeletePeerStatesExcept& action) {
    kernel.remove_except(action.reqid, kAgent, action.home_address, action.spis);
  }
  void perform(const ike::PeerMoveAgain& action) {
    if (follows) charon->migrate(agent_reqid_of(1), kAgent, action.care_of);
  }
  void perform(const ike::PeerMoveFailed&) { move_failed = true; }
  void perform(const ike::PeerRefused&) {}
  void perform(const ike::PeerEstablished&) {}
  void perform(const ike::PeerKeysChanged&) {}

  std::set<Ipv6Address> keys;  // of these home addresses
  bool move_failed = false;
};

// One packet from each side goes through the other's kernel, with the keys that each would take now.
inline bool agree(Node& node, Agent& agent, int number = 1) {
  const auto reqid = agent_reqid_of(number);
  auto* update = node.kernel.outbound(kNodeReqid, node.home, kAgent);
  auto* answer = agent.kernel.outbound(reqid, kAgent, node.home);
  if (!update || !answer) return false;
  const auto* at_agent = agent.kernel.open(node.kernel.protect(*update));
  const auto* at_node = node.kernel.open(agent.kernel.protect(*answer));
  return at_agent && at_agent->reqid == reqid && at_agent->remote == node.home && at_node &&
         at_node->reqid == kNodeReqid && at_node->local == node.home;
}

// The usual beginning: keys from kFirst, no packet counted.
struct Pair {
  explicit Pair(std::uint64_t seed = 1, CharonModel::Times times = {}) : world(seed) {
    world.times = times;
    agent.connect();
    node.connect();
    world.pass(1s);
    node.handle(ike::EstablishAsked{kFirst});
    world.pass(2s);
    packets = world.carried;
    world.carried = 0;
  }
  // Both kernels told their charon, both cores know.
  void move_both(const Ipv6Address& care_of) {
    node.charon->migrate(kNodeReqid, care_of, kAgent);
    agent.charon->migrate(agent_reqid_of(1), kAgent, care_of);
    node.handle(ike::EndpointMoved{care_of});
    agent.handle(ike::PeerEndpointMoved{home_of(1), care_of});
  }

  World world;
  Agent agent{world};
  Node node{world};
  int packets = 0;  // that the establishment took
};

}  // namespace charon_test
