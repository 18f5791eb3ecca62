// Two home agents on one link: who was away, by a crash or because the link was down, looks on the home link before it
// intercepts a home address again. Another home agent that has registered the node meanwhile defends the address there
// (RFC 6275 section 10.4.1) and keeps it; the binding here ends. So no address is ever claimed by both.
#include <string>

#include "libmip6/agent/home_agent.hpp"

namespace mip6::agent {

bool HomeAgent::withholds(const Ipv6Address& home_address) const {
  const auto found = entries_.find(home_address);
  return found != entries_.end() && found->second.withheld != nullptr;
}

void HomeAgent::on(const HomeLinkReturned&, BootTime, Actions& out) {
  for (auto& [home_address, entry] : entries_) {
    // What is being stored is newer than the absence of the link.
    if (!entry.bound() || entry.pending) continue;
    out.push_back(RemoveBinding{home_address});
    entry.former.clear();
    withhold(entry, out);
    reschedule(entry);
  }
  ask_for_claims(out);
}

void HomeAgent::withhold(Entry& entry, Actions& out) {
  entry.withheld = std::make_unique<Withheld>(Withheld{.record = entry.record, .expires = entry.expires});
  entry.record = without_binding(entry.record);
  claims_to_ask_.push_back(entry.record.home_address);
  out.push_back(
      Report{entry.record.home_address, "binding withheld until the home link was asked who serves it", std::nullopt});
}

void HomeAgent::ask_for_claims(Actions& out) {
  while (claims_asked_ < kMaxClaimsAsked && !claims_to_ask_.empty()) {
    const Entry* entry = find_entry(claims_to_ask_.front());
    claims_to_ask_.pop_front();
    // An update that is being probed for asks the same.
    if (entry == nullptr || !entry->withheld || entry->withheld->asked) continue;
    entry->withheld->asked = true;
    ++claims_asked_;
    if (!entry->pending) out.push_back(StartDad{entry->record.home_address, entry->withheld->record.link_local, true});
  }
}

void HomeAgent::settle_claim(Entry& entry, bool claimed, BootTime now, Actions& out) {
  if (claimed) return give_up_withheld(entry, "binding ended: the home address is claimed on the home link", out);
  if (entry.withheld->expires <= now) return give_up_withheld(entry, "binding expired meanwhile", out);
  const auto sequence = entry.record.sequence;
  entry.record = entry.withheld->record;
  entry.record.sequence = sequence;
  entry.expires = entry.withheld->expires;
  forget_withheld(entry);
  take_up(entry, now, out);
  ++entry.unasked_stores;
  out.push_back(StoreRecord{entry.record});
  ask_for_claims(out);
}

void HomeAgent::give_up_withheld(Entry& entry, std::string_view why, Actions& out) {
  forget_withheld(entry);
  ++entry.unasked_stores;
  out.push_back(StoreRecord{entry.record});
  out.push_back(Report{entry.record.home_address, std::string{why}, std::nullopt});
  ask_for_claims(out);
}

void HomeAgent::forget_withheld(Entry& entry) {
  if (entry.withheld && entry.withheld->asked) --claims_asked_;
  entry.withheld.reset();
}

// A binding from before: what the kernel is told of it. Not where the keys are: while we were away the node may have
// established them anew from elsewhere. If the former process ended before it moved them, it did so before its
// acknowledgement, too: the node asks again, and its next update moves them.
void HomeAgent::take_up(Entry& entry, BootTime now, Actions& out) {
  const auto& record = entry.record;
  reschedule(entry);
  out.push_back(InstallBinding{record.home_address, *record.care_of, true, record.link_local});
  out.push_back(Report{record.home_address,
                       "restored at " + record.care_of->to_string() + " for " +
                           std::to_string(remaining(end_of(entry), now).count()) + " s",
                       std::nullopt});
}

}  // namespace mip6::agent
