// The home agent's core: events, deadlines, what the disk remembers, and the road of an update to its acknowledgement.
// What an acknowledged update changes stands in commit.cpp, the tests that it must pass in validation.cpp.
#include "libmip6/agent/home_agent.hpp"

#include <algorithm>
#include <cassert>

#include "libmip6/agent/validation.hpp"

namespace mip6::agent {
namespace {

// What outlasts a binding.
BindingRecord without_binding(const BindingRecord& record) {
  return {.home_address = record.home_address, .care_of = std::nullopt, .sequence = record.sequence};
}

}  // namespace

HomeAgent::HomeAgent(const Policy& policy) : policy_{policy} {
  for (const auto& node : policy.nodes) served_.emplace(node.home_address, node);
}

std::vector<Action> HomeAgent::restore(const std::vector<BindingRecord>& records, std::int64_t unix_now, BootTime now) {
  assert(entries_.empty());
  Actions out;
  for (const auto& record : records) {
    Entry& entry = entries_[record.home_address];
    entry.record = record;
    // A clock that was set back must not make a binding live longer than was granted.
    const Lifetime left = std::min(Lifetime{record.expires_unix - unix_now}, record.granted);
    if (!record.care_of || left <= Lifetime{0} || !served_.contains(record.home_address)) {
      entry.record = without_binding(record);
      continue;
    }
    entry.expires = now + left;
    reschedule(record.home_address, entry);
    out.push_back(InstallBinding{record.home_address, *record.care_of, true, record.link_local});
    out.push_back(Report{record.home_address,
                         "restored at " + record.care_of->to_string() + " for " + std::to_string(left.count()) + " s",
                         std::nullopt});
  }
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
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->first;
}

const BindingRecord* HomeAgent::find(const Ipv6Address& home_address) const {
  const auto found = entries_.find(home_address);
  return found != entries_.end() && found->second.record ? &*found->second.record : nullptr;
}

std::vector<BindingRecord> HomeAgent::records() const {
  std::vector<BindingRecord> records;
  records.reserve(entries_.size());
  for (const auto& [home_address, entry] : entries_)
    if (entry.record) records.push_back(*entry.record);
  std::sort(records.begin(), records.end(),
            [](const auto& a, const auto& b) { return a.home_address < b.home_address; });
  return records;
}

void HomeAgent::on(const UpdateReceived& event, BootTime now, Actions& out) {
  ++counters_.updates;
  const auto verdict = validate(event, policy_, served_, find(event.home_address));
  if (const auto* dropped = std::get_if<Dropped>(&verdict)) return drop(event.home_address, dropped->why, out);
  if (const auto* refused = std::get_if<Refused>(&verdict))
    return refuse(event.home_address, reply_through(event), *refused, out);
  const auto& request = std::get<Request>(verdict);
  Entry& entry = entries_[request.home_address];
  entry.pending ? join(entry, request, now, out) : begin(entry, request, now, out);
  reschedule(request.home_address, entry);
}

// An update arrives while an earlier one waits for an answer from the link or the disk. Only the newest is
// acknowledged: the node has stopped waiting for the others (section 11.8).
void HomeAgent::join(Entry& entry, const Request& request, BootTime now, Actions& out) {
  Pending& pending = *entry.pending;
  const SequenceNumber newest = pending.next ? pending.next->sequence : pending.request.sequence;
  if (!request.sequence.follows(newest)) return drop(request.home_address, "a newer update is being processed", out);
  if (pending.phase == Pending::Phase::kStoring) {
    pending.next = request;
    return;
  }
  pending.request = request;
  pending.received = now;
  // The node is home again: there is no binding to be made, but its number must outlast the updates that it overtook
  // (section 10.3.2).
  if (request.deregistration) return store(entry, now, out);
  if (now - pending.probing_since >= kDadTimeout) probe(entry, now, out);
}

void HomeAgent::begin(Entry& entry, const Request& request, BootTime now, Actions& out) {
  // Section 10.3.2: nothing to end. A repeated de-registration finds the entry that the first one marked invalid.
  const bool just_ended = entry.deregistered && now - *entry.deregistered < kMaxDeleteBceTimeout;
  if (request.deregistration && !entry.bound() && !just_ended)
    return refuse(request, Status::kNotHomeAgentForThisNode, out);
  entry.pending = std::make_unique<Pending>();
  entry.pending->request = request;
  entry.pending->received = now;
  // Section 10.3.1: unless there is a binding already.
  if (!request.deregistration && !entry.bound() && policy_.duplicate_address_detection) return probe(entry, now, out);
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
                                 .key_mobility = grants_key_mobility(entry, request)};
  if (!request.deregistration) {
    pending.record.care_of = request.care_of;
    pending.record.granted = granted_lifetime(request);
    pending.record.link_local = request.link_local;
    const auto waited = std::chrono::duration_cast<std::chrono::seconds>(now - pending.received);
    pending.record.expires_unix = request.unix_time + (waited + pending.record.granted).count();
  }
  out.push_back(StoreRecord{pending.record});
}

