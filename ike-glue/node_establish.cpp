// NodeKeying: one attempt to establish IKE from a care-of address, from loading the connection to keys or a reason.
// charon raises no event for several failures (nobody answers, no secret), so each attempt has a deadline of its own
// and asks list-sas at its end.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "ike-glue/node_keying_impl.hpp"

namespace ike {
namespace {

constexpr seconds kAttemptPatience{10};
constexpr seconds kCheckPatience{4};
constexpr milliseconds kMovePatience{1000};
constexpr milliseconds kAfterReason{200};  // from the log's reason to the end of charon's own work on it
constexpr seconds kLastBackoff{32};
// Rekeying is asked by the node, so that only acknowledgements are at risk: the agent's times are longer.
constexpr seconds kIkeRekey{4 * 3600};
constexpr seconds kChildRekey{3600};
constexpr seconds kDpdDelay{60};

enum class Reason { kSecret, kHomeAddress, kProposal, kNoSecret, kNotTrusted, kNotValid, kSilent };

// What charon's log says, in its words at level 1.
constexpr std::array<std::pair<std::string_view, Reason>, 11> kLogLines{{
    {"received AUTHENTICATION_FAILED", Reason::kSecret},
    {"MAC mismatched", Reason::kSecret},
    {"constraint check failed", Reason::kSecret},
    {"received TS_UNACCEPTABLE", Reason::kHomeAddress},
    {"received NO_PROPOSAL_CHOSEN", Reason::kProposal},
    {"no shared key found for", Reason::kNoSecret},
    {"no private key found for", Reason::kNoSecret},
    {"certificate invalid (valid from", Reason::kNotValid},
    {"no issuer certificate found for", Reason::kNotTrusted},
    {"no trusted ", Reason::kNotTrusted},
    {"peer not responding", Reason::kSilent},
}};

// What only certificates bring, or what is different with them.
std::optional<Trouble> words_on_certificates(Reason reason, const NodeKeyingPolicy& policy) {
  const auto agent = policy.home_agent.to_string();
  const auto& identity = policy.credentials.local_identity;
  const auto& peer = policy.credentials.remote_identity;
  switch (reason) {
    case Reason::kSecret:
      return Trouble{
          fmt::format("authentication between {} and home agent {} failed: wrong certificate or identity", identity,
                      agent),
          fmt::format("check that our certificate names {} as subjectAltName, that the home agent knows this "
                      "identity, and that both have the root of the other's certificate",
                      identity)};
    case Reason::kNoSecret:
      return Trouble{fmt::format("charon has no private key for {}", identity),
                     "check that private key and certificate belong together; they are loaded again with the next "
                     "attempt"};
    case Reason::kNotTrusted:
      return Trouble{fmt::format("the certificate of home agent {} is not trusted", agent),
                     fmt::format("check that our bundle has the root it comes from, and that it names {} as "
                                 "subjectAltName",
                                 peer)};
    case Reason::kNotValid:
      return Trouble{
          fmt::format("a certificate between {} and home agent {} has expired or is not valid yet", identity, agent),
          "check the clock, and renew the certificate: 'openssl x509 -noout -dates' shows its dates"};
    default:
      return std::nullopt;
  }
}

Trouble words(Reason reason, const NodeKeyingPolicy& policy) {
  const auto agent = policy.home_agent.to_string();
  const auto& identity = policy.credentials.local_identity;
  if (std::holds_alternative<Certificate>(policy.credentials.proof))
    if (auto trouble = words_on_certificates(reason, policy)) return *trouble;
  switch (reason) {
    case Reason::kSecret:
      return {
          fmt::format("authentication between {} and home agent {} failed: wrong secret or identity", identity, agent),
          "check identity and secret here and at the home agent"};
    case Reason::kHomeAddress:
      return {fmt::format("home agent {} does not have home address {} for {}", agent, policy.home_address.to_string(),
                          identity),
              "check home-address here, and the node's entry at the home agent"};
    case Reason::kProposal:
      // charon answers so, too, while it has no connection at all for the pair of addresses.
      return {
          fmt::format("home agent {} has no connection for us, or accepts none of our proposals", agent),
          "check that mip6-ha is running there; another home agent must allow aes128-sha256-ecp256 (or -x25519) for "
          "IKE and aes128-sha256 for ESP"};
    case Reason::kNoSecret:
      return {fmt::format("charon has no shared secret for {} and {}", identity, policy.credentials.remote_identity),
              "it is loaded again with the next attempt; check that nothing else clears charon's credentials"};
    case Reason::kNotTrusted:  // certificates, which are not ours to use here
    case Reason::kNotValid:
    case Reason::kSilent:
      break;
  }
  return {fmt::format("home agent {} does not answer IKE", agent),
          "check its address, that it is running, and that UDP ports 500 and 4500 are open on the way"};
}

}  // namespace

// A new address is tried at once; the same one again waits for its turn.
void NodeKeying::Impl::wish_for(Wish wished) {
  if (!wish || wish->local != wished.local) {
    retry_at.reset();
    backoff = milliseconds{1000};
  }
  wish = wished;
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
  mobility.rekey = kChildRekey;
  std::vector<Child> children{mobility};
  for (const auto& one : further) {
    children.push_back(one.child);
    children.back().rekey = kChildRekey;
  }
  const Connection connection{.name = attempt->name,
                              .local = attempt->wish.local.to_string(),
                              .remote = policy.home_agent.to_string(),
                              .children = std::move(children),
                              .ike_rekey = kIkeRekey + different,
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

void NodeKeying::Impl::attempt_log(const Section& message, mip6::BootTime now) {
  const auto* name = message.text("ikesa-name");
  const auto* line = message.text("msg");
  if (!name || !line) return;
  if (current && *name == current->name && line->starts_with("reauthenticating IKE_SA")) return doom_current(now);
  if (current && *name == current->name) further_log(*line, now);
  if (!attempt || *name != attempt->name) return;
  for (const auto& [words_of_charon, reason] : kLogLines) {
    if (line->find(words_of_charon) == std::string::npos) continue;
    if (!attempt->failure) attempt->failure = words(reason, policy);
    attempt->deadline = std::min(attempt->deadline, now + kAfterReason);
  }
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

Trouble NodeKeying::Impl::silent_or_refused(const std::vector<IkeSa>& left) const {
  const bool authenticated = attempt->ike_up || std::any_of(left.begin(), left.end(), [this](const IkeSa& sa) {
                               return sa.name == attempt->name && sa.state == "ESTABLISHED";
                             });
  return words(authenticated ? Reason::kHomeAddress : Reason::kSilent, policy);
}

void NodeKeying::Impl::established(const IkeSa& sa, mip6::BootTime now) {
  const auto old = current;
  const auto local = sa.local.value_or(attempt->wish.local);
  const bool anew = attempt->wish.anew;
  attempt.reset();
  backoff = milliseconds{1000};
  // The kernel takes the state that is newest by the wall clock: after that was set back it would go on with the keys
  // that are used up, whatever is said of fresh ones. What is on its way to us still finds its state.
  if (anew && old) out.emplace_back(DeleteStatesExcept{{sa.spi_in, sa.spi_out, old->spi_in}});
  take_over(sa, true);
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
