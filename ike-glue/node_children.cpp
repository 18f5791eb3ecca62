// NodeKeying: the CHILD_SAs beside the Mobility Header's. Brought up in the IKE_SA in use once it has its keys, one
// after the other, and again when they are lost. The registration never waits for them.
#include <fmt/format.h>

#include <algorithm>

#include "ike-glue/node_keying_impl.hpp"

namespace ike {
namespace {

constexpr seconds kChildPatience{5};
constexpr milliseconds kFirstChildBackoff{1000};
constexpr seconds kLastChildBackoff{64};
// How long the former IKE_SA is kept for what the new one does not have yet.
constexpr seconds kHandOverPatience{3};

std::string_view what(ChildKind kind) { return kind == ChildKind::kPayload ? "payload" : "prefix discovery"; }

Trouble words_of(ChildKind kind, std::string_view why, const NodeKeyingPolicy& policy) {
  const auto agent = policy.home_agent.to_string();
  return {fmt::format("no SA with home agent {} for {}: {}", agent, what(kind), why),
          kind == ChildKind::kPayload
              ? "set 'protect = payload' for this node at the home agent too, or take it out here"
              : "the home agent does not offer it; nothing else depends on it",
          kind};
}

}  // namespace

std::vector<NodeKeying::Impl::Further> NodeKeying::Impl::further_of(const NodeKeyingPolicy& policy) {
  std::vector<Further> all;
  for (const auto& configured : policy.children) {
    auto child = child_at_node(configured.kind, policy.home_address, policy.home_agent);
    child.reqid = configured.reqid;
    all.push_back({.child = std::move(child), .wanted = configured.wanted, .backoff = kFirstChildBackoff});
  }
  return all;
}

void NodeKeying::Impl::on(const ChildAsked& event, mip6::BootTime now) {
  for (auto& one : further) {
    const bool under_way = one.ike != 0 || one.try_at || one.deadline;
    if (one.child.kind != event.kind || (one.wanted && under_way)) continue;
    one.wanted = true;
    one.try_at = now;
  }
}

// Another IKE_SA is in use now.
void NodeKeying::Impl::bring_up_further(mip6::BootTime now) {
  for (auto& one : further) {
    one.deadline.reset();
    one.backoff = kFirstChildBackoff;
    if (one.ike != current->uniqueid) one.try_at = now;
  }
}

void NodeKeying::Impl::adopt_further(const Answered& answer, mip6::BootTime now) {
  bring_up_further(now);
  if (!answer.response) return;
  for (const auto& item : answer.response->items) {
    const auto sa = read_ike_sa(item, 0);
    const auto* children = children_of(item);
    if (!sa || !children || sa->uniqueid != current->uniqueid) continue;
    for (auto& one : further) {
      const auto found = find_child(*children, one.child);
      if (!found || !found->installed || !found->as_asked || departed.has_child(found->spi_in)) continue;
      further_up(one, *found, now);
    }
  }
}

// True if the event is about one of them.
bool NodeKeying::Impl::further_updown(const Section& message, const IkeSa& sa, mip6::BootTime now) {
  const auto* children = children_of(message);
  if (!children) return false;
  for (auto& one : further) {
    const auto found = find_child(*children, one.child);
    if (!found || found->spi_in == 0) continue;
    if (!is_up(message)) {
      if (is_listing()) departed.child(found->spi_in);
      // As with the Mobility Header's it does not matter in whose IKE_SA it was.
      if (one.ike != 0 && one.spi_in == found->spi_in) further_down(one, now);
      return true;
    }
    if (!current || current->uniqueid != sa.uniqueid) return true;  // it goes with its IKE_SA
    if (!found->as_asked) {
      request_slow(Purpose::kWhatever, "terminate", terminate_child(found->id));
      further_failed(one, "it offers other selectors than asked for", now);
    } else {
      further_up(one, *found, now);
    }
    return true;
  }
  return false;
}

void NodeKeying::Impl::further_up(Further& one, const ChildSa& sa, mip6::BootTime now) {
  one.ike = current->uniqueid;
  one.spi_in = sa.spi_in;
  one.spi_out = sa.spi_out;
  one.rekey_at = now + spread(policy.child_rekey) - sa.age;
  one.try_at.reset();
  one.deadline.reset();
  one.backoff = kFirstChildBackoff;
  out.emplace_back(ChildUp{one.child.kind, one.spi_in, one.spi_out, current->local});
  let_former_go(now);
  forget_former_states();
}

void NodeKeying::Impl::further_down(Further& one, mip6::BootTime now) {
  if (one.ike == 0) return;
  one.ike = 0;
  one.try_at = now + one.backoff;
  out.emplace_back(ChildDown{one.child.kind});
}

void NodeKeying::Impl::further_failed(Further& one, std::string_view why, mip6::BootTime now) {
  one.deadline.reset();
  one.try_at = now + one.backoff;
  const bool payload = one.child.kind == ChildKind::kPayload;
  if (one.backoff == mip6::Duration(kFirstChildBackoff)) {
    const auto words = words_of(one.child.kind, why, policy);
    if (payload)
      trouble(words);
    else
      step(words.what);
    // One that a charon which is gone had made is not there any more either.
    if (one.ike == 0) out.emplace_back(ChildDown{one.child.kind});
  }
  // Nothing waits for the prefixes: they are tried again with another IKE_SA, or when there is another reason to.
  if (!payload && one.backoff >= mip6::Duration(kLastChildBackoff)) {
    one.try_at.reset();
    one.backoff = kFirstChildBackoff;
  } else {
    one.backoff = std::min<mip6::Duration>(one.backoff * 2, kLastChildBackoff);
  }
  let_former_go(now);
}

void NodeKeying::Impl::further_rekeyed(const Section& message, mip6::BootTime now) {
  for (auto& one : further) {
    const auto rekeyed = read_child_rekey(message, one.child.reqid);
    if (!rekeyed || !current || current->uniqueid != rekeyed->ike_uniqueid) continue;
    one.spi_in = rekeyed->spi_in;
    one.spi_out = rekeyed->spi_out;
    one.rekey_at = now + spread(policy.child_rekey);
    out.emplace_back(ChildUp{one.child.kind, one.spi_in, one.spi_out, current->local});
  }
}

void NodeKeying::Impl::further_answered(const Answered& answer, mip6::BootTime now) {
  const auto under_way = std::find_if(further.begin(), further.end(),
                                      [&](const Further& one) { return one.deadline && one.request == answer.id; });
  if (under_way == further.end()) return;
  const auto refused = answer.response ? refusal(*answer.response) : std::optional(answer.response.error().to_string());
  if (!refused) return;  // it has begun; an event tells that it is up
  further_failed(*under_way, *refused, now);
  // The connection in charon is gone, or is one without this child: only a new one has it.
  if (refused->find("not found") == std::string::npos || attempt || wish || !current) return;
  wish_for({current->local, true, false, true});
  delay_next(now);
}

// What charon's log says of the one under way.
void NodeKeying::Impl::further_log(std::string_view line, mip6::BootTime now) {
  const auto under_way =
      std::find_if(further.begin(), further.end(), [](const Further& one) { return one.deadline.has_value(); });
  if (under_way == further.end()) return;
  const auto reason = read_reason(line, 0);
  if (reason == Reason::kHomeAddress)
    further_failed(*under_way, "it does not know such an SA", now);
  else if (reason == Reason::kProposal || reason == Reason::kChildProposal)
    further_failed(*under_way, "it accepts none of our proposals for ESP", now);
}

// One at a time: charon's log does not say which one it speaks of.
void NodeKeying::Impl::advance_further(mip6::BootTime now) {
  for (auto& one : further)
    if (one.deadline && *one.deadline <= now) further_failed(one, "no answer", now);
  if (former && former->until <= now) let_former_go(now, true);
  if (!may_bring_up()) return;
  if (is_bringing_up()) return;
  const auto next = std::find_if(further.begin(), further.end(), [&](const Further& one) {
    return one.wanted && one.ike != current->uniqueid && one.try_at && *one.try_at <= now;
  });
  if (next == further.end()) return;
  next->deadline = now + kChildPatience;
  next->request = request_slow(Purpose::kChild, "initiate", initiate(current->name, next->child.kind));
}

// Not while another IKE_SA is about to take over, and not before it is known what charon has.
bool NodeKeying::Impl::may_bring_up() const {
  return connected && adopted && current && !current->doomed && !attempt && !stop_deadline;
}

std::optional<mip6::BootTime> NodeKeying::Impl::next_of_further() const {
  std::optional<mip6::BootTime> first;
  const auto consider = [&first](mip6::BootTime at) { first = first ? std::min(*first, at) : at; };
  if (former) consider(former->until);
  for (const auto& one : further) {
    if (one.deadline) consider(*one.deadline);
    if (is_bringing_up() || !may_bring_up() || !one.wanted || one.ike == current->uniqueid || !one.try_at) continue;
    consider(*one.try_at);
  }
  return first;
}

bool NodeKeying::Impl::is_bringing_up() const {
  return std::any_of(further.begin(), further.end(), [](const Further& one) { return one.deadline.has_value(); });
}

// The IKE_SA has another id now, or another one has taken over what it had.
void NodeKeying::Impl::further_renumbered(std::uint64_t before, std::uint64_t uniqueid) {
  for (auto& one : further)
    if (one.ike == before) one.ike = uniqueid;
}

// The IKE_SA is gone, or charon is: in the second case the SAs go on working in the kernel.
void NodeKeying::Impl::lose_further(bool told) {
  for (auto& one : further) {
    one.deadline.reset();
    one.try_at.reset();
    if (one.ike != 0 && told) out.emplace_back(ChildDown{one.child.kind});
    one.ike = 0;
  }
}

// --- make before break ---

bool NodeKeying::Impl::has_further(std::uint64_t uniqueid) const {
  return std::any_of(further.begin(), further.end(), [&](const Further& one) { return one.ike == uniqueid; });
}

// `old` has been replaced; it goes at once, unless it has what the new one is still to get.
void NodeKeying::Impl::hand_over(const Current& old, mip6::BootTime now) {
  if (former) let_former_go(now, true);
  former = Former{.name = old.name, .uniqueid = old.uniqueid, .until = now + kHandOverPatience};
  let_former_go(now, !has_further(old.uniqueid));
}

void NodeKeying::Impl::let_former_go(mip6::BootTime now, bool at_once) {
  if (!former) return;
  const bool still_needed = std::any_of(further.begin(), further.end(), [&](const Further& one) {
    return one.ike == former->uniqueid && one.backoff == mip6::Duration(kFirstChildBackoff);
  });
  if (still_needed && !at_once) return;
  const auto old = *std::exchange(former, std::nullopt);
  for (auto& one : further) {
    if (one.ike != old.uniqueid) continue;
    one.ike = 0;
    out.emplace_back(ChildDown{one.child.kind});
  }
  retire({.name = old.name, .uniqueid = old.uniqueid, .state = "ESTABLISHED"}, now);
}

// The former one was closed before the new one had everything.
void NodeKeying::Impl::former_gone() {
  const auto uniqueid = std::exchange(former, std::nullopt)->uniqueid;
  for (auto& one : further) {
    if (one.ike != uniqueid) continue;
    one.ike = 0;
    out.emplace_back(ChildDown{one.child.kind});
  }
}

// The kernel moves the states of a tunnel without charon's knowing, which then cannot find them when it takes them
// down; and a charon that died leaves some. Once nothing but the IKE_SA in use is there, no others are of use.
void NodeKeying::Impl::forget_former_states() {
  if (former || !leaving.empty()) return;
  for (const auto& one : further) {
    if (!current || one.ike != current->uniqueid) continue;
    out.emplace_back(DeleteChildStatesExcept{one.child.kind, {one.spi_in, one.spi_out}});
  }
}

}  // namespace ike
