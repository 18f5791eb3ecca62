// The mobile node's body: processes that start and end, moves, addresses, what arrives. See mobile_host.hpp.
#include "tests/simulation/mobile_host.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "libmip6/wire/icmp_message.hpp"

namespace mip6::simulation {
namespace {

constexpr int kFirstNode = 0x100;  // of the host parts of addresses

}  // namespace

MobileHost::MobileHost(Surroundings around, int index, std::vector<Peer> peers)
    : Host{around, {Party::Kind::kNode, static_cast<std::uint8_t>(index)}},
      index_{index},
      home_address_{address_on(0, kFirstNode + index)},
      peers_{std::move(peers)},
      dice_{around.world},
      disk_{around.world, around.faults, [this](const SequenceState& state) {
              disk_state_ = state;
              manual_keys_unused_ = false;
            }} {}

Attachment MobileHost::attachment_at(int link) const {
  auto gateway = address_on(link, 1);
  gateway.bytes[0] = 0xfe;
  gateway.bytes[1] = 0x80;
  return {.interface = static_cast<std::uint32_t>(link + 2),
          .care_of = link == 0 ? home_address_ : address_on(link, kFirstNode + index_),
          .gateway = gateway,
          .at_home = link == 0};
}

bool MobileHost::defends_home_address() const {
  return !asleep_ && addresses_.contains(home_address_) && receives_at_ && receives_at_->at_home;
}

bool MobileHost::is_registered_here() const {
  if (!core_ || link_ < 0) return false;
  const auto& registration = core_->registration();
  const auto here = attachment_at(link_);
  if (registration.registered_at() != here) return false;
  return registration.state() == (here.at_home ? node::State::kAtHome : node::State::kRegistered);
}

const Peer* MobileHost::peer() const {
  if (!core_) return nullptr;
  const auto found = std::ranges::find_if(peers_, [&](const Peer& one) { return one.address == agent_; });
  return found == peers_.end() ? nullptr : &*found;
}

// --- processes ---

void MobileHost::start_process() {
  if (process_runs()) return;
  if (!around_.options.dynamic_keys)
    for (const auto& state : manual_states_)
      if (!states().has(state.direction, state.spi)) states().add(state);
  stopping_ = false;
  process_began();
  if (!deregistered_) start_registration();
}

void MobileHost::start_registration() {
  const auto& options = around_.options;
  const SequenceState stored =
      disk_state_.value_or(begins_with_.value_or(SequenceState{SequenceNumber{options.first_number}, {}}));
  note("starts with number {}", stored.first_unused.value());
  node::MobileNodePolicy policy;
  policy.registration.home_address = home_address_;
  policy.registration.lifetime = options.lifetime;
  policy.registration.may_have_binding = disk_state_.has_value();
  policy.home_prefix = kHomePrefix;
  policy.keyed_home_addresses = {home_address_};
  // All of them: the discovery of home agents is not simulated (fuzz targets: mobile_node, home_network).
  for (const auto& peer : peers_) policy.home_agents.push_back(peer.address);
  ledger_.restarted();
  core_.emplace(std::move(policy), stored, dice_);
  agent_ = core_->home_agent();
  link_health_ = {};
  choose_link();
  start_keying();
}

// It has de-registered, or could not. What it would have answered to is gone; the process goes on.
void MobileHost::forget_registration() {
  core_.reset();
  disk_.crash();
  if (!deregistered_) start_registration();
}

void MobileHost::crash_process() {
  if (!process_runs()) return;
  note("crashes");
  process_ended();
  disk_.crash();
  core_.reset();
  keying_.reset();
  keyed_.reset();
  keys_wanted_from_.reset();
  keying_leaves_ = forget_core_ = false;
  charon_connected_ = false;
  pending_.clear();
}

void MobileHost::cut_power() {
  note("loses power");
  crash_process();
  disk_.crash();
  power_off();
  receives_at_.reset();
  drop_all_addresses();
  link_ = wanted_ = -1;
  spare_.reset();
  asleep_ = false;
  paused_on_.reset();
  deregistered_ = false;
}

void MobileHost::lose_state() {
  note("loses its state");
  crash_process();
  disk_state_.reset();
  paused_on_.reset();
  deregistered_ = false;
  begins_with_ = first_state(dice_);
  // What was set by hand is known to be used, but not how far.
  manual_keys_unused_ = false;
}

void MobileHost::set_manual_keys(std::vector<EspState> keys) {
  states().clear();
  manual_states_ = std::move(keys);
  manual_keys_unused_ = true;
}

bool MobileHost::needs_keys() const {
  if (!disk_state_) return !manual_keys_unused_;
  if (!disk_state_->first_under_keys) return true;
  return disk_state_->first_unused.distance_from(*disk_state_->first_under_keys) + 2 * SequenceReservation::kBlockSize >
         kHalfSpace / 2;
}

std::optional<SequenceNumber> MobileHost::use_up_numbers(std::uint16_t count, const Peer& peer) {
  const auto* state = states().outbound(peer.reqid, home_address_, peer.address);
  if (state == nullptr || !disk_state_ || !disk_state_->first_under_keys) return std::nullopt;
  const auto used = disk_state_->first_unused.distance_from(*disk_state_->first_under_keys);
  if (used + count > kHalfSpace) return std::nullopt;
  note("has used {} numbers from {} on", count, disk_state_->first_unused.value());
  ledger_.skipped(state->key, disk_state_->first_unused, count);
  disk_state_->first_unused = disk_state_->first_unused.advanced(count);
  return disk_state_->first_unused;
}

// --- moves ---

void MobileHost::take_address(const Ipv6Address& address) {
  addresses_.insert(address);
  around_.network.attach(address, [this](const Packet& packet) { receive(packet); });
}

void MobileHost::drop_address(const Ipv6Address& address) {
  if (addresses_.erase(address) == 0) return;
  around_.network.detach(address);
  if (charon() != nullptr && !addresses_.empty()) charon()->address_vanished(address);
}

void MobileHost::drop_all_addresses() {
  for (const auto& address : std::exchange(addresses_, {})) around_.network.detach(address);
}

void MobileHost::move_to(int link, bool soft) {
  if (asleep_) return;
  ++around_.world.totals.moves;
  ++moves_;
  const std::set<Ipv6Address> former = addresses_;
  // The link that a paused node stays on has gone, or is there again.
  if (paused_on_) soft = false;
  const bool stays = paused_on_ && *paused_on_ != link;
  wanted_ = link;
  if (!stays) link_ = link;
  spare_.reset();
  wanted_router_lives_ = true;
  const Attachment attachment = attachment_at(link);
  note(soft ? "moves softly to link {}" : "moves to link {}", static_cast<std::uint64_t>(link));
  take_address(attachment.care_of);
  const bool previous_usable = soft && !former.empty();
  if (!previous_usable) {
    for (const auto& address : former)
      if (address != attachment.care_of) drop_address(address);
  } else {
    around_.world.later(500ms + around_.world.chance.time(2s), [this, former, moves = moves_] {
      if (moves == moves_)
        for (const auto& address : former)
          if (link_ >= 0 && address != attachment_at(link_).care_of &&
              (!spare_ || address != attachment_at(*spare_).care_of))
            drop_address(address);
    });
  }
  ledger_.pause_may_restart();
  if (stays) return choose_link();
  if (core_) feed(node::Attached{attachment, previous_usable});
}

void MobileHost::reach(int link) {
  if (asleep_ || wanted_ < 0 || spare_ || link == wanted_) return;
  note("has link {} in reach, too", static_cast<std::uint64_t>(link));
  spare_ = link;
  take_address(attachment_at(link).care_of);
  choose_link();
}

void MobileHost::router_lives(bool lives) {
  if (asleep_ || lives == wanted_router_lives_) return;
  note(lives ? "hears its router again" : "finds its router unreachable");
  wanted_router_lives_ = lives;
  choose_link();
}

Candidate MobileHost::candidate_at(int link) const {
  const auto attachment = attachment_at(link);
  constexpr int kFirstAtHome = 0x8000;
  Candidate candidate;
  candidate.interface = attachment.interface;
  candidate.interface_name = "w" + std::to_string(link);
  candidate.link_up = true;
  candidate.address = attachment.at_home ? address_on(0, kFirstAtHome + index_) : attachment.care_of;
  candidate.gateway = attachment.gateway;
  candidate.metric = link == wanted_ ? 1 : 2;
  candidate.router_unreachable = link == wanted_ && !wanted_router_lives_;
  return candidate;
}

// As the daemon does it, whenever links or what is known of them has changed.
void MobileHost::choose_link() {
  if (!core_ || asleep_ || stopping_ || wanted_ < 0) return;
  std::vector<Candidate> candidates{candidate_at(wanted_)};
  if (spare_) candidates.push_back(candidate_at(*spare_));
  MovementPolicy policy{
      .home_address = home_address_, .home_prefix = kHomePrefix, .home_agent = agent_, .preference = {}, .exclude = {}};
  if (paused_on_) policy.only = "w" + std::to_string(*paused_on_);
  const auto current = core_->registration().attachment();
  const auto usable = link_health_.choose(candidates, policy, current, core_->unanswered(), clock());
  if (usable.empty()) {
    link_ = -1;
    if (current) feed(node::Detached{});
    return;
  }
  const auto& best = usable.front().attachment;
  if (current == best) return;
  link_ = best.interface == attachment_at(wanted_).interface ? wanted_ : *spare_;
  const bool previous_usable = std::ranges::any_of(
      usable, [&](const Choice& choice) { return choice.attachment == current && !choice.failing; });
  if (current) note("uses link {}", static_cast<std::uint64_t>(link_));
  feed(node::Attached{best, previous_usable});
}

void MobileHost::detach() {
  if (asleep_ || link_ < 0) return;
  note("is detached");
  ++moves_;
  link_ = wanted_ = -1;
  spare_.reset();
  link_health_.forget();
  drop_all_addresses();
  if (core_) feed(node::Detached{});
}

// Nothing of it runs any more, nobody is told; its clock goes on.
void MobileHost::sleep() {
  if (asleep_) return;
  note("sleeps");
  asleep_ = true;
  for (const auto& address : addresses_) around_.network.detach(address);
}

void MobileHost::wake(int link) {
  if (!asleep_) return;
  note("wakes");
  asleep_ = false;
  const auto former = addresses_;
  for (const auto& address : former) take_address(address);
  if (core_) feed(node::DeadlineReached{});
  // A process that began meanwhile was told nothing yet.
  choose_link();
  if (link >= 0) move_to(link, false);
  arm();
}

void MobileHost::refresh() {
  if (!core_ || asleep_) return;
  ledger_.pause_may_restart();
  feed(node::RefreshAsked{});
}

void MobileHost::stop() {
  if (!process_runs() || asleep_) return;
  note("is stopped");
  must_stay_ = false;
  stopping_ = true;
  ledger_.pause_may_restart();
  if (core_) return feed(node::StopAsked{});
  if (keying_) return feed(ike::NodeKeyingEvent{ike::StopAsked{}});
  on(ike::Stopped{});
}

// --- what its user asks ---

void MobileHost::pause() {
  if (!core_ || asleep_ || stopping_ || deregistered_ || paused_on_ || link_ < 0) return;
  if (!core_->registration().attachment()) return;
  note("is to stay on link {}", static_cast<std::uint64_t>(link_));
  paused_on_ = link_;
  choose_link();
}

void MobileHost::go_home() {
  if (!core_ || asleep_ || stopping_ || deregistered_) return;
  note("is to de-register");
  deregistered_ = true;
  ledger_.pause_may_restart();
  feed(node::StopAsked{});
}

void MobileHost::resume() {
  if (!paused_on_ && !deregistered_) return;
  note("is to go on");
  paused_on_.reset();
  const bool begins = std::exchange(deregistered_, false) && !core_;
  if (!process_runs() || stopping_) return;
  // A de-registration under way begins anew when it is over.
  if (begins) return start_registration();
  choose_link();
}

void MobileHost::change_credentials() {
  if (!core_ || asleep_ || stopping_ || !keying_ || !keyed_ || keying_leaves_ || keyed_->address != agent_) return;
  note("has other credentials");
  const ike::NodeKeyingPolicy kept;
  ledger_.pause_may_restart();
  feed(ike::NodeKeyingEvent{ike::CredentialsChanged{credentials(), kept.child_rekey, kept.ike_rekey}});
}

// --- what arrives ---

void MobileHost::receive(const Packet& packet) {
  if (asleep_) return;
  switch (packet.kind) {
    case Packet::Kind::kIke:
      if (charon() != nullptr) charon()->receive(packet.ike);
      return;
    case Packet::Kind::kMobility:
      if (core_) receive_mobility(packet);
      return;
    case Packet::Kind::kIcmp:
      if (core_) receive_icmp(packet);
      return;
  }
}

// The kernel's ESP: true if a state of ours between home address and the packet's source opens it.
bool MobileHost::opens(const Packet& packet) {
  if (!packet.esp) return false;
  const auto* state = states().open(*packet.esp);
  return state != nullptr && state->local == home_address_ && state->remote == packet.source;
}

// What is for the home address has to come under ESP (RFC 6275 section 5.1); Binding Errors come to the care-of
// address, in the clear.
void MobileHost::receive_mobility(const Packet& packet) {
  const bool for_home =
      packet.home_address ? *packet.home_address == home_address_ : packet.destination == home_address_;
  if (packet.home_address && !for_home) return;
  if (for_home && !opens(packet)) return;
  const auto message = parse_message(packet.bytes);
  if (!message || packet.source != agent_) return;
  if (const auto* error = std::get_if<BindingError>(&*message)) feed(node::BindingErrorReceived{*error});
  if (!for_home) return;
  if (const auto* acknowledgement = std::get_if<BindingAcknowledgement>(&*message)) {
    note("receives the acknowledgement of {}, status {}", acknowledgement->sequence.value(),
         static_cast<std::uint64_t>(acknowledgement->status));
    ledger_.pause_may_restart();
    feed(node::AcknowledgementReceived{*acknowledgement});
  } else if (std::holds_alternative<BindingRefreshRequest>(*message)) {
    feed(node::RefreshRequestReceived{});
  }
}

void MobileHost::receive_icmp(const Packet& packet) {
  if (packet.bytes.size() >= 8 && packet.bytes[0] == kParameterProblem)
    return feed(node::ParameterProblemReceived{packet.bytes[1], packet.bytes[7]});
  const auto message = parse_icmp_message(packet.bytes);
  if (!message) return;
  if (const auto* reply = std::get_if<HomeAgentAddressDiscoveryReply>(&*message)) {
    feed(node::AgentDiscoveryReplyReceived{*reply, packet.source});
  } else if (const auto* advertisement = std::get_if<MobilePrefixAdvertisement>(&*message)) {
    if (packet.home_address == home_address_)
      feed(node::PrefixAdvertisementReceived{*advertisement, packet.source, opens(packet)});
  }
}

}  // namespace mip6::simulation
