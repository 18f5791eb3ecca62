// NodeKeying: one attempt to establish IKE from a care-of address, from loading the connection to keys or a reason.
// charon raises no event for several failures (nobody answers, no secret), so each attempt has a deadline of its own
// and asks list-sas at its end.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "ike-glue/node_keying_impl.hpp"

namespace ike {
namespace {

constexpr seconds kAttemptPatience{10};
constexpr seconds kCheckPatience{4};
constexpr milliseconds kMovePatience{1000};
// Three moves that replace keys which still work, within so long, are thrashing: then the next attempt waits until no
// further move has come for as long, but keys are never older than this long after the last attempt.
constexpr seconds kThrashing{2};
constexpr seconds kLongestWithoutCalm{30};
constexpr seconds kLastBackoff{32};
constexpr seconds kDpdDelay{60};

// charon does not ask before it re-keys, and takes up to a tenth off the time: its own one must never come first.
seconds safety_net(seconds interval) { return interval * 3 / 2; }

}  // namespace

// A new address is tried at once; the same one again waits for its turn.
void NodeKeying::Impl::wish_for(Wish wished) {
  if (!wish || wish->local != wished.local) {
    retry_at.reset();
    backoff = milliseconds{1000};
  }
  wish = wished;
}

// A single move is never held back, nor are two.
void NodeKeying::Impl::replacement_asked(mip6::BootTime now) {
  const auto last_but_one = std::exchange(replacements_asked[0], std::exchange(replacements_asked[1], now));
  if (last_but_one && now - *last_but_one < kThrashing)
    calm_at = std::min(now + kThrashing, began_at + kLongestWithoutCalm);
}

// When the wish may become an attempt.
mip6::BootTime NodeKeying::Impl::wish_opens() const {
  const bool keys_still_work = current && !current->doomed && !wish->anew;
  return std::max(retry_at.value_or(mip6::BootTime{}), keys_still_work ? calm_at : mip6::BootTime{});
}

// The node may have moved on since: nothing comes from an address that it has left.
NodeKeying::Impl::Wish NodeKeying::Impl::from_here(Wish wished) const {
  if (!last_local || wished.local == *last_local) return wished;
  wished.local = *last_local;
  wished.hard = true;
  return wished;
}

void NodeKeying::Impl::begin_attempt(mip6::BootTime now) {
  attempt = Attempt{.name = prefix + std::to_string(next_name++), .wish = *wish, .deadline = now + kAttemptPatience};
  wish.reset();
  retry_at.reset();
  began_at = now;
  // Never more than two at a time: one that is still being closed, or kept for what it has, goes at once.
  let_former_go(now, true);
  for (auto& one : leaving) one.guard = now;
  force_leaving(now);
  if (!current || !attempt->wish.hard) return load_secret();
  // Before the new IKE_SA exists: KMADDRESS moves every one with our reqid.
  attempt->step = Attempt::Step::kMovingOwn;
  attempt->move_deadline = now + kMovePatience;
  current->moved_to = attempt->wish.local;
  out.emplace_back(MoveOwnEndpoint{attempt->wish.local});
}

// Credentials and connection are loaded each time: others may have unloaded them.
void NodeKeying::Impl::load_secret() {
  attempt->step = Attempt::Step::kSecret;
  const auto& next = loads[attempt->loaded];
  attempt->request = request(Purpose::kSecret, next.command, next.message);
}

void NodeKeying::Impl::load_connection() {
  attempt->step = Attempt::Step::kConnection;
  // charon goes on with an IKE_SA whose connection is equal to the one to initiate, names not counting (its
  // reuse_ikesa), and one with the same child then finds a duplicate. No two of ours are equal, also from the same
  // address.
  const seconds different{number_of(attempt->name) % 1000};
  auto mobility = child_at_node(ChildKind::kMobility, policy.home_address, policy.home_agent);
  mobility.reqid = policy.reqid;
  mobility.rekey = safety_net(policy.child_rekey);
  std::vector<Child> children{mobility};
  for (const auto& one : further) {
    children.push_back(one.child);
    children.back().rekey = mobility.rekey;
  }
  const Connection connection{.name = attempt->name,
                              .local = attempt->wish.local.to_string(),
                              .remote = policy.home_agent.to_string(),
                              .children = std::move(children),
                              .ike_rekey = safety_net(policy.ike_rekey) + different,
                              .dpd_delay = kDpdDelay};
  attempt->request = request(Purpose::kConnection, "load-conn", load_conn(connection, policy.credentials));
}

void NodeKeying::Impl::attempt_answered(Purpose purpose, const Answered& answer, mip6::BootTime now) {
  if (!attempt || attempt->request != answer.id) return;  // of an earlier attempt
  if (purpose == Purpose::kCheck) {
    const auto left = ours(answer);
    const auto up = std::find_if(left.begin(), left.end(),
                                 [this](const IkeSa& sa) { return sa.name == attempt->name && sa.child_installed; });
    if (up != left.end()) return established(*up, now);
    return attempt_failed(left, attempt->failure.value_or(silent_or_refused(left)), now);
  }
  if (!answer.response) {
    const auto& why = answer.response.error();
    return attempt_failed({}, {why.to_string(), why.remedy}, now);
  }
  if (const auto refused = refusal(*answer.response)) {
    const auto what = purpose == Purpose::kSecret       ? loads[attempt->loaded].what
                      : purpose == Purpose::kConnection ? std::string_view("the connection")
                                                        : std::string_view("to connect");
    return attempt_failed({}, {fmt::format("charon refuses {}: {}", what, *refused), "look at charon's log"}, now);
  }
  if (purpose == Purpose::kSecret) {
    if (++attempt->loaded < loads.size()) return load_secret();
    load_connection();
  } else if (purpose == Purpose::kConnection) {
    attempt->step = Attempt::Step::kInitiate;
    attempt->request = request_slow(Purpose::kInitiate, "initiate", initiate(attempt->name, ChildKind::kMobility));
  } else if (attempt->step == Attempt::Step::kInitiate) {
    attempt->step = Attempt::Step::kWaiting;
  }
}

void NodeKeying::Impl::attempt_log(const Section& message, std::int64_t unix_time, mip6::BootTime now) {
  const auto* name = message.text("ikesa-name");
  const auto* line = message.text("msg");
  if (!name || !line) return;
  // In IKEv1 charon says so of each renewal of phase 1, and closes nothing because of an address.
  const bool second_version = policy.credentials.method.version == IkeVersion::kV2;
  if (second_version && current && *name == current->name && line->starts_with("reauthenticating IKE_SA"))
    return doom_current(now);
  if (current && *name == current->name) {
    current_log(message, *line);
    further_log(*line, now);
  }
  if (!attempt || *name != attempt->name) return;
  const auto reason = read_reason(*line, unix_time);
  if (!reason) return;
  if (!attempt->failure) {
    attempt->failure = words(*reason, unix_time);
    attempt->failure->what += in_charons_words(*line);
  }
  attempt->deadline = std::min(attempt->deadline, now + kAfterReason);
}

// The deadline has passed: with a list the end is known, without one it is taken for a failure.
void NodeKeying::Impl::check_attempt(mip6::BootTime now) {
  if (attempt->step == Attempt::Step::kChecking) {
    return attempt_failed({}, attempt->failure.value_or(silent_or_refused({})), now);
  }
  attempt->step = Attempt::Step::kChecking;
  attempt->deadline = now + kCheckPatience;
  attempt->request = list_sas(Purpose::kCheck);
}

Trouble NodeKeying::Impl::words(Reason reason, std::int64_t unix_time) const {
  // IKEv1 has one name for both, and says it of ESP when IKE is up.
  if (reason == Reason::kProposal && attempt && attempt->ike_up) reason = Reason::kChildProposal;
  return words_at_node(reason, {.home_agent = policy.home_agent.to_string(),
                                .home_address = policy.home_address.to_string(),
                                .credentials = policy.credentials,
                                .unix_time = unix_time});
}

Trouble NodeKeying::Impl::silent_or_refused(const std::vector<IkeSa>& left) const {
  const bool authenticated = attempt->ike_up || std::any_of(left.begin(), left.end(), [this](const IkeSa& sa) {
                               return sa.name == attempt->name && sa.state == "ESTABLISHED";
                             });
  return words(authenticated ? Reason::kHomeAddress : Reason::kSilent);
}

void NodeKeying::Impl::established(const IkeSa& sa, mip6::BootTime now) {
  const auto old = current;
  const auto local = sa.local.value_or(attempt->wish.local);
  attempt.reset();
  verification.reset();  // of the one before
  backoff = milliseconds{1000};
  if (wish) wish->anew = false;  // these are: what is left to wish for is another address
  // The kernel takes the state that is newest by the wall clock: after that was set back it would go on with the old
  // keys until they are gone at the other end, and longer. What is on its way to us still finds its state.
  if (old) out.emplace_back(DeleteStatesExcept{{sa.spi_in, sa.spi_out, old->spi_in}});
  take_over(sa, true, now);
  current->local = local;
  step(fmt::format("IKE {} from {}", old ? "re-established" : "established", local.to_string()));
  bring_up_further(now);
  if (old) {
    hand_over(*old, now);
  } else if (leaving.empty()) {
    out.emplace_back(DeleteStatesExcept{{sa.spi_in, sa.spi_out}});
  }
}

void NodeKeying::Impl::attempt_failed(const std::vector<IkeSa>& left, Trouble why, mip6::BootTime now) {
  const auto name = attempt->name;
  bool connection_unloaded = false;
  for (const auto& sa : left) {
    if (sa.name != name) continue;
    retire(sa, now);
    connection_unloaded = true;
  }
  if (!connection_unloaded) {
    if (attempt->step == Attempt::Step::kChecking) {
      request_slow(Purpose::kWhatever, "terminate", terminate_by_name(name));
    }
    unload(name);
  }
  const bool overtaken = wish && wish->local != attempt->wish.local;
  if (!overtaken) {
    wish = from_here(attempt->wish);
    trouble(std::move(why));
    delay_next(now);
  }
  attempt.reset();
}

void NodeKeying::Impl::delay_next(mip6::BootTime now) {
  retry_at = now + backoff;
  backoff = std::min<mip6::Duration>(backoff * 2, kLastBackoff);
}

void NodeKeying::Impl::abandon_attempt() {
  if (attempt->step >= Attempt::Step::kInitiate) {
    request_slow(Purpose::kWhatever, "terminate", terminate_by_name(attempt->name));
  }
  if (attempt->step >= Attempt::Step::kConnection) unload(attempt->name);
  attempt.reset();
}

}  // namespace ike
