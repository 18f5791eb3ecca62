// What an update changes once it is durable (RFC 6275 sections 10.3.1 and 10.3.2), and the answers to updates.
#include <algorithm>
#include <cassert>

#include "libmip6/agent/home_agent.hpp"
#include "libmip6/defect.hpp"

namespace mip6::agent {
namespace {

std::string described(const BindingRecord& record) {
  constexpr std::size_t kUsual = 96;  // characters
  std::string text;
  text.reserve(kUsual);
  if (record.care_of) {
    text.append("registered at ").append(record.care_of->to_string());
    text.append(" for ").append(std::to_string(record.granted.count())).append(" s (seq ");
  } else {
    text.append("de-registered (seq ");
  }
  text.append(std::to_string(record.sequence.value()));
  return text.append(record.key_mobility ? ", K agreed)" : ")");
}

// As the wire counts: units of four seconds.
Lifetime in_units(Lifetime lifetime) { return lifetime - lifetime % kMinLifetime; }

}  // namespace

void HomeAgent::commit(Entry& entry, std::unique_ptr<Pending> pending, BootTime now, Actions& out) {
  const Pending& done = *pending;
  constexpr std::size_t kUsualActions = 4;
  out.reserve(out.size() + kUsualActions);
  const bool had_binding = entry.bound();
  const std::optional<Ipv6Address> previous = entry.record.care_of;
  ++counters_.accepted;
  const auto& care_of = done.request.care_of;
  if (done.request.deregistration) {
    // Interception ends before the node is told so: it is about to defend the address itself (section 10.3.2).
    if (had_binding && !planted(Defect::kDeregistrationKept))
      out.push_back(RemoveBinding{.home_address = done.record.home_address, .in_flight = true});
    if (previous) remember_former(entry, *previous, now, out);
    entry.ended_until = now + kMaxDeleteBceTimeout;
  } else {
    std::erase_if(entry.former, [&](const auto& former) { return former.care_of == care_of; });
    if (previous && *previous != care_of) remember_former(entry, *previous, now, out);
    entry.expires = now + done.record.granted;
    entry.ended_until = BootTime{};
    // Before the acknowledgement: its routing header goes through the new care-of address.
    out.push_back(InstallBinding{done.record.home_address, care_of, !had_binding, done.record.link_local});
  }
  if (entry.withheld) {
    forget_withheld(entry);
    ask_for_claims(out);
  }
  entry.record = done.record;
  entry.known = true;
  if (done.record.key_mobility && keys_are_elsewhere(entry, done.request) && !planted(Defect::kPeerKeysLeftBehind)) {
    out.push_back(MoveKeys{done.request.home_address, done.request.care_of});
    entry.keys_at = done.request.care_of;
    pending->phase = Pending::Phase::kMovingKeys;
    entry.pending = std::move(pending);
    return;
  }
  acknowledge(entry, done, now, out);
  take_next(entry, done, now, out);
}

// The binding is durable and in force, and it is known whether the keys came along: K says so (section 10.3.1).
void HomeAgent::acknowledge(Entry& entry, const Pending& done, BootTime now, Actions& out) {
  if (done.request.key_mobility)
    ++(done.record.key_mobility ? counters_.key_mobility_agreed : counters_.key_mobility_refused);
  // No Binding Refresh Advice: the binding is durable (section 10.3.1).
  const Status status = done.request.deregistration ? Status::kAccepted : success(done.record, now);
  out.push_back(SendAcknowledgement{BindingAcknowledgement{.status = status,
                                                           .key_mobility = done.record.key_mobility,
                                                           .sequence = done.record.sequence,
                                                           .lifetime = done.record.granted,
                                                           .options = {}},
                                    done.record.home_address, done.request.reply.through});
  if (!done.record.key_mobility) replace_keys(entry, done.request, out);
  out.push_back(Report{done.record.home_address, described(done.record), status});
}

// The care-of address that the node has left stays good for what is in flight.
void HomeAgent::remember_former(Entry& entry, const Ipv6Address& previous, BootTime now, Actions& out) {
  entry.former.push_back({previous, now + kPreviousCareOfGrace});
  if (entry.former.size() <= kMaxFormerCareOf) return;
  out.push_back(ForgetCareOf{entry.record.home_address, entry.former.front().care_of});
  entry.former.erase(entry.former.begin());
}

// Section 10.3.1, "depending on the final value of the bit"; the home address counts as care-of address at home.
// Not known is not there: the former process may have ended between its record and the move, or between the two for a
// node whose binding has ended since. What runs from the right address already is left as it is.
bool HomeAgent::keys_are_elsewhere(const Entry& entry, const Request& request) const {
  return request.dynamic_keys && (!entry.keys_at || *entry.keys_at != request.care_of);
}

void HomeAgent::replace_keys(Entry& entry, const Request& request, Actions& out) {
  if (keys_are_elsewhere(entry, request)) out.push_back(ReplaceKeys{request.home_address, request.care_of});
  if (request.dynamic_keys) entry.keys_at = request.care_of;
}

bool HomeAgent::grants_key_mobility(const Entry& entry, const Request& request) const {
  return request.key_mobility && request.dynamic_keys && policy_.key_mobility && entry.keys_movable;
}

// Not more than asked, not more than we give, not longer than the prefix is valid, and what the wire can say
// (sections 10.3.1 and 10.6.4).
Lifetime HomeAgent::granted_lifetime(const Request& request, BootTime now) const {
  const Lifetime most = std::clamp(policy_.max_lifetime, kMinLifetime, kMaxLifetime);
  const Lifetime valid = remaining(end_of_validity(policy_.home_prefixes, request.home_address), now);
  return in_units(std::min({request.lifetime, most, valid}));
}

// Section 10.3.1: 1 if the prefix is deprecated before the binding ends, or invalid when it does.
Status HomeAgent::success(const BindingRecord& granted, BootTime now) const {
  const HomePrefix* prefix = find_valid(policy_.home_prefixes, granted.home_address, now);
  const bool stays = prefix != nullptr && in_units(remaining(prefix->preferred_until, now)) >= granted.granted &&
                     in_units(remaining(prefix->valid_until, now)) > granted.granted;
  return stays ? Status::kAccepted : Status::kAcceptedPrefixDiscoveryNecessary;
}

void HomeAgent::drop(const Ipv6Address& home_address, std::string_view why, Actions& out) {
  ++counters_.dropped;
  ++counters_.dropped_because[why];
  out.push_back(Report{home_address, "Binding Update dropped: " + std::string{why}, std::nullopt, true, why});
}

void HomeAgent::refuse(const Ipv6Address& home_address, const ReplyPath& path, const Refused& refusal, Actions& out) {
  assert(!is_accepted(refusal.status));
  ++counters_.refused[refusal.status];
  BindingAcknowledgement acknowledgement;
  acknowledgement.status = refusal.status;
  acknowledgement.sequence = refusal.sequence;
  out.push_back(SendAcknowledgement{acknowledgement, home_address, path.through, path.on_home_link});
  out.push_back(
      Report{home_address, "Binding Update refused: " + std::string{name_of(refusal.status)}, refusal.status});
}

void HomeAgent::refuse(const Request& request, Status status, Actions& out) {
  refuse(request.home_address, request.reply, Refused{status, request.sequence}, out);
}

}  // namespace mip6::agent
