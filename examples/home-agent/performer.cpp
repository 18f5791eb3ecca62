// The order within one action, and what happens when the kernel or the disk refuses.
#include "examples/home-agent/performer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "libmip6/wire/icmp_message.hpp"
#include "libmip6/wire/message.hpp"

namespace mip6ha {

using mnd::kernel::Level;

Performer::Performer(KernelPort& kernel, Store& store, NodeTable nodes, Outlets outlets)
    : kernel_{kernel}, store_{store}, nodes_{std::move(nodes)}, outlets_{std::move(outlets)} {}

void Performer::serve(const Address& home_address, const NodeIdentity& node) { nodes_[home_address] = node; }

void Performer::dismiss(const Address& home_address) {
  nodes_.erase(home_address);
  keys_.erase(home_address);
  routed_.erase(home_address);
  tallies_.erase(home_address);
}

void Performer::perform(const mip6::agent::Action& action) {
  std::visit([this](const auto& one) { on(one); }, action);
}

// As with an acknowledgement: the answer to a solicitation goes to where that came from (RFC 6275 section 10.6.3),
// which need not be the bound care-of address.
bool Performer::perform(const mip6::agent::SendPrefixAdvertisement& action) {
  const auto& home = action.home_address;
  const bool sent =
      route(home, action.care_of) && check(kernel_.send_prefixes(mip6::write_icmp_message(action.advertisement), home));
  route(home, bound_to(home));
  return sent;
}

void Performer::perform(const ike::PeerKeysUp& action) {
  auto& keys = keys_[action.home_address];
  keys.told_used = 0;  // charon may have come back: then nothing is known any more of what was told
  auto& pairs = keys.pairs;
  std::erase_if(pairs, [&](const ike::KeyPair& one) { return one.spi_out == action.spi_out; });
  if (pairs.size() == kMaxKeyPairs) pairs.erase(pairs.begin());
  pairs.push_back({.spi_in = action.spi_in, .spi_out = action.spi_out});
  choose_keys(action.home_address);
}

void Performer::perform(const ike::PeerKeysChanged& action) { choose_keys(action.home_address); }

void Performer::perform(const ike::PeerKeysDown& action) {
  keys_[action.home_address].pairs.clear();
  choose_keys(action.home_address);
}

void Performer::perform(const ike::NotePeerStates& action) {
  const auto present = kernel_.state_spis(action.home_address, action.reqid);
  keys_[action.home_address].noted = check(present.map([](const auto&) {})) ? *present : std::vector<std::uint32_t>{};
}

void Performer::perform(const ike::DeletePeerStatesExcept& action) {
  const auto among = action.noted ? std::optional{keys_[action.home_address].noted} : std::nullopt;
  check(kernel_.delete_states_except(action.home_address, action.reqid, action.spis, among));
  choose_keys(action.home_address);
}

void Performer::perform(const ike::PeerMoveAgain& action) {
  const auto node = nodes_.find(action.home_address);
  if (node == nodes_.end()) return;
  check(kernel_.move_key_endpoint(action.home_address, node->second.reqid, action.care_of));
}

void Performer::perform(const ike::PeerMoveFailed& action) {
  outlets_.to_agent(mip6::agent::KeysMoved{.home_address = action.home_address, .possible = false});
}

void Performer::perform(const ike::PeerChildUp& action) {
  if (action.kind == ike::ChildKind::kPayload && action.remote)
    check(kernel_.send_payload_to(action.home_address, *action.remote));
}

void Performer::forget_former_bindings() {
  std::set<Address> unbound;
  for (const auto& [home_address, care_of] : kernel_.bound()) {
    const auto present = bound_to(home_address);
    if (!present)
      unbound.insert(home_address);
    else if (*present != care_of)
      check(kernel_.forget_care_of(home_address, care_of));
  }
  const auto intercepted = kernel_.intercepted();
  if (check(intercepted.map([](const auto&) {})))
    for (const auto& address : *intercepted) {
      if (address.is_link_local()) {
        if (!link_locals_.contains(address)) check(kernel_.release(address));
      } else if (!bound_to(address)) {
        unbound.insert(address);
      }
    }
  for (const auto& home_address : unbound) check(kernel_.unbind(home_address, false));
}

// Payload under ESP has no filter of a care-of address, which is what the kernel lists.
std::size_t Performer::tunnel_ends() const {
  const auto under_esp = std::ranges::count_if(bound_, [this](const auto& bound) {
    const auto node = nodes_.find(bound.first);
    return node != nodes_.end() && node->second.payload_reqid != 0;
  });
  return kernel_.bound().size() + static_cast<std::size_t>(under_esp);
}

bool Performer::check(const tl::expected<void, mip6::Error>& result) {
  if (result) return true;
  ++kernel_failures_;
  outlets_.failed(result.error());
  return false;
}

void Performer::on(const mip6::agent::StartDad& action) {
  const auto home = action.home_address;
  const auto finished = [this, home](bool duplicate) {
    outlets_.to_agent(mip6::agent::DadFinished{.home_address = home, .duplicate = duplicate});
  };
  constexpr int kThoroughProbes = 3;
  const auto started = kernel_.start_dad(home, action.link_local, action.thorough ? kThoroughProbes : 1, finished);
  // Nobody may be served at an address of which it isn't known that it is free (RFC 6275 section 10.3.1).
  if (!check(started)) finished(true);
}

// The kernel is asked first, the disk after it: so one answer, stored or not, covers both, and no binding that could
// not be installed is acknowledged as accepted. Nothing is promised to the node before both have agreed.
//
// Group commit: a sync takes as long for a hundred records as for one. So the kernel is asked at once, the record waits
// until all messages that had arrived are handled, and store_waiting() writes all that wait in one transaction, whose
// COMMIT returns after one sync. This is right, because the core of a home address goes on only with RecordStored,
// which is told after that COMMIT: no acknowledgement leaves before the sync that holds its record, and if the
// transaction fails, none of its records counts, each update is refused, and the kernel is set back to what is on the
// disk. An update that comes alone waits for nothing: its group is itself, its cost one sync. What arrives while the
// disk works waits in the socket and makes the next group, so that groups grow with the load by themselves.
void Performer::on(const mip6::agent::StoreRecord& action) {
  const auto& record = action.record;
  Waiting waiting{.record = record,
                  .agreed = true,
                  .binds = false,
                  .former = bound_to(record.home_address),
                  .former_link_local = link_locals_.contains(link_local_of(record.home_address))};
  if (record.care_of) {
    waiting.agreed = waiting.binds = install(record.home_address, *record.care_of, record.link_local);
    if (!waiting.agreed) undo_install(waiting);
  }
  waiting_.push_back(std::move(waiting));
  if (waiting_.size() == 1) outlets_.records_wait();
}

void Performer::update_came(const Address& home_address) {
  const auto found = keys_.find(home_address);
  if (found == keys_.end() || found->second.pairs.empty()) return;
  const auto& keys = found->second;
  // What the core makes of the update depends on where the keys are that the node uses.
  if (keys.pairs.size() > 1 || keys.told_used != keys.pairs.front().spi_in) choose_keys(home_address);
}

bool Performer::save(const std::vector<mip6::agent::BindingRecord>& records) {
  const auto begin = std::chrono::steady_clock::now();
  const bool stored = check(store_.save(records));
  store_seconds_.observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  if (stored) records_stored_ += records.size();
  return stored;
}

void Performer::store_waiting() {
  const auto group = std::exchange(waiting_, {});
  std::vector<mip6::agent::BindingRecord> records;
  for (const auto& one : group)
    if (one.agreed) records.push_back(one.record);
  const bool stored = records.empty() || save(records);
  if (!records.empty()) outlets_.disk(stored);
  for (const auto& one : group) {
    if (!one.binds) continue;
    if (stored)
      prepared_[one.record.home_address] = {*one.record.care_of, one.former_link_local};
    else
      undo_install(one);
  }
  // After all that is undone: an answer may begin something new in the kernel.
  for (const auto& one : group)
    outlets_.to_agent(
        mip6::agent::RecordStored{.home_address = one.record.home_address, .stored = stored && one.agreed});
}

void Performer::on(const mip6::agent::InstallBinding& action) {
  const auto& home = action.home_address;
  bool done = false;
  bool known_link_local = link_locals_.contains(link_local_of(home));
  if (const auto prepared = prepared_.find(home); prepared != prepared_.end()) {
    done = prepared->second.care_of == action.care_of;
    known_link_local = prepared->second.former_link_local;
    prepared_.erase(prepared);
  }
  if (!done && !install(home, action.care_of, action.link_local)) return;
  if (action.first) check(kernel_.advertise(home));
  if (!action.link_local)
    intercept_link_local(home, false);
  else if (action.first || !known_link_local)
    check(kernel_.advertise(link_local_of(home)));
}

void Performer::on(const mip6::agent::ForgetCareOf& action) {
  // A node that is on its way back to it: the record waits.
  if (bound_to(action.home_address) == action.care_of) return;
  check(kernel_.forget_care_of(action.home_address, action.care_of));
}

void Performer::on(const mip6::agent::RemoveBinding& action) {
  prepared_.erase(action.home_address);
  bound_.erase(action.home_address);
  // Nothing of it is in the kernel any more: there is nothing to confirm or to go back to, whatever the disk says.
  for (auto& waiting : waiting_)
    if (waiting.record.home_address == action.home_address) waiting.binds = false;
  unbind(action.home_address, action.in_flight);
  // An acknowledgement that follows sets the way it needs by itself.
  route(action.home_address, std::nullopt);
}

// The kernel puts a type 2 routing header on by the state of the moment. A refusal may go to another care-of address
// than the bound one, or to a node without binding (RFC 6275 section 9.5.4): the way is set, used, and set back.
void Performer::on(const mip6::agent::SendAcknowledgement& action) {
  const auto& home = action.home_address;
  // charon tells only later, or not at all, that the node has begun to use a pair or that a pair has gone.
  choose_keys(home);
  if (route(home, action.care_of)) {
    const auto message = mip6::write_message(action.acknowledgement);
    check(kernel_.send(message, home, action.to_link_layer));
    if (has_lost_keys(home)) {
      ++sent_again_;
      choose_keys(home);
      check(kernel_.send(message, home, action.to_link_layer));
    }
  }
  route(home, bound_to(home));
}

// charon removes an SA when it likes: what was sent under it a moment before, or only a moment after, which the kernel
// then drops without a word.
bool Performer::has_lost_keys(const Address& home_address) {
  const auto found = keys_.find(home_address);
  if (found == keys_.end() || found->second.sent_under == 0) return false;
  const auto& pairs = found->second.pairs;
  const auto sent_under = found->second.sent_under;
  const auto pair = std::ranges::find(pairs, sent_under, &ike::KeyPair::spi_out);
  return pair != pairs.end() && !kernel_.look_up(home_address, *pair).there;
}

void Performer::on(const mip6::agent::SendBindingError& action) {
  check(kernel_.send(mip6::write_message(action.error), action.destination, false));
}

void Performer::on(const mip6::agent::MoveKeys& action) {
  const auto node = nodes_.find(action.home_address);
  const bool moved =
      node != nodes_.end() && check(kernel_.move_key_endpoint(action.home_address, node->second.reqid, action.care_of));
  if (!moved && node != nodes_.end()) {
    keys_[action.home_address].sent_under = 0;
    choose_keys(action.home_address);
  }
  // First the core that has an acknowledgement to send.
  outlets_.to_agent(mip6::agent::KeysMoved{.home_address = action.home_address, .possible = moved});
  outlets_.to_keying(
      ike::PeerEndpointMoved{.home_address = action.home_address, .care_of = action.care_of, .accepted = moved});
}

void Performer::on(const mip6::agent::ReplaceKeys& action) {
  outlets_.to_keying(ike::PeerReplaceAsked{.home_address = action.home_address, .care_of = action.care_of});
}

void Performer::on(const mip6::agent::Report& action) {
  const bool refused = action.dropped || (action.status && !mip6::is_accepted(*action.status));
  if (nodes_.contains(action.home_address)) {
    auto& tally = tallies_[action.home_address];
    if (refused)
      ++tally.refused[action.what];
    else if (action.status)
      ++tally.accepted;
  }
  outlets_.event(action.home_address, action.what);
  outlets_.log(refused ? Level::kWarning : Level::kInfo,
               fmt::format("node={} home-address={} {}", name_of(action.home_address), action.home_address.to_string(),
                           action.what));
}

const Counts& Performer::refused_because(const Address& home_address) const {
  static const Counts kNone;
  const auto found = tallies_.find(home_address);
  return found == tallies_.end() ? kNone : found->second.refused;
}

std::uint64_t Performer::refused(const Address& home_address) const {
  std::uint64_t sum = 0;
  for (const auto& [reason, count] : refused_because(home_address)) sum += count;
  return sum;
}

std::uint64_t Performer::accepted(const Address& home_address) const {
  const auto found = tallies_.find(home_address);
  return found == tallies_.end() ? 0 : found->second.accepted;
}

void Performer::claimed(const Address& address, mip6::BootTime now) {
  const auto link_local = link_locals_.find(address);
  const auto home = link_local == link_locals_.end() ? address : link_local->second;
  if (!bound_to(home)) return;
  const auto count = claims_.count(address.to_string(), now);
  if (!count) return;
  outlets_.log(Level::kWarning, fmt::format("node={} home-address={} another host of the home link claims {}, which is "
                                            "intercepted: the link is told so again (count {})",
                                            name_of(home), home.to_string(), address.to_string(), *count));
  check(kernel_.advertise(address));
}

bool Performer::install(const Address& home_address, const Address& care_of, bool link_local) {
  if (!check(kernel_.bind(home_address, care_of))) return false;
  bound_[home_address] = care_of;
  if (link_local && !intercept_link_local(home_address, true)) return false;
  // Told to the kernel even if it was so before: each registration mends what somebody else may have removed.
  routed_.erase(home_address);
  return route(home_address, care_of);
}

bool Performer::intercept_link_local(const Address& home_address, bool wanted) {
  const auto address = link_local_of(home_address);
  if (wanted) {
    if (!check(kernel_.intercept(address))) return false;
    link_locals_[address] = home_address;
    return true;
  }
  const auto found = link_locals_.find(address);
  if (found == link_locals_.end() || found->second != home_address) return true;
  link_locals_.erase(found);
  return check(kernel_.release(address));
}

void Performer::unbind(const Address& home_address, bool in_flight) {
  check(kernel_.unbind(home_address, in_flight));
  intercept_link_local(home_address, false);
}

void Performer::undo_install(const Waiting& waiting) {
  const auto& home_address = waiting.record.home_address;
  const auto& care_of = *waiting.record.care_of;
  const auto& former = waiting.former;
  if (!waiting.former_link_local) intercept_link_local(home_address, false);
  if (former) {
    if (check(kernel_.bind(home_address, *former))) bound_[home_address] = *former;
    if (*former != care_of) check(kernel_.forget_care_of(home_address, care_of));
  } else {
    bound_.erase(home_address);
    unbind(home_address);
  }
  route(home_address, former);
}

bool Performer::route(const Address& home_address, const std::optional<Address>& care_of) {
  const auto known = routed_.find(home_address);
  if (known != routed_.end() && known->second == care_of) return true;
  const bool done =
      check(care_of ? kernel_.route_through(home_address, *care_of) : kernel_.route_straight(home_address));
  if (done)
    routed_[home_address] = care_of;
  else
    routed_.erase(home_address);
  return done;
}

void Performer::choose_keys(const Address& home_address) {
  const auto found = keys_.find(home_address);
  const auto node = nodes_.find(home_address);
  if (found == keys_.end() || node == nodes_.end()) return;
  auto& keys = found->second;
  std::vector<ike::KeyPairUse> uses;
  for (const auto& pair : keys.pairs) uses.push_back(kernel_.look_up(home_address, pair));
  std::vector<ike::KeyPairUse> kept;
  for (std::size_t i = 0; i < uses.size(); ++i) {
    const bool closed = ike::is_left_behind(uses, i) && check(kernel_.close_inbound(home_address, uses[i].pair.spi_in));
    if (uses[i].there && !closed) kept.push_back(uses[i]);
  }
  uses = std::move(kept);
  keys.pairs.clear();
  for (const auto& one : uses) keys.pairs.push_back(one.pair);
  const auto* used = ike::newest_used(uses);
  if (used != nullptr && std::exchange(keys.told_used, used->pair.spi_in) != used->pair.spi_in)
    outlets_.to_keying(ike::PeerKeysUsed{.home_address = home_address, .spi_in = used->pair.spi_in});
  const auto spi = ike::spi_to_send_under(uses);
  if (spi == keys.sent_under) return;
  if (check(kernel_.send_under(home_address, node->second.reqid, spi))) keys.sent_under = spi;
}

std::optional<mip6::Ipv6Address> Performer::bound_to(const Address& home_address) const {
  const auto found = bound_.find(home_address);
  if (found == bound_.end()) return std::nullopt;
  return found->second;
}

std::string Performer::name_of(const Address& home_address) const {
  const auto found = nodes_.find(home_address);
  return found == nodes_.end() ? "unknown" : found->second.name;
}

}  // namespace mip6ha
