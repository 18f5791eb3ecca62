// What an update changes once it is durable (RFC 6275 sections 10.3.1 and 10.3.2), and the answers to updates.
#include <algorithm>
#include <cassert>

#include "libmip6/agent/home_agent.hpp"

namespace mip6::agent {
namespace {

std::string described(const BindingRecord& record) {
  const std::string number = "seq " + std::to_string(record.sequence.value());
  const std::string keys = record.key_mobility ? ", K agreed" : "";
  if (!record.care_of) return "de-registered (" + number + keys + ")";
  return "registered at " + record.care_of->to_string() + " for " + std::to_string(record.granted.count()) + " s (" +
         number + keys + ")";
}

}  // namespace

void HomeAgent::commit(Entry& entry, const Pending& done, BootTime now, Actions& out) {
  const bool had_binding = entry.bound();
  const std::optional<Ipv6Address> previous = had_binding ? entry.record->care_of : std::nullopt;
  ++counters_.accepted;
  if (done.request.deregistration) {
    // Interception ends before the node is told so: it is about to defend the address itself (section 10.3.2).
    if (had_binding) out.push_back(RemoveBinding{done.record.home_address});
    entry.former.clear();
    entry.deregistered = now;
  } else {
    if (previous) remember_former(entry, *previous, done.request.care_of, now, out);
    entry.expires = now + done.record.granted;
    entry.deregistered.reset();
    // Before the acknowledgement: its routing header goes through the new care-of address.
    out.push_back(InstallBinding{done.record.home_address, done.request.care_of, !had_binding, done.record.link_local});
  }
  entry.record = done.record;
  out.push_back(SendAcknowledgement{BindingAcknowledgement{.status = Status::kAccepted,
                                                           .key_mobility = done.record.key_mobility,
                                                           .sequence = done.record.sequence,
                                                           .lifetime = done.record.granted,
                                                           .options = {}},
                                    done.record.home_address, done.request.reply_through});
  settle_keys(entry, done, previous, out);
  out.push_back(Report{done.record.home_address, described(done.record), Status::kAccepted});
}

// The care-of address that the node has left stays good for what is in flight.
void HomeAgent::remember_former(Entry& entry, const Ipv6Address& previous, const Ipv6Address& care_of, BootTime now,
                                Actions& out) {
  if (previous == care_of) return;
  std::erase_if(entry.former, [&](const auto& former) { return former.care_of == care_of; });
  entry.former.push_back({previous, now + kPreviousCareOfGrace});
  if (entry.former.size() <= kMaxFormerCareOf) return;
  out.push_back(ForgetCareOf{entry.record->home_address, entry.former.front().care_of});
  entry.former.erase(entry.former.begin());
}

// Section 10.3.1, "depending on the final value of the bit"; the home address counts as care-of address at home.
void HomeAgent::settle_keys(Entry& entry, const Pending& done, const std::optional<Ipv6Address>& previous,
                            Actions& out) {
  const Request& request = done.request;
  if (!served_.at(request.home_address).dynamic_keys) return;
  const bool key_mobility = done.record.key_mobility;
  // Before a first registration the keys run from the care-of address (section 11.3.2), unless they are known to be
  // elsewhere: nothing to discard then, and moving does no harm.
  const bool moved = entry.keys_at ? *entry.keys_at != request.care_of
                     : previous    ? *previous != request.care_of
                                   : key_mobility;
  if (moved && key_mobility) out.push_back(MoveKeys{request.home_address, request.care_of});
  if (moved && !key_mobility) out.push_back(ReplaceKeys{request.home_address, request.care_of});
  entry.keys_at = request.care_of;
  // A node that has stopped away from home takes its keys with it, and comes back with new ones.
  if (request.deregistration && request.reply_through) entry.keys_at.reset();
}

bool HomeAgent::grants_key_mobility(const Entry& entry, const Request& request) const {
  return request.key_mobility && served_.at(request.home_address).dynamic_keys && policy_.key_mobility &&
         entry.keys_movable;
}

// Not more than asked, not more than we give, and what the wire can say (section 10.3.1).
Lifetime HomeAgent::granted_lifetime(const Request& request) const {
  const Lifetime most = std::clamp(policy_.max_lifetime, kMinLifetime, kMaxLifetime);
  const Lifetime granted = std::min(request.lifetime, most);
  return granted - granted % kMinLifetime;
}

void HomeAgent::drop(const Ipv6Address& home_address, std::string_view why, Actions& out) {
  ++counters_.dropped;
  out.push_back(Report{home_address, "Binding Update dropped: " + std::string{why}, std::nullopt});
}

void HomeAgent::refuse(const Ipv6Address& home_address, const std::optional<Ipv6Address>& reply_through,
                       const Refused& refusal, Actions& out) {
  assert(!is_accepted(refusal.status));
  ++counters_.refused[refusal.status];
  BindingAcknowledgement acknowledgement;
  acknowledgement.status = refusal.status;
  acknowledgement.sequence = refusal.sequence;
  out.push_back(SendAcknowledgement{acknowledgement, home_address, reply_through});
  out.push_back(
      Report{home_address, "Binding Update refused: " + std::string{name_of(refusal.status)}, refusal.status});
}

void HomeAgent::refuse(const Request& request, Status status, Actions& out) {
  refuse(request.home_address, request.reply_through, Refused{status, request.sequence}, out);
}

}  // namespace mip6::agent
