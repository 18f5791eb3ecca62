// The home agent's core: events, deadlines, what the disk remembers, and the road of an update to its acknowledgement.
// What an acknowledged update changes stands in commit.cpp, the tests that it must pass in validation.cpp.
#include "libmip6/agent/home_agent.hpp"

#include <algorithm>
#include <cassert>
#include <string>
#include <utility>

#include "libmip6/agent/both_clocks.hpp"
#include "libmip6/defect.hpp"

namespace mip6::agent {
namespace {

Duration lifetime_left(const BindingRecord& record, std::int64_t unix_now, BootTime now) {
  const EndOnBothClocks end{
      .granted = record.granted, .expires_unix = record.expires_unix, .expires_boot = record.expires_boot};
  return left_of(end, unix_now, now);
}

}  // namespace

HomeAgent::HomeAgent(const Policy& policy, const Authorisation& authorisation)
    : policy_{policy}, authorisation_{authorisation} {}

std::vector<Action> HomeAgent::restore(const std::vector<BindingRecord>& records, std::int64_t unix_now, BootTime now,
                                       const std::set<Ipv6Address>& doubtful) {
  assert(entries_.empty());
  Actions out;
  for (const auto& record : records) {
    Entry& entry = entry_of(record.home_address);
    entry.record = record;
    entry.known = true;
    entry.expires = now + lifetime_left(record, unix_now, now);
    const Lifetime left = remaining(end_of(entry), now);
    if (!record.care_of || left <= Lifetime{0} || !serves(record.home_address)) {
      entry.record = without_binding(record);
      if (record.care_of && serves(record.home_address))
        out.push_back(Report{record.home_address, "binding expired meanwhile", std::nullopt});
      continue;
    }
    if (!record.expires_boot) {
      entry.record.expires_boot = entry.expires;
      entry.record.expires_unix = unix_now + std::chrono::ceil<Lifetime>(entry.expires - now).count();
    }
    if (doubtful.contains(record.home_address))
      withhold(entry, out);
    else
      take_up(entry, now, out);
  }
  ask_for_claims(out);
  return out;
}

std::vector<Action> HomeAgent::handle(const Event& event, BootTime now) {
  Actions out;
  if (stopped_) return out;
  // What is due comes first, so that no event finds a binding that has expired.
  on(DeadlineReached{}, now, out);
  if (!std::holds_alternative<DeadlineReached>(event)) std::visit([&](const auto& e) { on(e, now, out); }, event);
  return out;
}

std::optional<BootTime> HomeAgent::next_deadline() const {
  const auto end = ends_.next();
  const auto forgetting = forgettings_.next();
  return end && forgetting ? std::min(end, forgetting) : end ? end : forgetting;
}

const BindingRecord* HomeAgent::find(const Ipv6Address& home_address) const {
  const auto found = entries_.find(home_address);
  return found != entries_.end() && found->second.known ? &found->second.record : nullptr;
}

std::vector<BindingRecord> HomeAgent::records() const {
  std::vector<BindingRecord> records;
  records.reserve(entries_.size());
  for (const auto& [home_address, entry] : entries_)
    if (entry.known) records.push_back(entry.record);
  std::sort(records.begin(), records.end(),
            [](const auto& a, const auto& b) { return a.home_address < b.home_address; });
  return records;
}

bool HomeAgent::serves(const Ipv6Address& home_address) const {
  return authorisation_.standing_of(home_address) == Standing::kServed;
}

HomeAgent::Entry* HomeAgent::find_entry(const Ipv6Address& home_address) {
  const auto found = entries_.find(home_address);
  return found == entries_.end() ? nullptr : &found->second;
}

HomeAgent::Entry& HomeAgent::entry_of(const Ipv6Address& home_address) {
  Entry& entry = entries_[home_address];
  entry.record.home_address = home_address;
  return entry;
}

void HomeAgent::on(const UpdateReceived& event, BootTime now, Actions& out) {
  ++counters_.updates;
  if (planted(Defect::kStrangersRemembered)) entry_of(event.home_address);
  const auto verdict = validate(event, policy_, authorisation_, find(event.home_address), now);
  if (const auto* dropped = std::get_if<Dropped>(&verdict)) return drop(event.home_address, dropped->why, out);
  if (const auto* refused = std::get_if<Refused>(&verdict))
    return refuse(event.home_address, reply_path(event, policy_.home_prefixes, now), *refused, out);
  const auto& request = std::get<Request>(verdict);
  Entry& entry = entry_of(request.home_address);
  entry.pending ? join(entry, request, now, out) : begin(entry, request, now, out);
  reschedule(entry);
}

// An update arrives while an earlier one waits for an answer from the link or the disk, or for its keys. Only the
// newest is acknowledged: the node has stopped waiting for the others (section 11.8).
void HomeAgent::join(Entry& entry, const Request& request, BootTime now, Actions& out) {
  Pending& pending = *entry.pending;
  // After both: what follows the newest can be out of the window of the one that is being stored (section 9.5.1).
  const SequenceNumber newest = pending.next ? pending.next->sequence : pending.request.sequence;
  if (!request.sequence.follows(newest) || !request.sequence.follows(pending.request.sequence))
    return drop(request.home_address, "a newer update is being processed", out);
  if (pending.phase != Pending::Phase::kProbing) {
    pending.next = request;
    return;
  }
  pending.request = request;
  pending.received = now;
  // The node is home again: there is no binding to be made, but its number must outlast the updates that it overtook
  // (section 10.3.2).
  if (request.deregistration) {
    store(entry, now, out);
    return reschedule(entry);
  }
  if (now - pending.probing_since >= kDadTimeout) probe(entry, now, out);
}

void HomeAgent::begin(Entry& entry, const Request& request, BootTime now, Actions& out) {
  entry.pending = std::make_unique<Pending>();
  entry.pending->request = request;
  // Section 10.3.2. A repeated de-registration finds the entry that the first one marked invalid. The number must
  // outlast the updates that it overtook here, too: one of them would bind a node that is at home.
  entry.pending->nothing_to_end =
      request.deregistration && !entry.bound() && !entry.withheld && entry.ended_until <= now;
  entry.pending->received = now;
  // Section 10.3.1: unless there is a binding already. That of a node which asks for its link-local address only now
  // does not cover it.
  const bool covered = entry.bound() && (entry.record.link_local || !request.link_local);
  if (!request.deregistration && !covered && policy_.duplicate_address_detection) return probe(entry, now, out);
  store(entry, now, out);
}

void HomeAgent::probe(Entry& entry, BootTime now, Actions& out) {
  entry.pending->phase = Pending::Phase::kProbing;
  entry.pending->probing_since = now;
  out.push_back(StartDad{entry.pending->request.home_address, entry.pending->request.link_local});
}

void HomeAgent::store(Entry& entry, BootTime now, Actions& out) {
  Pending& pending = *entry.pending;
  const Request& request = pending.request;
  pending.phase = Pending::Phase::kStoring;
  pending.record = BindingRecord{.home_address = request.home_address,
                                 .care_of = std::nullopt,
                                 .sequence = request.sequence,
                                 .key_mobility = !pending.nothing_to_end && grants_key_mobility(entry, request)};
  if (!request.deregistration) {
    pending.record.care_of = request.care_of;
    pending.record.granted = granted_lifetime(request, now);
    if (pending.record.granted < kMinLifetime) {
      // The prefix ended while the link was asked for a duplicate, or the disk to store an earlier update.
      const auto refused = std::move(entry.pending);
      return refuse(refused->request, Status::kNotHomeSubnet, out);
    }
    pending.record.link_local = request.link_local;
    const auto waited = std::chrono::duration_cast<std::chrono::seconds>(now - pending.received);
    pending.record.expires_unix = request.unix_time + (waited + pending.record.granted).count();
    pending.record.expires_boot = now + pending.record.granted;
  }
  out.push_back(StoreRecord{pending.record});
  if (planted(Defect::kAcknowledgedBeforeSync)) commit(entry, std::move(entry.pending), now, out);
}

void HomeAgent::on(const DadFinished& event, BootTime now, Actions& out) {
  Entry* entry = find_entry(event.home_address);
  if (entry == nullptr) return;
  if (!entry->pending && entry->withheld) return settle_claim(*entry, event.duplicate, now, out);
  if (!entry->pending || entry->pending->phase != Pending::Phase::kProbing) return;
  if (!event.duplicate) {
    store(*entry, now, out);
    return reschedule(*entry);  // a binding that is probed for once more, for its link-local address, has an end
  }
  const auto pending = std::move(entry->pending);
  refuse(pending->request, Status::kDuplicateAddressDetectionFailed, out);
  if (entry->withheld) settle_claim(*entry, true, now, out);
}

void HomeAgent::on(const RecordStored& event, BootTime now, Actions& out) {
  Entry* entry = find_entry(event.home_address);
  if (entry == nullptr) return;
  if (entry->unasked_stores > 0) {
    // The end of a binding. If the disk refused it, the record there has expired all the same.
    --entry->unasked_stores;
    return;
  }
  if (!entry->pending || entry->pending->phase != Pending::Phase::kStoring) return;
  auto done = std::move(entry->pending);
  if (!event.stored && !planted(Defect::kAcknowledgedUnstored)) {
    refuse(done->request, Status::kInsufficientResources, out);
    if (entry->withheld) out.push_back(StartDad{event.home_address, entry->withheld->record.link_local, true});
    take_next(*entry, *done, now, out);
  } else if (done->nothing_to_end) {
    entry->record = done->record;
    entry->known = true;
    refuse(done->request, Status::kNotHomeAgentForThisNode, out);
    replace_keys(*entry, done->request, out);
    take_next(*entry, *done, now, out);
  } else {
    commit(*entry, std::move(done), now, out);
  }
  reschedule(*entry);
}

// Its number was judged when it came, and follows both the old and the new last one.
void HomeAgent::take_next(Entry& entry, const Pending& done, BootTime now, Actions& out) {
  if (done.next) begin(entry, *done.next, now, out);
}

void HomeAgent::on(const KeysMoved& event, BootTime now, Actions& out) {
  Entry* entry = find_entry(event.home_address);
  if (entry == nullptr) return;
  entry->keys_movable = event.possible;
  const bool awaited = entry->pending && entry->pending->phase == Pending::Phase::kMovingKeys;
  // Wherever it has stayed, it is not where it should be: the next update replaces it, or the one that waits for this.
  if (!event.possible) {
    entry->keys_at = Ipv6Address{};
  }
  if (!awaited) return;
  const auto done = std::move(entry->pending);
  const bool ended = done->record.care_of && !entry->bound();  // meanwhile: the node asks again
  if (!event.possible && !ended) {
    entry->record.key_mobility = done->record.key_mobility = false;
    ++entry->unasked_stores;
    out.push_back(StoreRecord{entry->record});
  }
  if (!ended) acknowledge(*entry, *done, now, out);
  take_next(*entry, *done, now, out);
  reschedule(*entry);
}

void HomeAgent::on(const KeysRenewed& event, BootTime, Actions&) {
  if (!serves(event.home_address)) return;
  Entry& entry = entry_of(event.home_address);
  entry.keys_movable = true;
  entry.keys_at = event.endpoint;
}

void HomeAgent::on(const MessageUnrecognized& event, BootTime now, Actions& out) {
  ++counters_.dropped;
  ++counters_.dropped_because["unknown type of message"];
  // Section 9.2: types that the RFC defines are known, also those that concern correspondents only.
  if (event.type <= static_cast<std::uint8_t>(MhType::kBindingError)) return;
  if (event.source.is_multicast() || event.source.is_unspecified()) return;
  binding_errors_at_ = std::max(binding_errors_at_, now - kBindingErrorBurst * kBindingErrorInterval);
  if (binding_errors_at_ + kBindingErrorInterval > now) return;
  binding_errors_at_ += kBindingErrorInterval;
  constexpr std::uint8_t kUnrecognizedMhType = 2;
  out.push_back(SendBindingError{
      BindingError{kUnrecognizedMhType, event.home_address_in_option.value_or(Ipv6Address{}), {}}, event.source});
}

void HomeAgent::on(const HomePrefixesChanged& event, BootTime now, Actions& out) {
  policy_.home_prefixes = event.prefixes;
  for (auto& [home_address, entry] : entries_) {
    entry.end.due = end_of(entry);
    ends_.enqueue(entry);
  }
  ends_.settle();
  on(DeadlineReached{}, now, out);
}

void HomeAgent::on(const ServiceEnded& event, BootTime, Actions& out) {
  Entry* entry = find_entry(event.home_address);
  if (entry == nullptr) return;
  const auto pending = std::move(entry->pending);
  const bool storing = pending && pending->phase == Pending::Phase::kStoring;
  entry->keys_at.reset();
  entry->keys_movable = true;
  // To performing a StoreRecord may belong that its binding is in the kernel by now.
  if (storing && !entry->bound() && pending->record.care_of) out.push_back(RemoveBinding{event.home_address});
  if (storing) {
    // Its answer is nobody's any more; what the disk will hold is overwritten, its number is not used again.
    ++entry->unasked_stores;
    entry->record.sequence = pending->record.sequence;
    entry->known = true;
  }
  entry->ended_until = BootTime{};
  if (entry->withheld) give_up_withheld(*entry, "service ended", out);
  if (entry->bound() || storing || !entry->former.empty()) end_binding(*entry, "service ended", out);
  reschedule(*entry);
}

void HomeAgent::on(const NumberForgotten& event, BootTime, Actions&) {
  Entry* entry = find_entry(event.home_address);
  if (entry == nullptr || entry->bound() || entry->pending) return;
  entry->record = BindingRecord{.home_address = event.home_address};
  entry->known = false;
}

void HomeAgent::on(const StopAsked&, BootTime, Actions& out) {
  stopped_ = true;
  ends_.clear();
  forgettings_.clear();
  for (const auto& record : records())
    if (record.care_of) out.push_back(RemoveBinding{record.home_address});
  for (auto& [home_address, entry] : entries_) entry.pending.reset();
}

void HomeAgent::on(const DeadlineReached&, BootTime now, Actions& out) {
  while (Entry* entry = forgettings_.take_due(now)) {
    auto& former = entry->former;
    while (!former.empty() && former.front().until <= now) {
      out.push_back(ForgetCareOf{entry->record.home_address, former.front().care_of});
      former.erase(former.begin());
    }
    reschedule(*entry);
  }
  while (Entry* entry = ends_.take_due(now)) {
    end_binding(*entry, "binding expired", out);
    reschedule(*entry);
  }
}

void HomeAgent::end_binding(Entry& entry, std::string_view why, Actions& out) {
  const bool in_kernel = entry.bound() || !entry.former.empty();
  entry.record = without_binding(entry.record);
  entry.former.clear();
  ++entry.unasked_stores;
  if (in_kernel) out.push_back(RemoveBinding{entry.record.home_address});
  out.push_back(StoreRecord{entry.record});
  out.push_back(Report{entry.record.home_address, std::string{why}, std::nullopt});
}

// A binding ends with its lifetime or with the validity of its prefix (section 10.3.1). While an update is being stored
// its answer decides: the binding is renewed, ended, or expires after all.
BootTime HomeAgent::end_of(const Entry& entry) const {
  if (!entry.bound() || (entry.pending && entry.pending->phase == Pending::Phase::kStoring)) return kForever;
  return std::min(entry.expires, end_of_validity(policy_.home_prefixes, entry.record.home_address));
}

void HomeAgent::reschedule(Entry& entry) {
  entry.end.due = end_of(entry);
  ends_.update(entry);
  entry.forgetting.due = entry.former.empty() ? kForever : entry.former.front().until;
  forgettings_.update(entry);
}

}  // namespace mip6::agent
