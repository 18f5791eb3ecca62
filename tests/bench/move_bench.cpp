// A whole move: from the new care-of address until the node knows that its keys have followed, through all cores and
// through the bytes of both messages. Disk, kernel and charon answer at once, with what they would say.
#include <benchmark/benchmark.h>

#include <string>

#include "ike-glue/agent_keying.hpp"
#include "libmip6/agent/home_agent.hpp"
#include "libmip6/node/home_registration.hpp"
#include "tests/bench/heap.hpp"
#include "tests/unit/ike-glue/node_harness.hpp"

namespace {

using namespace mip6;
using namespace std::chrono_literals;
using ike_test::kAgent, ike_test::kFirst, ike_test::kHome, ike_test::kSecond;

// The home agent's charon, with the node's connection up.
struct AgentKeys : ike_test::Harness<ike::AgentKeying, ike::AgentKeyingEvent, ike::AgentKeyingAction> {
  AgentKeys()
      : Harness(ike::AgentKeyingPolicy{
            kAgent, {{"laptop", kHome, {"ha@example.org", "mn@example.org", ike::PreSharedKey{"the secret"}}, 11}}}) {
    handle(ike::CharonConnected{});
    answer("load-shared");
    answer("load-conn");
    list();
    answer("get-conns", ike::Section{}.set("conns", ike::Section::List{}));
    event("ike-updown", ike_test::updown(sa(kFirst), true));
    event("child-updown", ike_test::updown(sa(kFirst), true));
    forget();
  }
  static ike_test::Sa sa(const Ipv6Address& care_of) {
    return {.name = "mip6ha-laptop", .local = kAgent, .remote = care_of, .remote_id = "mn@example.org"};
  }
};

class World {
 public:
  World() {
    node_keys_.establish();
    give(node::KeysUsable{.can_migrate = true, .fresh = true, .endpoint = kFirst});
    for (const auto& care_of : {kFirst, kSecond}) {
      auto sa = node_keys_.first;
      sa.local = care_of;
      node_lists_.push_back({0, ike::Response{{}, {ike_test::listed(sa)}}});
      agent_lists_.push_back({0, ike::Response{{}, {ike_test::listed(AgentKeys::sa(care_of))}}});
    }
  }

  // To the other of two care-of addresses; the one before is gone.
  void move() {
    now_ += 10s;
    place_ = 1 - place_;
    give(node::Attached{places_[place_], false});
    followed(node_keys_, node_lists_[place_]);
    followed(agent_keys_, agent_lists_[place_]);
  }

  std::uint64_t registrations() const { return registrations_; }
  std::uint64_t moved_keys() const { return moved_keys_; }

 private:
  template <class Event>
  void give(const Event& event) {
    for (auto& action : node_.handle(event, now_)) std::visit([this](auto& a) { this->perform(a); }, action);
  }
  template <class Event>
  void give_agent(const Event& event) {
    for (auto& action : agent_.handle(event, now_)) std::visit([this](auto& a) { this->perform(a); }, action);
  }
  // What only the kernel and the log would hear of.
  template <class Action>
  void perform(Action&) {}

  void perform(node::ReserveSequence& action) { give(node::SequenceReserved{action.end}); }
  void perform(node::RenewKeys&) {
    give(node::KeysUsable{.can_migrate = true, .fresh = true, .endpoint = places_[place_].care_of});
  }
  void perform(node::SendUpdate& action) {
    write_message(Message{std::move(action.update)}, packet_);
    auto message = parse_message(packet_);
    give_agent(agent::UpdateReceived{std::get<BindingUpdate>(std::move(message.value())), kHome,
                                     places_[place_].care_of, 1'700'000'000});
  }
  void perform(agent::StoreRecord& action) { give_agent(agent::RecordStored{action.record.home_address, true}); }
  void perform(agent::SendAcknowledgement& action) {
    write_message(Message{std::move(action.acknowledgement)}, packet_);
    auto message = parse_message(packet_);
    give(node::AcknowledgementReceived{std::get<BindingAcknowledgement>(std::move(message.value()))});
  }
  void perform(agent::MoveKeys& action) {
    agent_keys_.now = now_;
    agent_keys_.handle(ike::PeerEndpointMoved{action.home_address, action.care_of, true});
    give_agent(agent::KeysMoved{action.home_address, true});
  }
  void perform(node::MoveKeys& action) {
    node_keys_.now = now_;
    node_keys_.handle(ike::EndpointMoved{action.attachment.care_of, true});
  }
  void perform(node::Registered& action) { registrations_ += action.key_mobility ? 1 : 0; }

  // A side looks at charon's list a moment later and finds its connection at the new address.
  template <class Keys>
  void followed(Keys& keys, ike::Answered& list) {
    keys.pass(200ms);
    ike::Request request;
    if (keys.take("list-sas", &request)) {
      list.id = request.id;
      keys.handle(list);
      const auto* step = keys.template last<ike::Step>();
      const bool moved = step && step->what.find("IKE endpoint moved to") != std::string::npos;
      moved_keys_ += moved && keys.template count<ike::Trouble>() == 0 ? 1 : 0;
    }
    keys.forget();
  }

  const Attachment places_[2] = {{2, kFirst, Ipv6Address::parse("fe80::a1").value(), false},
                                 {3, kSecond, Ipv6Address::parse("fe80::a2").value(), false}};
  std::size_t place_ = 1;  // of places_
  BootTime now_{1000s};
  node::HomeRegistration node_{node::Policy{.home_address = kHome, .home_agent = kAgent},
                               SequenceState{SequenceNumber{1000}}};
  agent::ServedNodes served_{{{kHome, true}}};
  agent::HomeAgent agent_{
      agent::Policy{.address = kAgent,
                    .home_prefixes = {agent::HomePrefix{.prefix = Ipv6Prefix::parse("2001:db8:1::/64").value()}},
                    .duplicate_address_detection = false},
      served_};
  ike_test::Node node_keys_;
  AgentKeys agent_keys_;
  std::vector<ike::Answered> node_lists_;  // by place
  std::vector<ike::Answered> agent_lists_;
  Bytes packet_;
  std::uint64_t registrations_ = 0;
  std::uint64_t moved_keys_ = 0;
};

void simulated_move(benchmark::State& state) {
  World world;
  // The first registration finds the keys in place; from the second on they follow.
  world.move();
  world.move();
  const auto registrations = world.registrations();
  const auto moved_keys = world.moved_keys();
  std::uint64_t moves = 0;
  {
    const bench::AllocationsPerIteration allocations{state};
    for (auto _ : state) {
      world.move();
      ++moves;
    }
  }
  if (world.registrations() - registrations != moves) state.SkipWithError("a move did not end in a registration");
  if (world.moved_keys() - moved_keys != 2 * moves) state.SkipWithError("keys did not follow a move on both sides");
}
BENCHMARK(simulated_move)->Name("SimulatedMove");

}  // namespace
