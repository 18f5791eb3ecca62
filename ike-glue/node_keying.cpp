// NodeKeying: its face, and what each event does.
#include "ike-glue/node_keying.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "ike-glue/node_keying_impl.hpp"

namespace ike {
namespace {

constexpr milliseconds kFirstBackoff{1000};
// How long an attempt may go on that a newer wish has made pointless: long enough to finish one that is nearly done.
constexpr milliseconds kOvertakenPatience{1000};
constexpr seconds kMoveFollowed{5};

}  // namespace

NodeKeying::Impl::Impl(NodeKeyingPolicy chosen) : policy(std::move(chosen)), backoff(kFirstBackoff) {
  auto host = policy.home_address.to_string();
  std::replace(host.begin(), host.end(), ':', '-');
  secret_id = "mip6-" + host;
  loads = load_credentials(secret_id, policy.credentials);
  prefix = secret_id + "-";
  further = further_of(policy);
}

// --- charon's connection ---

void NodeKeying::Impl::on(const CharonConnected&, mip6::BootTime) {
  connected = true;
  adopted = false;
  adopt_again_at.reset();
  migration_failed = false;
  forget_charon();
  retry_at.reset();
  backoff = kFirstBackoff;
  list_for_adoption();
}

void NodeKeying::Impl::on(const CharonDisconnected& event, mip6::BootTime) {
  connected = false;
  forget_charon();
  trouble(trouble_of(event.why));
}

void NodeKeying::Impl::on(const Answered& event, mip6::BootTime now) {
  const auto found = pending.find(event.id);
  if (found == pending.end()) return;
  const auto purpose = found->second;
  pending.erase(found);
  switch (purpose) {
    case Purpose::kAdopt:
      return adopt(event, now);
    case Purpose::kConnections:
    case Purpose::kStopConnections:
      return forget_connections(event, purpose);
    case Purpose::kSecret:
    case Purpose::kConnection:
    case Purpose::kInitiate:
    case Purpose::kCheck:
      return attempt_answered(purpose, event, now);
    case Purpose::kVerify:
      if (verification && verification->request == event.id) verified(event, now);
      return;
    case Purpose::kChild:
      return further_answered(event, now);
    case Purpose::kStopList:
      return stop_listed(event, now);
    case Purpose::kStopAuthorities:
      return stop_authorities(event);
    case Purpose::kStopKey:
      return stop_key(event);
    case Purpose::kStopStep:
    case Purpose::kWhatever:
      return;
  }
}

void NodeKeying::Impl::on(const CharonEvent& event, mip6::BootTime now) {
  if (!connected) return;
  if (event.name == "log") return attempt_log(event.message, event.unix_time, now);
  if (event.name == "ike-updown") return ike_updown(event.message, now);
  if (event.name == "child-updown") return child_updown(event.message, now);
  if (event.name == "ike-rekey") return ike_rekey(event.message, now);
  if (event.name == "child-rekey") return child_rekey(event.message, now);
}

void NodeKeying::Impl::ike_updown(const Section& message, mip6::BootTime now) {
  const auto sa = read_ike_sa(message, policy.reqid);
  if (!sa || !is_ours(sa->name)) return;
  if (is_up(message)) {
    if (attempt && sa->name == attempt->name) {
      attempt->ike_up = true;
    } else if (current && sa->first_version && sa->name == current->name) {
      further_renumbered(current->uniqueid, sa->uniqueid);
      current->uniqueid = sa->uniqueid;  // phase 1 renewed: it has the SAs now
      current->ike_rekey_at = now + spread(policy.ike_rekey);
    }
    return;
  }
  if (is_listing()) departed.ike_sa(sa->uniqueid);
  if (former && former->uniqueid == sa->uniqueid) {
    former_gone();
    if (!current || current->name != sa->name) unload(sa->name);
  }
  if (std::erase_if(leaving, [&](const Leaving& one) { return one.uniqueid == sa->uniqueid; }) > 0)
    forget_former_states();
  if (current && current->uniqueid == sa->uniqueid) {
    lost_current(now, "the IKE connection was closed", read_closing(message));
    return unload(sa->name);
  }
  if (attempt && sa->name == attempt->name) attempt->deadline = std::min(attempt->deadline, now);
}

void NodeKeying::Impl::child_updown(const Section& message, mip6::BootTime now) {
  const auto sa = read_ike_sa(message, policy.reqid);
  if (!sa || !is_ours(sa->name) || further_updown(message, *sa, now) || sa->spi_in == 0) return;
  const bool of_current = current && current->uniqueid == sa->uniqueid;
  if (!is_up(message)) {
    if (is_listing()) departed.child(sa->spi_in);
    // The IKE_SA is still there, or ike-updown had come first. A pair that a rekey has replaced is not missed. In
    // whose IKE_SA it was does not matter: a phase 1 that is being renewed has it, up or not.
    if (!current || current->spi_in != sa->spi_in) return;
    lost_current(now, "the SAs with the home agent were closed");
    return retire(*sa, now);
  }
  if (attempt && sa->name == attempt->name) return established(*sa, now);
  if (of_current) return take_over(*sa, true, now);
  if (is_leaving(sa->uniqueid) || stop_deadline) return;
  if (current && current->name == sa->name) {  // initiated by hand a second time
    const auto old = *current;
    take_over(*sa, true, now);
    bring_up_further(now);
    return hand_over(old, now);
  }
  request_slow(Purpose::kWhatever, "terminate", terminate_by_id(sa->uniqueid, true));  // an abandoned attempt's
}

void NodeKeying::Impl::ike_rekey(const Section& message, mip6::BootTime now) {
  const auto rekeyed = read_ike_rekey(message);
  if (!rekeyed || !is_ours(rekeyed->name)) return;
  if (current && current->uniqueid == rekeyed->old_uniqueid) {
    current->uniqueid = rekeyed->uniqueid;
    step(fmt::format("IKE re-keyed, from {}", current->local.to_string()));
    current->ike_rekey_at = now + spread(policy.ike_rekey);
    // The new IKE_SA begins where the old one was when charon took up the answer, which may have been before a move.
    if (current->migrated && !verification && !attempt && !wish)
      verification = Verification{current->local, current->local, now + kVerifyAfter, true};
  }
  for (auto& one : leaving) {
    if (one.uniqueid == rekeyed->old_uniqueid) one.uniqueid = rekeyed->uniqueid;
  }
  if (former && former->uniqueid == rekeyed->old_uniqueid) former->uniqueid = rekeyed->uniqueid;
  further_renumbered(rekeyed->old_uniqueid, rekeyed->uniqueid);
}

void NodeKeying::Impl::child_rekey(const Section& message, mip6::BootTime now) {
  further_rekeyed(message, now);
  const auto rekeyed = read_child_rekey(message, policy.reqid);
  if (!rekeyed || !current || current->uniqueid != rekeyed->ike_uniqueid) return;
  current->spi_in = rekeyed->spi_in;
  current->spi_out = rekeyed->spi_out;
  step("the SAs with the home agent were re-keyed");
  current->child_rekey_at = now + spread(policy.child_rekey);
  out.emplace_back(KeysUp{rekeyed->spi_in, rekeyed->spi_out, true});
}

// --- what the daemon asks ---

void NodeKeying::Impl::on(const Attached& event, mip6::BootTime now) {
  last_local = event.local;
  follow_log_until(now + kMoveFollowed);
  if (wish) wish_for(from_here(*wish));
}

void NodeKeying::Impl::on(const EstablishAsked& event, mip6::BootTime) {
  last_local = event.local;
  if (current && !current->doomed) {
    out.emplace_back(KeysUp{current->spi_in, current->spi_out, false});
    return;
  }
  if (attempt && attempt->wish.local == event.local) {
    wish.reset();
    return;
  }
  if (attempt) abandon_attempt();
  wish_for({event.local, false, false});
}

void NodeKeying::Impl::on(const EndpointMoved& event, mip6::BootTime now) {
  last_local = event.local;
  if (!connected || !current) {
    if (attempt && attempt->wish.local != event.local) abandon_attempt();
    if (!attempt && (wish || connected || !event.accepted)) wish_for({event.local, true, true});
    return;
  }
  if (current->doomed) {
    if (attempt && attempt->wish.local != event.local) abandon_attempt();
    if (!attempt) wish_for({event.local, true, true});
    return;
  }
  // The move is what counts now: a re-establishment under way was for an address before it. Keys that are used up are
  // replaced all the same.
  const bool anew = wants_fresh_keys();
  if (attempt) abandon_attempt();
  wish.reset();
  verification.reset();
  if (event.accepted) {
    verification = Verification{event.local, current->local, now + kVerifyAfter};
    current->local = event.local;
    current->migrated = true;
    current->found = false;
    current->moved_to.reset();
    if (anew) wish_for({event.local, true, false, true});
    return;
  }
  migration_refused(
      event.local,
      {"the kernel refused to tell charon of the new care-of address (XFRM_MSG_MIGRATE)",
       "the IKE connection is established anew at each move; check that the kernel has CONFIG_XFRM_MIGRATE"});
}

void NodeKeying::Impl::on(const ReestablishAsked& event, mip6::BootTime now) {
  last_local = event.local;
  verification.reset();
  const bool anew = event.anew || wants_fresh_keys();
  const Wish wished{event.local, true, !event.previous_usable, anew};
  if (!anew) replacement_asked(now);
  if (!connected) {
    wish_for(wished);
  } else if (runs_from(event.local) && !anew) {
    // Back where the present IKE_SA was established: only our own side may have been told otherwise.
    if (attempt) abandon_attempt();
    wish.reset();
    if (current->moved_to) out.emplace_back(MoveOwnEndpoint{event.local});
    current->moved_to.reset();
  } else if (!attempt) {
    wish_for(wished);
  } else if (attempt->wish.local == event.local) {
    wish.reset();
  } else {
    wish_for({event.local, true, true, anew});
    attempt->deadline = std::min(attempt->deadline, now + kOvertakenPatience);
  }
}

void NodeKeying::Impl::on(const OwnEndpointMoved&, mip6::BootTime) {
  if (attempt && attempt->step == Attempt::Step::kMovingOwn) load_secret();
}

void NodeKeying::Impl::on(const Settled& event, mip6::BootTime now) {
  if (event.settled)
    unsettled_at.reset();
  else if (!unsettled_at)
    unsettled_at = now;
}

// An attempt under way has loaded some of the old ones.
void NodeKeying::Impl::on(const CredentialsChanged& event, mip6::BootTime) {
  policy.credentials = event.credentials;
  policy.child_rekey = event.child_rekey;
  policy.ike_rekey = event.ike_rekey;
  loads = load_credentials(secret_id, policy.credentials);
  const auto interrupted = attempt ? std::optional{attempt->wish} : std::nullopt;
  if (attempt) abandon_attempt();
  if (!wish && interrupted) wish_for(*interrupted);
  if (current && !current->doomed && !wish) wish_for({current->local, true, false, true});
  if (wish && current) wish->anew = wish->replace = true;
  retry_at.reset();
}

void NodeKeying::Impl::on(const StopAsked&, mip6::BootTime now) {
  if (stop_deadline) return;
  stop_deadline = now + kStopPatience;
  stop_force_at = now + kStopPlainPatience;
  const auto under_way = attempt;
  forget_charon();
  if (!connected) return;
  // The list may be made before charon takes up an initiate that is still on its way.
  if (under_way) request_slow(Purpose::kStopStep, "terminate", terminate_by_name(under_way->name));
  // From charon's own lists, not from what we believe: after a crash there may be more.
  list_sas(Purpose::kStopList);
  request(Purpose::kStopConnections, "get-conns", {});
  withdraw_credentials();
}

// --- time ---

void NodeKeying::Impl::advance(mip6::BootTime now) {
  force_leaving(now);
  if (stop_deadline) return finish_stop(now);
  if (!connected) return;
  if (adopt_again_at && *adopt_again_at <= now) list_for_adoption();
  if (attempt && attempt->step == Attempt::Step::kMovingOwn && attempt->move_deadline <= now) load_secret();
  if (attempt && attempt->deadline <= now) check_attempt(now);
  if (verification && verification->request == 0 && verification->at <= now) verify(now);
  rekey_if_due(now);
  advance_further(now);
  if (!adopted || attempt || !wish) return;
  const bool usable = current && !current->doomed;
  if (usable && (!wish->replace || (runs_from(wish->local) && !wish->anew))) {
    // A wish that is given up was believed to be fulfilled: who asked must ask again at the next move.
    if (wish->replace) out.emplace_back(KeysUp{current->spi_in, current->spi_out, false});
    wish.reset();
    return;
  }
  if (wish_opens() <= now) begin_attempt(now);
}

std::optional<mip6::BootTime> NodeKeying::Impl::next_deadline() const {
  std::optional<mip6::BootTime> first;
  if (stopped) return first;
  const auto consider = [&first](mip6::BootTime at) { first = first ? std::min(*first, at) : at; };
  for (const auto& one : leaving) consider(one.guard);
  if (stop_deadline) consider(*stop_deadline);
  // Stopping, advance() looks at nothing else.
  if (!connected || stop_deadline) return first;
  if (adopt_again_at) consider(*adopt_again_at);
  if (attempt) consider(attempt->deadline);
  if (attempt && attempt->step == Attempt::Step::kMovingOwn) consider(attempt->move_deadline);
  if (verification && verification->request == 0) consider(verification->at);
  if (adopted && wish && !attempt && wish_opens() > mip6::BootTime{}) consider(wish_opens());
  if (const auto at = next_rekey()) consider(*at);
  if (const auto at = log_changes_at()) consider(*at);
  if (const auto at = next_of_further()) consider(*at);
  return first;
}

// --- requests ---

std::uint64_t NodeKeying::Impl::request(Purpose purpose, std::string command, Section message, std::string stream) {
  const auto id = next_id++;
  pending[id] = purpose;
  out.emplace_back(Request{id, std::move(command), std::move(message), std::move(stream),
                           stop_deadline ? kStopRequestDeadline : kDeadline, false});
  return id;
}

std::uint64_t NodeKeying::Impl::request_slow(Purpose purpose, std::string command, Section message) {
  const auto id = request(purpose, std::move(command), std::move(message));
  std::get<Request>(out.back()).slow = true;
  return id;
}

std::uint64_t NodeKeying::Impl::list_sas(Purpose purpose) {
  if (!is_listing()) departed.forget();
  return request(purpose, "list-sas", {}, "list-sa");
}

bool NodeKeying::Impl::is_listing() const {
  return std::any_of(pending.begin(), pending.end(), [](const auto& one) {
    return one.second == Purpose::kAdopt || one.second == Purpose::kCheck || one.second == Purpose::kVerify ||
           one.second == Purpose::kStopList;
  });
}

void NodeKeying::Impl::unload(const std::string& name, Purpose purpose) {
  request(purpose, "unload-conn", named("name", name));
}

bool NodeKeying::Impl::is_ours(std::string_view name) const {
  if (!name.starts_with(prefix)) return false;
  name.remove_prefix(prefix.size());
  // Another home address may begin like ours: what follows must be the number alone.
  return !name.empty() && name.size() <= 18 &&
         std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::vector<IkeSa> NodeKeying::Impl::ours(const Answered& answer) const {
  std::vector<IkeSa> found;
  if (!answer.response) return found;
  for (const auto& item : answer.response->items) {
    auto sa = read_ike_sa(item, policy.reqid);
    if (sa && is_ours(sa->name) && sa->uniqueid != 0 && !departed.has(*sa)) found.push_back(departed.by_now(*sa));
  }
  return found;
}

bool NodeKeying::Impl::wants_fresh_keys() const { return (attempt && attempt->wish.anew) || (wish && wish->anew); }

bool NodeKeying::Impl::runs_from(const mip6::Ipv6Address& local) const {
  return current && !current->doomed && !current->found && current->local == local;
}

bool NodeKeying::Impl::is_leaving(std::uint64_t uniqueid) const {
  if (former && former->uniqueid == uniqueid) return true;
  return std::any_of(leaving.begin(), leaving.end(), [&](const Leaving& one) { return one.uniqueid == uniqueid; });
}

// --- the face ---

NodeKeying::NodeKeying(NodeKeyingPolicy policy) : impl_(std::make_unique<Impl>(std::move(policy))) {}
NodeKeying::~NodeKeying() = default;

std::vector<NodeKeyingAction> NodeKeying::handle(const NodeKeyingEvent& event, mip6::BootTime now) {
  if (impl_->stopped) return {};
  std::visit([&](const auto& one) { impl_->on(one, now); }, event);
  impl_->advance(now);
  impl_->follow_log_if_due(now);
  return std::exchange(impl_->out, {});
}

std::optional<mip6::BootTime> NodeKeying::next_deadline() const { return impl_->next_deadline(); }
bool NodeKeying::usable() const { return impl_->keys; }
bool NodeKeying::migration_failed() const { return impl_->migration_failed; }

std::optional<mip6::Ipv6Address> NodeKeying::endpoint() const {
  return impl_->current ? std::optional(impl_->current->local) : std::nullopt;
}

std::string_view NodeKeying::state() const {
  if (impl_->stopped) return "stopped";
  if (impl_->stop_deadline) return "stopping";
  if (!impl_->connected) return "charon not reachable";
  if (impl_->current) return impl_->attempt ? "re-establishing" : "established";
  if (impl_->attempt) return "connecting";
  if (impl_->wish && impl_->retry_at) return "waiting to try again";
  return "not connected";
}

}  // namespace ike