void HomeAgent::on(const DadFinished& event, BootTime now, Actions& out) {
  const auto found = entries_.find(event.home_address);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  if (!entry.pending || entry.pending->phase != Pending::Phase::kProbing) return;
  if (!event.duplicate) return store(entry, now, out);
  const auto pending = std::move(entry.pending);
  refuse(pending->request, Status::kDuplicateAddressDetectionFailed, out);
}

void HomeAgent::on(const RecordStored& event, BootTime now, Actions& out) {
  const auto found = entries_.find(event.home_address);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  if (entry.unasked_stores > 0) {
    // The end of a binding. If the disk refused it, the record there has expired all the same.
    --entry.unasked_stores;
    return;
  }
  if (!entry.pending || entry.pending->phase != Pending::Phase::kStoring) return;
  const auto done = std::move(entry.pending);
  if (event.stored)
    commit(entry, *done, now, out);
  else
    refuse(done->request, Status::kInsufficientResources, out);
  // Its number was judged when it came, and follows both the old and the new last one.
  if (done->next) begin(entry, *done->next, now, out);
  reschedule(event.home_address, entry);
}

void HomeAgent::on(const KeysMoved& event, BootTime, Actions&) {
  const auto found = entries_.find(event.home_address);
  if (found == entries_.end()) return;
  found->second.keys_movable = event.possible;
  // Wherever it has stayed, it is not where it should be: the next update replaces it.
  if (!event.possible) found->second.keys_at = Ipv6Address{};
}

void HomeAgent::on(const KeysRenewed& event, BootTime, Actions&) {
  if (!served_.contains(event.home_address)) return;
  Entry& entry = entries_[event.home_address];
  entry.keys_movable = true;
  entry.keys_at = event.endpoint;
}

void HomeAgent::on(const MessageUnrecognized& event, BootTime now, Actions& out) {
  ++counters_.dropped;
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

void HomeAgent::on(const StopAsked&, BootTime, Actions& out) {
  stopped_ = true;
  deadlines_.clear();
  for (const auto& record : records())
    if (record.care_of) out.push_back(RemoveBinding{record.home_address});
  for (auto& [home_address, entry] : entries_) entry.pending.reset();
}

void HomeAgent::on(const DeadlineReached&, BootTime now, Actions& out) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const Ipv6Address home_address = deadlines_.begin()->second;
    Entry& entry = entries_.at(home_address);
    while (!entry.former.empty() && entry.former.front().until <= now) {
      out.push_back(ForgetCareOf{home_address, entry.former.front().care_of});
      entry.former.erase(entry.former.begin());
    }
    if (waits_for_expiry(entry) && entry.expires <= now) expire(entry, out);
    reschedule(home_address, entry);
  }
}

// While an update is being stored its answer decides: the binding is renewed, ended, or expires after all.
bool HomeAgent::waits_for_expiry(const Entry& entry) {
  return entry.bound() && !(entry.pending && entry.pending->phase == Pending::Phase::kStoring);
}

void HomeAgent::expire(Entry& entry, Actions& out) {
  BindingRecord& record = *entry.record;
  record = without_binding(record);
  static_assert(kMinLifetime > kPreviousCareOfGrace);
  assert(entry.former.empty());
  ++entry.unasked_stores;
  out.push_back(RemoveBinding{record.home_address});
  out.push_back(StoreRecord{record});
  out.push_back(Report{record.home_address, "binding expired", std::nullopt});
}

void HomeAgent::reschedule(const Ipv6Address& home_address, Entry& entry) {
  if (entry.scheduled) deadlines_.erase({*entry.scheduled, home_address});
  entry.scheduled.reset();
  if (waits_for_expiry(entry)) entry.scheduled = entry.expires;
  if (!entry.former.empty())
    entry.scheduled = std::min(entry.scheduled.value_or(entry.former.front().until), entry.former.front().until);
  if (entry.scheduled) deadlines_.insert({*entry.scheduled, home_address});
}

}  // namespace mip6::agent
