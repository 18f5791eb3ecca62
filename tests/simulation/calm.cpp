// The second and third phase: no faults any more. Everybody must come to be registered, stay so, move without losing
// the keys, and leave nothing behind.
#include <set>

#include "ike-glue/charon.hpp"
#include "tests/simulation/running.hpp"
#include "tests/simulation/simulation.hpp"

namespace mip6::simulation {
namespace {

// What may come one after the other: charon giving up on a peer (165 s), back-offs of 64 s, of 32 s, DAD, and the keys.
constexpr Duration kMostTimeToSettle = 400s;
// Moves without faults take some round trips; a lost acknowledgement where keys change over a retransmission or two.
constexpr Duration kMostTimeToMove = 20s;
// charon asks after 60 s of silence, and gives up after 165 s of retransmissions; then come new keys.
constexpr Duration kDeadPeerDetected = 240s;
// So many move in peace: the others would only take time.
constexpr std::size_t kPeacefulMovers = 2;
// The home agent drops keys that are to be replaced after 180 s at the latest; those of an attempt that the node has
// given up its charon drops after 120 s of silence and 165 s of retransmissions.
constexpr Duration kQuiet = 300s;
// After a move. A request of charon that was on its way is lost with the old address, and ends the IKE_SA 165 s later.
constexpr Duration kWatchedAfterMove = 45s;

// The one packet that may be lost in a peaceful move: the home agent has the new keys then, the node has not.
bool is_auth_response(const Packet& packet) {
  return packet.kind == Packet::Kind::kIke && kind_of(packet.ike) == "IKE_AUTH response";
}

}  // namespace

AgentHost* Simulation::agent_of(const MobileHost& node) const {
  if (node.core() == nullptr) return nullptr;
  for (const auto& agent : agents_)
    if (agent->address() == node.core()->home_agent()) return agent.get();
  return nullptr;
}

bool Simulation::in_place(const MobileHost& node) const {
  const AgentHost* agent = agent_of(node);
  if (agent == nullptr || !agent->runs() || !node.is_registered_here() || node.link() != node.wanted()) return false;
  const auto here = node.attachment_at(node.link());
  const auto bound = agent->bound(node.home_address());
  return here.at_home ? !bound : bound == here.care_of;
}

// In place, and nothing more to say.
bool Simulation::settled(const MobileHost& node) const {
  return in_place(node) && node.core()->registration().outstanding() == 0;
}

bool Simulation::all_settled() const {
  return std::ranges::all_of(nodes_, [this](const auto& node) { return settled(*node); });
}

// A home agent whose wall clock was set ends bindings too early that it restores, or has ended them: nothing tells
// their nodes before the next refresh (RFC 6275 section 11.7.1).
bool Simulation::any_misdated() const {
  return std::ranges::any_of(nodes_, [this](const auto& node) {
    const AgentHost* agent = agent_of(*node);
    return agent != nullptr && agent->misdates(node->home_address());
  });
}

void Simulation::calm() {
  world_.note({}, "the faults stop");
  faults_ = Faults::none();
  if (insider_) insider_->give_up();
  network_.heal();
  repair();
  const Time begin = world_.now;
  // With several home agents one of them may defend the home address for the rest of a binding.
  const Duration others = agents_.size() > 1 ? Duration{options_.lifetime} + 64s : Duration{};
  // A link that was silent is tried again at the latest then.
  const Duration links = drawn_.dead_links != 0 ? Duration{node::kLongestLinkSilence} : Duration{};
  const Duration most =
      kMostTimeToSettle + others + links + (any_misdated() ? Duration{options_.lifetime} : Duration{});
  const auto in_order = [this] { return all_settled() && !any_misdated(); };
  bool done = run_while_not(in_order, most);
  if (replace_useless_keys()) done = run_while_not(in_order, most);
  require(done, Invariant::kSettles, "the faults have stopped, but a node is not registered where it is");
  world_.totals.longest_settling = world_.now - begin;
  world_.note({}, "all are settled");
  // What the other end has lost meanwhile shows at the next refresh, or by dead peer detection alone.
  run_until(world_.now + (options_.dynamic_keys ? kDeadPeerDetected : Duration{5s}));
  require(run_while_not([this] { return all_settled(); }, kMostTimeToSettle), Invariant::kSettles,
          "the faults have stopped, but a node does not stay registered where it is");
  stay();
  for (std::size_t i = 0; i < std::min(nodes_.size(), kPeacefulMovers); ++i) move_in_peace(*nodes_[i]);
}

void Simulation::repair() {
  for (auto& node : nodes_) {
    node->wake(-1);
    node->resume();
    node->router_lives(true);
  }
  run_while_not([this] { return std::ranges::none_of(nodes_, [](const auto& node) { return node->stops(); }); }, 5s);
  for (auto& agent : agents_) {
    agent->return_power();
    if (options_.dynamic_keys) agent->start_charon();
    agent->start_process();
  }
  for (auto& node : nodes_) {
    if (options_.dynamic_keys) {
      node->start_charon();
    } else if (world_.chance.percent(50) || node->needs_keys()) {
      node->crash_process();
      new_manual_keys(*node);
    }
    node->start_process();
    if (node->link() < 0 || world_.chance.percent(30)) node->move_to(other_link(*node), false);
  }
}

// A node that has lost its state and keeps manual keys is told by status 135 where its numbers go on. That can be half
// the space away from the number that these keys have seen by then, or nearly: nobody but the user can help, with new
// ones again.
bool Simulation::replace_useless_keys() {
  if (options_.dynamic_keys || drawn_.state_losses == 0) return false;
  bool replaced = false;
  for (auto& node : nodes_) {
    if (!node->needs_keys()) continue;
    node->crash_process();
    new_manual_keys(*node);
    node->start_process();
    replaced = true;
  }
  return replaced;
}

// Nothing happens but what the protocol does by itself, and errors that anybody can forge.
void Simulation::stay() {
  const auto expect = [&](bool expected) {
    for (auto& node : nodes_) {
      node->must_stay_registered(expected);
      if (expected && node->link() > 0) agent_of(*node)->must_keep(node->home_address());
    }
    if (!expected)
      for (auto& agent : agents_) agent->need_keep_none();
  };
  expect(true);
  const Time end = world_.now + Duration{options_.lifetime} * 3 / 2;
  while (world_.now < end) {
    run_until(std::min(end, world_.now + Duration{options_.lifetime} / 6));
    for (auto& node : nodes_)
      if (drawn_.attacks != 0) attacker_.forge_errors(network_, *node, node->core()->home_agent());
    run_until(world_.now + 5s);
    for (auto& node : nodes_)
      require(in_place(*node), Invariant::kStaysRegistered,
              "a node is not registered any more, though nothing happened");
  }
  expect(false);
}

void Simulation::move_in_peace(MobileHost& node) {
  AgentHost* const agent = agent_of(node);
  const auto have_common_keys = [&] {
    const auto opened = [](SaDatabase& from, SaDatabase& to, const Ipv6Address& local, const Ipv6Address& remote) {
      return std::ranges::any_of(from.states(), [&](const EspState& out) {
        return out.direction == Direction::kOut && out.local == local && out.remote == remote &&
               std::ranges::any_of(to.states(), [&](const EspState& in) {
                 return in.direction == Direction::kIn && in.spi == out.spi && in.key == out.key;
               });
      });
    };
    return opened(node.states(), agent->states(), node.home_address(), agent->address()) &&
           opened(agent->states(), node.states(), agent->address(), node.home_address());
  };
  // A home agent's charon that has forgotten the node cannot make before break.
  bool agreed = options_.dynamic_keys && compare_endpoints(node);
  for (int moves = 0; moves < 2; ++moves) {
    // Not together: a charon that closes what it does not like, see address_vanished(), needs the response.
    const bool loses = world_.chance.percent(50);
    const bool comes_back = !loses && world_.chance.percent(50);
    if (loses) network_.lose_next(is_auth_response);
    const int before = node.link();
    node.move_to(other_link(node), world_.chance.percent(50));
    if (comes_back) {
      run_until(world_.now + world_.chance.time(2s));
      node.move_to(before, world_.chance.percent(50));
    }
    const bool done = run_while_not(
        [&] {
          if (agreed)
            require(have_common_keys(), Invariant::kMakeBeforeBreak,
                    "a move leaves node and home agent without common keys");
          return settled(node);
        },
        kMostTimeToMove);
    require(done, Invariant::kSettles, "a move without faults does not end in a registration");
    if (!options_.dynamic_keys) continue;
    run_while_not(
        [&] {
          require(!agreed || have_common_keys(), Invariant::kMakeBeforeBreak,
                  "after a move node and home agent lose their common keys");
          return false;
        },
        kWatchedAfterMove);
    network_.lose_next({});
    const auto losses = node.key_losses();
    // With K agreed a request of charon that was on its way may end the IKE_SA (kWatchedAfterMove).
    const bool keeps_keys = agreed && !agent->key_mobility();
    agreed = compare_endpoints(node);
    require(!keeps_keys || node.key_losses() == losses, Invariant::kMakeBeforeBreak,
            "long after a move a node loses its keys");
  }
}

// By what the two charons list. Asked when nothing has happened for long enough.
bool Simulation::compare_endpoints(MobileHost& node) {
  AgentHost* const agent = agent_of(node);
  const auto endpoints = [this](CharonModel& charon, std::uint32_t reqid, bool local) {
    std::set<Ipv6Address> found;
    bool answered = false;
    charon.request({.id = 1, .command = "list-sas", .message = {}, .stream = "list-sa"},
                   [&](tl::expected<ike::Response, Error> response) {
                     answered = true;
                     for (const auto& item : response->items) {
                       const auto sa = ike::read_ike_sa(item, reqid);
                       if (!sa || !sa->child_installed) continue;
                       if (const auto& end = local ? sa->local : sa->remote) found.insert(*end);
                     }
                   });
    run_while_not([&] { return answered; }, 5s);
    return found;
  };
  run_until(world_.now + kQuiet);
  const std::set<Ipv6Address> here{node.attachment_at(node.link()).care_of};
  const auto& peer = node.peers()[agent->party().index];
  const auto at_node = endpoints(*node.charon(), peer.reqid, true);
  const auto at_agent = endpoints(*agent->charon(), agent->served(node.home_address())->reqid, false);
  const auto first = [](const std::set<Ipv6Address>& found) { return found.empty() ? 0 : brief(*found.begin()); };
  world_.note(node.party(), "has its IKE endpoint at {:x}, the home agent says {:x}; {} there", first(at_node),
              first(at_agent), at_agent.size());
  require(at_node == here, Invariant::kEndpointsAgree, "a quiet node's IKE endpoint is not where the node is");
  // One that has died forgets its connections. Their states go on working, so that the node need not notice.
  const bool forgotten = at_agent.empty() && (drawn_.charon_crashes != 0 || drawn_.power_cuts != 0);
  // K was promised before the kernel was asked. A node at home sends nothing more that could be answered without K; its
  // own requests are answered to where they come from, and its next registration replaces the keys.
  const bool refused = node.link() == 0 && agent->move_refused(node.home_address());
  require(at_agent == here || forgotten || refused, Invariant::kEndpointsAgree,
          "a quiet home agent believes a node's IKE endpoint to be elsewhere");
  return !forgotten;
}

void Simulation::part() {
  world_.note({}, "all go home or stop");
  std::set<const MobileHost*> stopping;
  for (auto& node : nodes_) {
    if (world_.chance.percent(60)) {
      node->move_to(0, world_.chance.percent(50));
    } else {
      node->stop();
      stopping.insert(node.get());
    }
  }
  const auto gone = [&](const MobileHost& node) { return stopping.contains(&node) ? !node.runs() : settled(node); };
  require(run_while_not([&] { return std::ranges::all_of(nodes_, [&](const auto& node) { return gone(*node); }); },
                        kMostTimeToMove),
          Invariant::kSettles, "a return home or a stop does not come to its end");
  // What other home agents still hold from the troubled time ends with its lifetime.
  if (agents_.size() > 1) run_until(world_.now + Duration{options_.lifetime} + 10s);
  for (const auto& agent : agents_)
    for (const auto& node : nodes_) {
      const auto* record = agent->core()->find(node->home_address());
      require(!agent->bound(node->home_address()) && (record == nullptr || !record->care_of), Invariant::kHomeUnbound,
              "everybody is at home or has stopped, but a binding is left");
    }
}

}  // namespace mip6::simulation
