// The home agent's hands: what its cores decide becomes records, bindings, packets, VICI commands, as mip6-ha does it;
// and what every one of these steps must respect.
#include <algorithm>
#include <utility>

#include "tests/simulation/agent_host.hpp"

namespace mip6::simulation {

void AgentHost::feed(agent::Event event) {
  pending_.emplace_back(std::move(event));
  drain();
}

void AgentHost::feed(ike::AgentKeyingEvent event) {
  pending_.emplace_back(std::move(event));
  drain();
}

void AgentHost::drain() {
  if (draining_) return;
  draining_ = true;
  while (!pending_.empty() && core_) {
    const Event event = std::move(pending_.front());
    pending_.pop_front();
    ++around_.world.totals.steps;
    if (const auto* for_core = std::get_if<agent::Event>(&event)) {
      handle(*for_core);
    } else if (keying_) {
      perform_all(keying_->handle(std::get<ike::AgentKeyingEvent>(event), clock()));
      check_states();
    }
  }
  draining_ = false;
  arm();
}

void AgentHost::handle(const agent::Event& event) {
  const auto actions = core_->handle(event, clock());
  if (const auto* received = std::get_if<agent::UpdateReceived>(&event)) {
    // Nothing begun and something said: it was dropped or refused, and none of its kind is accepted later.
    const bool begun = std::ranges::any_of(actions, [](const auto& action) {
      return std::holds_alternative<agent::StoreRecord>(action) || std::holds_alternative<agent::StartDad>(action);
    });
    if (!begun && !actions.empty()) ledger_.turned_down(received->home_address);
  }
  perform_all(actions);
  check_memory();
}

void AgentHost::on(const agent::StartDad& action) {
  require(served(action.home_address) != nullptr, Invariant::kOwnAddress,
          "a binding is about to be made for a home address that is nobody's");
  later(1s, [this, home_address = action.home_address] {
    feed(agent::DadFinished{home_address, defended_(home_address, *this)});
  });
}

void AgentHost::on(const agent::StoreRecord& action) {
  require(served(action.record.home_address) != nullptr, Invariant::kOwnAddress,
          "a binding is stored for a home address that is nobody's");
  disk_.write(action.record, [this, home_address = action.record.home_address](bool durable) {
    feed(agent::RecordStored{home_address, durable});
  });
}

void AgentHost::on(const agent::InstallBinding& action) { bound_[action.home_address] = action.care_of; }

void AgentHost::on(const agent::RemoveBinding& action) {
  require(!must_keep_.contains(action.home_address), Invariant::kStaysRegistered,
          "a binding ends though its node wants it");
  bound_.erase(action.home_address);
}

void AgentHost::on(const agent::SendAcknowledgement& action) {
  const auto& acknowledgement = action.acknowledgement;
  note("answers {:x}: {}, status {}", brief(action.home_address), acknowledgement.sequence.value(),
       static_cast<std::uint64_t>(acknowledgement.status));
  if (is_accepted(acknowledgement.status) || acknowledgement.status == Status::kNotHomeAgentForThisNode)
    misdated_.erase(action.home_address);
  if (is_accepted(acknowledgement.status))
    check_promise(action);
  else if (acknowledgement.status != Status::kSequenceNumberOutOfWindow)
    ledger_.refused(action.home_address, acknowledgement.sequence);

  Packet packet;
  packet.source = address_;
  packet.destination = action.care_of.value_or(action.home_address);
  if (action.care_of) packet.home_address = action.home_address;
  if (const Served* one = served(action.home_address)) {
    choose_keys(action.home_address);
    auto* state = state_towards(action.home_address, *one);
    if (state == nullptr) return note("has no keys for it");
    packet.esp = states().protect(*state);
  }
  packet.bytes = write_message(acknowledgement);
  packet.origin = {party(), 0};
  const auto again = parse_message(packet.bytes);
  require(again && *again == Message{acknowledgement}, Invariant::kReadable,
          "a Binding Acknowledgement does not survive the wire");
  around_.network.send(std::move(packet));
}

void AgentHost::check_promise(const agent::SendAcknowledgement& action) {
  const auto& home_address = action.home_address;
  const auto number = action.acknowledgement.sequence;
  const Served* one = served(home_address);
  ledger_.accepted(home_address, number, one == nullptr ? std::nullopt : std::optional{one->owner});
  const auto record = records_.find(home_address);
  require(record != records_.end() && record->second.sequence == number, Invariant::kDurableFirst,
          "an acknowledgement leaves before its record is on the disk");
  const auto* present = core_->find(home_address);
  require(present != nullptr, Invariant::kDurableFirst, "an acknowledgement leaves, but nothing is remembered");
  if (action.acknowledgement.lifetime == Lifetime{0}) {
    require(!present->care_of && !record->second.care_of && !bound_.contains(home_address), Invariant::kHomeUnbound,
            "a de-registration is acknowledged, but the binding stays");
  } else {
    require(record->second.care_of == present->care_of && bound(home_address) == present->care_of,
            Invariant::kDurableFirst, "an acknowledgement promises another binding than the disk holds");
  }
}

void AgentHost::on(const agent::SendBindingError& action) {
  Packet packet;
  packet.source = address_;
  packet.destination = action.destination;
  packet.bytes = write_message(action.error);
  packet.origin = {party(), 0};
  around_.network.send(std::move(packet));
}

void AgentHost::on(const agent::MoveKeys& action) {
  const Served* one = served(action.home_address);
  if (one == nullptr) return feed(agent::KeysMoved{action.home_address, false});
  const bool moved = !around_.world.chance.percent(around_.faults.kernel_refusals);
  note("moves the IKE endpoint of {:x} to {:x}", brief(action.home_address), brief(action.care_of));
  if (moved)
    refused_moves_.erase(action.home_address);
  else
    refused_moves_.insert(action.home_address);
  if (moved && charon() != nullptr) charon()->migrate(one->reqid, address_, action.care_of);
  feed(ike::AgentKeyingEvent{ike::PeerEndpointMoved{action.home_address, action.care_of, moved}});
  feed(agent::KeysMoved{action.home_address, moved});
}

void AgentHost::on(const agent::ReplaceKeys& action) {
  note("lets the keys of {:x} be replaced from {:x}", brief(action.home_address), brief(action.care_of));
  feed(ike::AgentKeyingEvent{ike::PeerReplaceAsked{action.home_address, action.care_of}});
}

// --- keys ---

void AgentHost::on(const ike::Request& action) { ask_charon(action); }

void AgentHost::on(const ike::PeerKeysUp& action) {
  note("has keys with {:x}, SPI in {:x}, out {:x}", brief(action.home_address), action.spi_in, action.spi_out);
  auto& [pairs, told_used] = keys_[action.home_address];
  told_used = 0;
  std::erase_if(pairs, [&](const ike::KeyPair& one) { return one.spi_out == action.spi_out; });
  pairs.push_back({.spi_in = action.spi_in, .spi_out = action.spi_out});
  choose_keys(action.home_address);
}

void AgentHost::on(const ike::PeerEstablished& action) {
  refused_moves_.erase(action.home_address);
  feed(agent::KeysRenewed{action.home_address, action.from});
}

void AgentHost::on(const ike::PeerKeysDown& action) {
  keys_[action.home_address].pairs.clear();
  choose_keys(action.home_address);
}

void AgentHost::on(const ike::NotePeerStates& action) {
  auto& noted = noted_states_[action.home_address];
  noted.clear();
  for (const auto& state : states().states())
    if (state.reqid == action.reqid) noted.insert(state.spi);
}

void AgentHost::on(const ike::DeletePeerStatesExcept& action) {
  auto kept = action.spis;
  if (action.noted)
    for (const auto& state : states().states())
      if (!noted_states_[action.home_address].contains(state.spi)) kept.push_back(state.spi);
  states().remove_except(action.reqid, address_, action.home_address, kept);
  choose_keys(action.home_address);
}

void AgentHost::on(const ike::PeerMoveAgain& action) {
  const Served* one = served(action.home_address);
  if (one != nullptr && charon() != nullptr) charon()->migrate(one->reqid, address_, action.care_of);
}

void AgentHost::on(const ike::PeerMoveFailed& action) { feed(agent::KeysMoved{action.home_address, false}); }

// --- what holds at every step ---

void AgentHost::check_states() {
  for (const auto& state : states().states()) {
    const Served* one = served(state.remote);
    require(one != nullptr && one->reqid == state.reqid && state.local == address_, Invariant::kOwnAddress,
            "there are security associations for a home address that are not its owner's");
  }
}

void AgentHost::check_memory() {
  require(core_->remembered() <= served_.size(), Invariant::kBoundedMemory,
          "a home agent remembers home addresses that it does not serve");
}

}  // namespace mip6::simulation
