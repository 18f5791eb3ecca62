// The mobile node's hands: what its cores decide becomes packets, writes, VICI commands, as the daemon does it.
#include <algorithm>
#include <utility>

#include "libmip6/wire/icmp_message.hpp"
#include "tests/simulation/mobile_host.hpp"

namespace mip6::simulation {
namespace {

constexpr std::size_t kMostOutstanding = 16;  // updates that a node may wait for

}  // namespace

void MobileHost::feed(node::MobileEvent event) {
  pending_.emplace_back(std::move(event));
  drain();
}

void MobileHost::feed(ike::NodeKeyingEvent event) {
  pending_.emplace_back(std::move(event));
  drain();
}

// Events that actions cause wait until all actions of the present event are performed.
void MobileHost::drain() {
  if (draining_ || asleep_) return;
  draining_ = true;
  while (!pending_.empty() && process_runs()) {
    const Event event = std::move(pending_.front());
    pending_.pop_front();
    ++around_.world.totals.steps;
    if (const auto* for_core = std::get_if<node::MobileEvent>(&event)) {
      if (!core_) continue;
      if (std::holds_alternative<node::KeysUsable>(*for_core) || std::holds_alternative<node::Attached>(*for_core))
        ledger_.pause_may_restart();
      perform_all(core_->handle(*for_core, clock()));
      if (core_)
        require(core_->registration().outstanding() <= kMostOutstanding, Invariant::kBoundedMemory,
                "a node remembers more updates than can be outstanding");
      tell_settled();
    } else if (keying_) {
      perform_all(keying_->handle(std::get<ike::NodeKeyingEvent>(event), clock()));
    }
  }
  draining_ = false;
  if (!process_runs()) pending_.clear();
  if (std::exchange(forget_core_, false) && core_) forget_registration();
  arm();
}

void MobileHost::tell_settled() {
  if (!core_ || !keying_) return;
  const bool settled = core_->registration().settled();
  if (settled != std::exchange(told_settled_, settled))
    pending_.emplace_back(ike::NodeKeyingEvent{ike::Settled{settled}});
}

template <class Action>
void MobileHost::perform_all(const std::vector<Action>& actions) {
  for (const auto& action : actions) std::visit([this](const auto& one) { this->on(one); }, action);
}

// --- the registration's decisions ---

void MobileHost::on(const node::UseAttachment& action) {
  receives_at_ = action.attachment;
  if (keys_are_of(agent_)) feed(ike::NodeKeyingEvent{ike::Attached{action.attachment.care_of}});
}

void MobileHost::on(const node::SendUpdate& action) {
  const auto& update = action.update;
  const Attachment& from = *receives_at_;
  note("sends update {} for {} s, K {}", update.sequence.value(), static_cast<std::uint64_t>(update.lifetime.count()),
       update.key_mobility);
  ++around_.world.totals.updates;
  ledger_.update_made(agent_, clock());
  if (!addresses_.contains(from.care_of)) {
    ledger_.pause_may_restart();
    return feed(node::UpdateSendFailed{update.sequence, "no such address"});
  }
  const Peer* to = peer();
  auto* state = to == nullptr ? nullptr : states().outbound(to->reqid, home_address_, to->address);
  if (state == nullptr) return note("has no keys for it among {} states", states().states().size());
  ledger_.update_sent(state->key, update.sequence, first_unused());

  Packet packet;
  packet.source = from.care_of;
  packet.destination = to->address;
  if (!from.at_home) packet.home_address = home_address_;
  packet.esp = states().protect(*state);
  packet.bytes = write_message(update);
  packet.origin = {party(), ++around_.last_order};
  const auto again = parse_message(packet.bytes);
  require(again && *again == Message{update}, Invariant::kReadable, "a Binding Update does not survive the wire");
  around_.network.send(std::move(packet));
}

void MobileHost::on(const node::StopOutbound&) {
  require(!must_stay_ || (receives_at_ && receives_at_->at_home), Invariant::kStaysRegistered,
          "a node gives up its binding without a reason");
}

void MobileHost::on(const node::ReserveSequence& action) {
  disk_.write(SequenceState{action.end, action.first_under_keys}, [this, end = action.end](bool durable) {
    durable ? feed(node::SequenceReserved{end}) : feed(node::SequenceReservationFailed{});
  });
}

void MobileHost::on(const node::Unanswered&) { choose_link(); }

void MobileHost::on(const node::Registered& action) {
  link_health_.acknowledged(action.attachment);
  note("is registered at {:x} with {}", brief(action.attachment.care_of), action.sequence.value());
}

void MobileHost::on(const node::Trouble& action) {
  note(action.status ? "has trouble, status {}" : "has trouble",
       action.status ? static_cast<std::uint64_t>(*action.status) : 0);
}

void MobileHost::on(const node::SendDiscoveryRequest& action) {
  Packet packet;
  packet.kind = Packet::Kind::kIcmp;
  packet.source = action.source;
  packet.destination = action.destination;
  packet.bytes = write_icmp_message(action.request);
  packet.origin = {party(), 0};
  note("asks the home link for its home agents");
  if (addresses_.contains(packet.source)) around_.network.send(std::move(packet));
}

void MobileHost::on(const node::SendPrefixSolicitation& action) {
  const Peer* to = peer();
  if (to == nullptr || !receives_at_ || !addresses_.contains(receives_at_->care_of)) return;
  auto* state = states().outbound(to->reqid, home_address_, to->address);
  if (state == nullptr) return;
  Packet packet;
  packet.kind = Packet::Kind::kIcmp;
  packet.source = receives_at_->care_of;
  packet.destination = action.home_agent;
  packet.home_address = home_address_;
  packet.esp = states().protect(*state);
  packet.bytes = write_icmp_message(action.solicitation);
  packet.origin = {party(), 0};
  around_.network.send(std::move(packet));
}

void MobileHost::on(const node::Stopped& action) {
  note("has stopped, de-registered {}", action.farewell == node::Farewell::kAgreed);
  if (!stopping_) {
    forget_core_ = true;
    receives_at_.reset();
    keys_wanted_from_.reset();
    if (!keying_) return;
    keying_leaves_ = true;
    return feed(ike::NodeKeyingEvent{ike::StopAsked{}});
  }
  if (keying_ && !keys_wanted_from_) return feed(ike::NodeKeyingEvent{ike::StopAsked{}});
  on(ike::Stopped{});
}

// --- keys ---

void MobileHost::on(const node::UseHomeAgent& action) {
  note("takes home agent {:x}", brief(action.home_agent));
  agent_ = action.home_agent;
  ledger_.pause_may_restart();
  keys_wanted_from_.reset();
  link_health_.forget();
  choose_link();
  if (keyed_ && keyed_->address == action.home_agent) return;
  if (keying_)
    feed(ike::NodeKeyingEvent{ike::StopAsked{}});
  else
    start_keying();
}

ike::Credentials MobileHost::credentials() const {
  const std::string name = home_address_.to_string();
  return {.local_identity = name,
          .remote_identity = keyed_->address.to_string(),
          .proof = ike::PreSharedKey{"secret of " + name}};
}

bool MobileHost::keys_are_of(const Ipv6Address& home_agent) const {
  return keying_ && keyed_ && keyed_->address == home_agent && !keying_leaves_;
}

// A keying core is for one home agent: the next one's begins when the former has taken everything of its own away.
void MobileHost::start_keying() {
  const Peer* present = peer();
  if (!around_.options.dynamic_keys || present == nullptr || keying_) return;
  keyed_ = *present;
  told_settled_ = true;
  follows_log_ = false;
  keying_ = std::make_unique<ike::NodeKeying>(ike::NodeKeyingPolicy{.home_address = home_address_,
                                                                    .home_agent = present->address,
                                                                    .credentials = credentials(),
                                                                    .reqid = present->reqid});
  if (charon_connected_) feed(ike::NodeKeyingEvent{ike::CharonConnected{}});
  if (keys_wanted_from_) feed(ike::NodeKeyingEvent{ike::EstablishAsked{*std::exchange(keys_wanted_from_, {})}});
}

void MobileHost::on(const ike::Stopped&) {
  if (keyed_) states().remove_except(keyed_->reqid, home_address_, keyed_->address, {});
  keyed_.reset();
  keying_.reset();
  keying_leaves_ = false;
  if (!stopping_) return start_keying();
  note("ends");
  process_ended();
  disk_.crash();
  core_.reset();
  charon_connected_ = false;
  receives_at_.reset();
}

void MobileHost::on(const node::NeedKeys& action) {
  if (!around_.options.dynamic_keys) return tell_keys(manual_keys_unused_);
  if (keys_are_of(agent_))
    feed(ike::NodeKeyingEvent{ike::EstablishAsked{action.attachment.care_of}});
  else
    keys_wanted_from_ = action.attachment.care_of;
}

void MobileHost::tell_keys(bool fresh) {
  if (!around_.options.dynamic_keys)
    return feed(node::KeysUsable{.can_migrate = false, .fresh = fresh, .endpoint = {}, .dynamic = false});
  feed(node::KeysUsable{.can_migrate = !keying_->migration_failed(), .fresh = fresh, .endpoint = keying_->endpoint()});
}

bool MobileHost::move_key_endpoint(const Ipv6Address& local) {
  if (!keyed_ || around_.world.chance.percent(around_.faults.kernel_refusals)) return false;
  if (charon() != nullptr) charon()->migrate(keyed_->reqid, local, keyed_->address);
  return true;
}

void MobileHost::on(const node::MoveOwnKeys& action) {
  note("moves its own end of the IKE connection to {:x}", brief(action.attachment.care_of));
  if (!move_key_endpoint(action.attachment.care_of)) feed(node::OwnKeysStayed{});
}

void MobileHost::on(const node::MoveKeys& action) {
  const auto& local = action.attachment.care_of;
  note("moves its IKE endpoint to {:x}", brief(local));
  const bool moved = move_key_endpoint(local);
  feed(ike::NodeKeyingEvent{ike::EndpointMoved{local, moved}});
}

void MobileHost::on(const node::RenewKeys& action) {
  note("renews its keys from {:x}", brief(action.attachment.care_of));
  feed(ike::NodeKeyingEvent{
      ike::ReestablishAsked{action.attachment.care_of, action.previous_usable, action.used_up || action.left_behind}});
}

void MobileHost::on(const ike::Request& action) {
  if (action.command == "initiate") ++around_.world.totals.initiations;
  ask_charon(action);
}

void MobileHost::on(const ike::FollowLog& action) { follows_log_ = action.follow; }

void MobileHost::on(const ike::KeysUp& action) {
  note("has keys, SPI in {:x}, out {:x}, fresh {}", action.spi_in, action.spi_out, action.fresh);
  if (keys_are_of(agent_)) tell_keys(action.fresh);
}

void MobileHost::on(const ike::KeysDown&) {
  note("has no keys any more");
  ++key_losses_;
  if (keys_are_of(agent_)) feed(node::KeysUnusable{});
}

void MobileHost::on(const ike::MoveOwnEndpoint& action) {
  move_key_endpoint(action.local);
  feed(ike::NodeKeyingEvent{ike::OwnEndpointMoved{}});
}

void MobileHost::on(const ike::DeleteStatesExcept& action) {
  if (!keyed_) return;
  const auto removed = states().remove_except(keyed_->reqid, home_address_, keyed_->address, action.spis);
  note("deletes {} states and keeps {}", removed, action.spis.size());
}

// --- charon ---

void MobileHost::answered(ike::Answered answer) { feed(ike::NodeKeyingEvent{std::move(answer)}); }

void MobileHost::charon_told(ike::CharonEvent event) {
  if (!charon_connected_ || (event.name == "log" && !follows_log_)) return;
  feed(ike::NodeKeyingEvent{std::move(event)});
}

void MobileHost::charon_came() {
  charon_connected_ = true;
  if (keying_) feed(ike::NodeKeyingEvent{ike::CharonConnected{}});
}

void MobileHost::charon_went() {
  if (!std::exchange(charon_connected_, false) || !keying_) return;
  feed(ike::NodeKeyingEvent{ike::CharonDisconnected{Error{.tried = "listen to charon", .reason = "closed"}}});
}

bool MobileHost::has_address(const Ipv6Address& address) const { return !asleep_ && addresses_.contains(address); }

// --- deadlines ---

std::optional<BootTime> MobileHost::next_deadline() const {
  if (asleep_ || !process_runs()) return std::nullopt;
  auto first = core_ ? core_->next_deadline() : std::nullopt;
  for (const auto& other : {keying_ ? keying_->next_deadline() : std::nullopt,
                            stopping_ || !core_ ? std::nullopt : link_health_.next_deadline()})
    if (other && (!first || *other < *first)) first = other;
  return first;
}

void MobileHost::deadline_reached() {
  choose_link();
  feed(node::DeadlineReached{});
  if (keying_) feed(ike::NodeKeyingEvent{ike::DeadlineReached{}});
}

}  // namespace mip6::simulation
