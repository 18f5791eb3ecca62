// The home agent's body: processes that start and end, what arrives. See agent_host.hpp.
#include "tests/simulation/agent_host.hpp"

#include <utility>

#include "ike-glue/charon.hpp"
#include "ike-glue/key_choice.hpp"

namespace mip6::simulation {

AgentHost::AgentHost(Surroundings around, int index, std::vector<Served> served, Defended defended)
    : Host{around, {Party::Kind::kAgent, static_cast<std::uint8_t>(index)}},
      address_{address_on(0, 1 + index)},
      defended_{std::move(defended)},
      key_mobility_{around.options.key_mobility},
      disk_{around.world, around.faults,
            [this](const agent::BindingRecord& record) { records_[record.home_address] = record; }} {
  for (const auto& one : served) {
    served_[one.home_address] = one;
    authorisation_.serve({one.home_address, around.options.dynamic_keys});
  }
  take_address();
}

std::optional<Ipv6Address> AgentHost::bound(const Ipv6Address& home_address) const {
  const auto found = bound_.find(home_address);
  return found == bound_.end() ? std::nullopt : std::optional{found->second};
}

const Served* AgentHost::served(const Ipv6Address& home_address) const {
  const auto found = served_.find(home_address);
  return found == served_.end() ? nullptr : &found->second;
}

void AgentHost::take_address() {
  around_.network.attach(address_, [this](const Packet& packet) { receive(packet); });
}

// --- processes ---

void AgentHost::start_process() {
  if (process_runs() || !powered_) return;
  note("starts, K {}", key_mobility_);
  if (!around_.options.dynamic_keys)
    for (const auto& [home_address, keys] : manual_states_)
      for (const auto& state : keys)
        if (!states().has(state.direction, state.spi)) states().add(state);
  process_began();
  start_cores();
  arm();
}

void AgentHost::start_cores() {
  agent::Policy policy;
  policy.address = address_;
  policy.home_prefixes = {agent::HomePrefix{.prefix = kHomePrefix}};
  policy.key_mobility = key_mobility_;
  policy.duplicate_address_detection = around_.options.duplicate_address_detection;
  core_.emplace(policy, authorisation_);

  ike::AgentKeyingPolicy keying{.home_agent = address_, .nodes = {}};
  for (const auto& [home_address, one] : served_) {
    const std::string name = home_address.to_string();
    keying.nodes.push_back({.name = one.owner.name(),
                            .home_address = home_address,
                            .credentials = {.local_identity = address_.to_string(),
                                            .remote_identity = name,
                                            .proof = ike::PreSharedKey{"secret of " + name}},
                            .reqid = one.reqid});
  }
  if (around_.options.dynamic_keys) keying_ = std::make_unique<ike::AgentKeying>(std::move(keying));

  std::vector<agent::BindingRecord> records;
  for (const auto& [home_address, record] : records_) records.push_back(record);
  if (wall_was_set())
    for (const auto& record : records)
      if (record.care_of) misdated_.insert(record.home_address);
  const auto left_over = std::exchange(bound_, {});
  perform_all(core_->restore(records, wall(), clock()));
  for (const auto& [home_address, care_of] : left_over)
    require(!must_keep_.contains(home_address) || bound_.contains(home_address), Invariant::kStaysRegistered,
            "a restart of the home agent loses a binding");
}

// Its bindings stay in the kernel: packets are tunnelled, the home address is defended.
void AgentHost::crash_process() {
  if (!process_runs()) return;
  note("crashes");
  process_ended();
  ledger_.restarted();
  disk_.crash();
  core_.reset();
  keying_.reset();
  keys_.clear();
  charon_connected_ = false;
  pending_.clear();
}

void AgentHost::cut_power() {
  if (!powered_) return;
  note("loses power");
  crash_process();
  disk_.crash();
  power_off();
  for (auto& [home_address, record] : records_) record.expires_boot.reset();  // another boot's from now on
  bound_.clear();
  sent_under_.clear();
  around_.network.detach(address_);
  powered_ = false;
}

void AgentHost::return_power() {
  if (powered_) return;
  powered_ = true;
  take_address();
}

// As mip6-ha does with keys that are new to it, at its start or by a reload: the last number goes with the former keys,
// and nothing comes in under the new ones before.
void AgentHost::set_manual_keys(const Ipv6Address& home_address, std::vector<EspState> keys) {
  states().remove_of(served_.at(home_address).reqid);
  manual_states_[home_address] = std::move(keys);
  if (!core_) {
    records_.erase(home_address);
    return;
  }
  feed(agent::ServiceEnded{home_address});
  disk_.write({.home_address = home_address}, [this, home_address](bool) {
    records_.erase(home_address);
    feed(agent::NumberForgotten{home_address});
    for (const auto& state : manual_states_.at(home_address)) states().add(state);
  });
}

void AgentHost::accepted_up_to(const Ipv6Address& home_address, SequenceNumber last) {
  const auto found = records_.find(home_address);
  if (found != records_.end()) found->second.sequence = last;
}

// --- what arrives ---

void AgentHost::receive(const Packet& packet) {
  switch (packet.kind) {
    case Packet::Kind::kIke:
      if (charon() != nullptr) charon()->receive(packet.ike);
      return;
    case Packet::Kind::kMobility:
      if (core_) receive_mobility(packet);
      return;
    case Packet::Kind::kIcmp:
      return;
  }
}

// The kernel's policies: what comes from a home address that is served has to come under that node's own states. For
// any other address there is no policy, and the core has to look after itself.
bool AgentHost::opens(const Packet& packet, const Ipv6Address& inner_source) {
  const auto* state = packet.esp ? states().open(*packet.esp) : nullptr;
  if (packet.esp && (state == nullptr || state->remote != inner_source || state->local != address_)) return false;
  const Served* one = served(inner_source);
  return one == nullptr || (state != nullptr && state->reqid == one->reqid);
}

// As the performer of mip6-ha does.
void AgentHost::choose_keys(const Ipv6Address& home_address) {
  const auto found = keys_.find(home_address);
  if (found == keys_.end()) return;
  auto& [pairs, told_used] = found->second;
  std::vector<ike::KeyPairUse> uses;
  for (const auto& pair : pairs) {
    const auto* in = states().find(Direction::kIn, pair.spi_in);
    uses.push_back({.pair = pair,
                    .there = states().has(Direction::kOut, pair.spi_out),
                    .used = in != nullptr && in->used_at != BootTime{},
                    .added = in != nullptr ? in->added_at : 0});
  }
  std::vector<ike::KeyPairUse> kept;
  for (std::size_t i = 0; i < uses.size(); ++i) {
    const bool closed = ike::is_left_behind(uses, i);
    if (closed) states().remove(Direction::kIn, uses[i].pair.spi_in);
    if (uses[i].there && !closed) kept.push_back(uses[i]);
  }
  pairs.clear();
  for (const auto& one : kept) pairs.push_back(one.pair);
  const auto* used = ike::newest_used(kept);
  if (used != nullptr && std::exchange(told_used, used->pair.spi_in) != used->pair.spi_in)
    feed(ike::AgentKeyingEvent{ike::PeerKeysUsed{home_address, used->pair.spi_in}});
  sent_under_[home_address] = ike::spi_to_send_under(kept);
}

// As the kernel does: by what the policy names, or else the newest.
EspState* AgentHost::state_towards(const Ipv6Address& home_address, const Served& served) {
  const auto named = sent_under_.find(home_address);
  if (named != sent_under_.end() && named->second != 0) return states().find(Direction::kOut, named->second);
  return states().outbound(served.reqid, address_, home_address);
}

void AgentHost::receive_mobility(const Packet& packet) {
  const Ipv6Address& from = packet.home_address ? *packet.home_address : packet.source;
  if (!opens(packet, from)) return;
  const auto message = parse_message(packet.bytes);
  if (!message) return;
  if (const auto* unknown = std::get_if<UnknownMessage>(&*message)) {
    return feed(agent::MessageUnrecognized{
        .type = unknown->type, .source = packet.source, .home_address_in_option = packet.home_address});
  }
  const auto* update = std::get_if<BindingUpdate>(&*message);
  if (update == nullptr) return;
  choose_keys(from);
  note("receives update {} of {:x} for {} s", update->sequence.value(), brief(from),
       static_cast<std::uint64_t>(update->lifetime.count()));
  ledger_.delivered(from, update->sequence, packet.origin);
  feed(agent::UpdateReceived{
      .update = *update,
      .home_address = from,
      .home_address_option_source = packet.home_address ? std::optional{packet.source} : std::nullopt,
      .unix_time = wall()});
}

// --- charon ---

void AgentHost::answered(ike::Answered answer) { feed(ike::AgentKeyingEvent{std::move(answer)}); }

void AgentHost::charon_told(ike::CharonEvent event) {
  if (charon_connected_ && event.name != "log") feed(ike::AgentKeyingEvent{std::move(event)});
}

void AgentHost::charon_came() {
  charon_connected_ = true;
  if (keying_) feed(ike::AgentKeyingEvent{ike::CharonConnected{}});
}

void AgentHost::charon_went() {
  if (!std::exchange(charon_connected_, false) || !keying_) return;
  feed(ike::AgentKeyingEvent{ike::CharonDisconnected{Error{.tried = "listen to charon", .reason = "closed"}}});
}

// --- deadlines ---

std::optional<BootTime> AgentHost::next_deadline() const {
  if (!core_) return std::nullopt;
  auto first = core_->next_deadline();
  const auto other = keying_ ? keying_->next_deadline() : std::nullopt;
  if (other && (!first || *other < *first)) first = other;
  return first;
}

void AgentHost::deadline_reached() {
  feed(agent::DeadlineReached{});
  if (keying_) feed(ike::AgentKeyingEvent{ike::DeadlineReached{}});
}

}  // namespace mip6::simulation
