// AgentKeying: its face, and what each event does.
#include "ike-glue/agent_keying.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "ike-glue/agent_keying_impl.hpp"
#include "libmip6/defect.hpp"

namespace ike {

AgentKeying::Impl::Impl(AgentKeyingPolicy chosen) : policy(std::move(chosen)) {
  for (const auto& node : std::exchange(policy.nodes, {})) add(node);
}

// --- charon's connection ---

void AgentKeying::Impl::on(const CharonConnected&, mip6::BootTime) {
  connected = true;
  listed = false;
  list_again_at.reset();
  pending.clear();
  attempts.clear();
  to_load.clear();
  leaving.clear();
  ended.clear();
  looked_for_missing.reset();
  for (auto& node : nodes) {
    node.sas.clear();
    node.verification.reset();
    node.loaded_again.reset();
    node.orphans = true;
    node.delete_orphans_at.reset();
    to_load.push_back(&node);
  }
  loading = false;
  for (const auto& name : std::exchange(secrets_left, {}))
    request(Purpose::kWhatever, nullptr, "unload-shared", named("id", name));
  certificate_loads.clear();
  load_certificate();
  load_next();
}

void AgentKeying::Impl::on(const CharonDisconnected& event, mip6::BootTime) {
  connected = false;
  pending.clear();
  certificate_loads.clear();
  to_load.clear();
  leaving.clear();
  for (auto& node : nodes) {
    node.sas.clear();
    node.verification.reset();
  }
  trouble(trouble_of(event.why));
}

void AgentKeying::Impl::on(const Answered& event, mip6::BootTime now) {
  const auto found = pending.find(event.id);
  if (found == pending.end()) return;
  const auto asked = found->second;
  pending.erase(found);
  switch (asked.purpose) {
    case Purpose::kCertificate:
    case Purpose::kSecret:
    case Purpose::kConnection:
      return loaded(event, asked);
    case Purpose::kAdopt:
      return adopt(event, now);
    case Purpose::kConnections:
    case Purpose::kStopConnections:
      return forget_connections(event, asked.purpose);
    case Purpose::kMissing:
      return load_missing(event);
    case Purpose::kVerify:
      if (asked.node->verification && asked.node->verification->request == event.id) verified(*asked.node, event);
      return;
    case Purpose::kDismissed:
      return end_listed(event, asked.name);
    case Purpose::kDismissedLoad:
      loading = false;
      return load_next();
    case Purpose::kStopList:
      return stop_listed(event);
    case Purpose::kStopAuthorities:
      return stop_authorities(event);
    case Purpose::kStopKey:
      return stop_key(event);
    case Purpose::kStopStep:
    case Purpose::kWhatever:
      return;
  }
}

void AgentKeying::Impl::on(const CharonEvent& event, mip6::BootTime now) {
  if (!connected) return;
  if (event.name == "log") return attempt_log(event.message, event.unix_time, now);
  if (event.name == "ike-updown") return ike_updown(event.message, now);
  if (event.name == "child-updown") return child_updown(event.message, now);
  if (event.name == "ike-rekey") return ike_rekey(event.message, now);
  if (event.name == "child-rekey") return child_rekey(event.message);
}

void AgentKeying::Impl::ike_updown(const Section& message, mip6::BootTime now) {
  const auto sa = read_ike_sa(message, 0);
  if (!sa) return;
  std::erase(stop_waits_for, sa->uniqueid);
  if (is_ended(*sa, is_up(message))) {
    if (!is_up(message)) ended.erase(sa->uniqueid);
    return;
  }
  auto* node = node_of_name(sa->name);
  if (!is_up(message)) {
    if (is_listing()) departed.ike_sa(sa->uniqueid);
    if (node) gone(*node, sa->uniqueid);
    if (sa->state == "CONNECTING") attempt_failed(*sa, now);
    return;
  }
  attempts.erase(sa->uniqueid);
  if (!node || sa->uniqueid == 0) return;
  if (sa->first_version) hand_over(*node, *sa);
  auto& known = node->sas[sa->uniqueid];
  known.remote = sa->remote;
  // Authenticated, but the selectors may not be the node's: nobody else closes it then.
  if (!known.child_up && !known.drop_at) known.drop_at = now + kChildlessPatience;
}

// Phase 1 renewed: charon gives the SAs to the new one if it is between the same hosts.
void AgentKeying::Impl::hand_over(Node& node, const IkeSa& sa) {
  for (auto& [uniqueid, before] : node.sas) {
    if (uniqueid == sa.uniqueid || !before.child_up || before.remote != sa.remote) continue;
    auto taken = std::exchange(before, Sa{.superseded = true, .remote = before.remote, .drop_at = {}});
    node.sas[sa.uniqueid] = taken;
    return;
  }
}

void AgentKeying::Impl::child_updown(const Section& message, mip6::BootTime now) {
  auto named = read_ike_sa(message, 0);
  if (named && is_ended(*named, is_up(message))) return;
  auto* node = named ? node_of_name(named->name) : nullptr;
  if (!node || further_updown(*node, message, now)) return;
  const auto sa = read_ike_sa(message, node->configured.reqid);
  if (!sa || sa->uniqueid == 0 || sa->spi_in == 0) return;
  if (is_up(message)) return keys_up(*node, *sa, now);
  if (is_listing()) departed.child(sa->spi_in);
  const auto known = node->sas.find(sa->uniqueid);
  if (known == node->sas.end() || known->second.spi_in != sa->spi_in) return;
  // The node closed the CHILD_SA alone: its IKE_SA is of no use without.
  terminate(Purpose::kWhatever, sa->uniqueid, false);
  gone(*node, sa->uniqueid);
}

void AgentKeying::Impl::ike_rekey(const Section& message, mip6::BootTime now) {
  const auto rekeyed = read_ike_rekey(message);
  if (rekeyed && ended.erase(rekeyed->old_uniqueid) > 0) return end_at_once(rekeyed->uniqueid);
  auto* node = rekeyed ? node_of_name(rekeyed->name) : nullptr;
  if (!node) return;
  auto moved = node->sas.extract(rekeyed->old_uniqueid);
  if (moved.empty()) return;
  moved.key() = rekeyed->uniqueid;
  node->sas.insert(std::move(moved));
  step(fmt::format("{}: IKE re-keyed", node->configured.name));
  // The new IKE_SA begins where the old one was when charon took up the re-key, which may have been before a move.
  if (node->moved_to && !node->verification)
    node->verification = std::make_unique<Verification>(Verification{*node->moved_to, now + kVerifyAfter, true});
}

void AgentKeying::Impl::child_rekey(const Section& message) {
  const auto named = read_ike_sa(message, 0);
  auto* node = named ? node_of_name(named->name) : nullptr;
  if (!node) return;
  further_rekeyed(*node, message);
  const auto rekeyed = read_child_rekey(message, node->configured.reqid);
  const auto known = rekeyed ? node->sas.find(rekeyed->ike_uniqueid) : node->sas.end();
  if (known == node->sas.end()) return;
  known->second.spi_in = rekeyed->spi_in;
  known->second.spi_out = rekeyed->spi_out;
  step(fmt::format("{}: SAs re-keyed", node->configured.name));
  out.emplace_back(PeerKeysUp{node->configured.home_address, rekeyed->spi_in, rekeyed->spi_out});
}

// --- what the daemon asks ---

void AgentKeying::Impl::on(const PeerEndpointMoved& event, mip6::BootTime now) {
  auto* node = node_of_address(event.home_address);
  if (!node) return;
  node->verification.reset();
  node->replace_when_listed.reset();
  if (!event.accepted) {
    trouble({fmt::format("the kernel refused to tell charon of {}'s new care-of address (XFRM_MSG_MIGRATE)",
                         node->configured.name),
             "check that the kernel has CONFIG_XFRM_MIGRATE"});
    return;
  }
  // Until charon's list says otherwise: a replacement may be asked for before that.
  for (auto& [uniqueid, sa] : node->sas) {
    sa.remote = event.care_of;
    keep(sa);
  }
  node->moved_to = event.care_of;
  if (connected) node->verification = std::make_unique<Verification>(Verification{event.care_of, now + kVerifyAfter});
}

void AgentKeying::Impl::on(const PeerReplaceAsked& event, mip6::BootTime now) {
  auto* node = node_of_address(event.home_address);
  if (!node) return;
  node->verification.reset();
  node->moved_to.reset();
  replace(*node, event.care_of, now);
  // A process that begins is asked before it knows what charon has.
  if (!connected || !listed) node->replace_when_listed = event.care_of;
}

void AgentKeying::Impl::replace(Node& node, const std::optional<mip6::Ipv6Address>& care_of, mip6::BootTime now) {
  const auto runs_from_there = [&](const Sa& sa) { return care_of && sa.remote == care_of; };
  auto patience = kReplacePatience;
  for (const auto& [uniqueid, sa] : node.sas) {
    if (sa.child_up && !sa.left_behind && runs_from_there(sa))
      patience = std::min(patience, sa.used ? kHandOverPatience : kUnusedPatience);
  }
  if (mip6::planted(mip6::Defect::kKeysDroppedAtUpdate)) patience = seconds{0};
  for (auto& [uniqueid, sa] : node.sas) {
    if (sa.left_behind) continue;
    if (runs_from_there(sa)) {
      keep(sa);
      continue;
    }
    sa.superseded = true;
    drop_by(sa, now + patience);
  }
}

// It was to be replaced when the node moved away; the node goes on with it where that has not come to pass.
void AgentKeying::Impl::keep(Sa& sa) {
  if (!sa.used || sa.left_behind || sa.drop_asked) return;
  sa.superseded = false;
  sa.drop_at.reset();
}

void AgentKeying::Impl::on(const PeerKeysUsed& event, mip6::BootTime now) {
  auto* node = node_of_address(event.home_address);
  if (!node) return;
  const auto used = std::ranges::find_if(
      node->sas, [&](const auto& one) { return one.second.child_up && one.second.spi_in == event.spi_in; });
  if (used != node->sas.end()) node_uses(*node, used->first, now);
}

void AgentKeying::Impl::on(const StopAsked&, mip6::BootTime now) {
  if (stop_deadline) return;
  stop_deadline = now + kStopPatience;
  stop_force_at = now + kStopPlainPatience;
  pending.clear();
  certificate_loads.clear();
  to_load.clear();
  if (!connected) return;
  departed.forget();
  // From charon's own lists, not from what we believe: after a crash there may be more.
  request(Purpose::kStopList, nullptr, "list-sas", {}, "list-sa");
  request(Purpose::kStopConnections, nullptr, "get-conns", {});
  withdraw_credentials();
}

// --- time ---

void AgentKeying::Impl::advance(mip6::BootTime now) {
  if (stop_deadline) return finish_stop(now);
  if (!connected) return;
  if (list_again_at && *list_again_at <= now) {
    list_again_at.reset();
    list_for_adoption();
  }
  drop_due(now);
  tell_refusals(now);
  for (auto one = waiting.begin(); one != waiting.end();) {
    auto& node = *one->second;
    if (node.delete_orphans_at && *node.delete_orphans_at <= now) delete_orphans(node);
    if (node.verification && node.verification->request == 0 && node.verification->at <= now) verify(node, now);
    one = waits(node) ? std::next(one) : waiting.erase(one);
  }
}

// For what next_deadline() tells, or for an answer that is to be looked at again.
bool AgentKeying::Impl::waits(const Node& node) {
  return node.delete_orphans_at || node.verification ||
         std::ranges::any_of(node.sas, [](const auto& one) { return one.second.drop_at.has_value(); });
}

std::optional<mip6::BootTime> AgentKeying::Impl::next_deadline() const {
  std::optional<mip6::BootTime> first;
  if (stopped) return first;
  const auto consider = [&first](mip6::BootTime at) { first = first ? std::min(*first, at) : at; };
  if (stop_deadline) {
    consider(*stop_deadline);
    if (!stop_waits_for.empty()) consider(stop_force_at);
    return first;
  }
  if (!connected) return first;
  if (list_again_at) consider(*list_again_at);
  for (const auto& [uniqueid, attempt] : attempts) {
    if (attempt.tell_at) consider(*attempt.tell_at);
  }
  for (const auto& [number, node] : waiting) {
    if (node->delete_orphans_at) consider(*node->delete_orphans_at);
    if (node->verification && node->verification->request == 0) consider(node->verification->at);
    for (const auto& [uniqueid, sa] : node->sas) {
      if (sa.drop_at) consider(*sa.drop_at);
    }
  }
  return first;
}

// --- requests ---

std::uint64_t AgentKeying::Impl::request(Purpose purpose, Node* node, std::string command, Section message,
                                         std::string stream) {
  const auto id = next_id++;
  pending[id] = {.purpose = purpose, .node = node};
  out.emplace_back(Request{id, std::move(command), std::move(message), std::move(stream),
                           stop_deadline ? kStopRequestDeadline : kDeadline, false});
  return id;
}

// That a list is under way whose answer names what is to be adopted or waited for.
bool AgentKeying::Impl::is_listing() const {
  return std::any_of(pending.begin(), pending.end(), [](const auto& one) {
    return one.second.purpose == Purpose::kAdopt || one.second.purpose == Purpose::kStopList;
  });
}

void AgentKeying::Impl::terminate(Purpose purpose, std::uint64_t uniqueid, bool force) {
  request(purpose, nullptr, "terminate", terminate_by_id(uniqueid, force));
  std::get<Request>(out.back()).slow = true;
}

AgentKeying::Impl::Node* AgentKeying::Impl::node_of_name(const std::string& name) {
  const auto found = by_name.find(name);
  return found == by_name.end() ? nullptr : may_wait(*found->second);
}

AgentKeying::Impl::Node* AgentKeying::Impl::node_of_address(const mip6::Ipv6Address& home_address) {
  const auto found = by_address.find(home_address);
  return found == by_address.end() ? nullptr : may_wait(*found->second);
}

AgentKeying::Impl::Node* AgentKeying::Impl::may_wait(Node& node) {
  waiting[node.number] = &node;
  return &node;
}

// --- the face ---

AgentKeying::AgentKeying(AgentKeyingPolicy policy) : impl_(std::make_unique<Impl>(std::move(policy))) {}
AgentKeying::~AgentKeying() = default;

std::vector<AgentKeyingAction> AgentKeying::handle(const AgentKeyingEvent& event, mip6::BootTime now) {
  if (impl_->stopped) return {};
  std::visit([&](const auto& one) { impl_->on(one, now); }, event);
  impl_->advance(now);
  return std::exchange(impl_->out, {});
}

std::optional<mip6::BootTime> AgentKeying::next_deadline() const { return impl_->next_deadline(); }

}  // namespace ike
