// NodeKeying: adopting what charon has, verifying a move, retiring an IKE_SA, stopping.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "ike-glue/node_keying_impl.hpp"
#include "ike-glue/vici_number.hpp"

namespace ike {
namespace {

constexpr seconds kRetirePatience{3};
constexpr seconds kAdoptAgainAfter{2};
constexpr seconds kRekeyAgainAfter{60};
constexpr seconds kBetweenRekeys{5};
constexpr seconds kRekeyFollowed{10};
// A refresh is mostly answered within this; charon acts on an address that is lost 100 ms later.
constexpr milliseconds kRefreshPatience{50};

// In the middle of words like "the IKE connection was closed".
std::string_view words_of(Closing closing) {
  switch (closing) {
    case Closing::kUnknown:
      return "";
    case Closing::kByPeer:
      return " by the home agent";
    case Closing::kHere:
      return " by charon here";
    case Closing::kSilent:
      return ": the home agent does not answer any more";
  }
  return "";
}

bool half_open(const IkeSa& sa) { return sa.state == "CONNECTING" || sa.state == "CREATED"; }

}  // namespace

// --- adopting ---

// What is believed of charon's state. That keys are in use stays: they live in the kernel.
void NodeKeying::Impl::forget_charon() {
  if (attempt && !wish) wish = from_here(attempt->wish);
  pending.clear();
  current.reset();
  attempt.reset();
  leaving.clear();
  verification.reset();
  former.reset();
  lose_further(false);
}

void NodeKeying::Impl::list_for_adoption() {
  adopt_again_at.reset();
  list_sas(Purpose::kAdopt);
}

// An IKE_SA of ours from before our own restart, with its keys in place, goes on being used; one with another home
// agent, which the former process had chosen, does not.
void NodeKeying::Impl::adopt(const Answered& answer, mip6::BootTime now) {
  if (!answer.response) {
    adopt_again_at = now + kAdoptAgainAfter;
    return;
  }
  adopted = true;
  const auto found = ours(answer);
  const IkeSa* newest = nullptr;
  for (const auto& sa : found) {
    skip_name(sa.name);
    // Names count upwards; an IKE rekey gives the older of two connections the higher id.
    const auto age = std::pair(number_of(sa.name), sa.uniqueid);
    const bool elsewhere = sa.remote && sa.remote != policy.home_agent;
    if (!sa.child_installed || !sa.local || elsewhere) continue;
    if (!newest || age > std::pair(number_of(newest->name), newest->uniqueid)) newest = &sa;
  }
  if (newest) {
    take_over(*newest, false, now);
    step(fmt::format("IKE connection from {} found in charon", newest->local->to_string()));
    if (!last_local) last_local = newest->local;
    adopt_further(answer, now);
  } else if (keys && !wish && last_local) {
    wish_for({*last_local, false, false});
  }
  for (const auto& sa : found) {
    if (&sa != newest) retire(sa, now);
  }
  request(Purpose::kConnections, "get-conns", {});
}

std::uint64_t NodeKeying::Impl::number_of(std::string_view name) const {
  std::uint64_t number = 0;
  std::from_chars(name.data() + prefix.size(), name.data() + name.size(), number);
  return number;
}

void NodeKeying::Impl::skip_name(std::string_view name) { next_name = std::max(next_name, number_of(name) + 1); }

// Connections that an earlier run left loaded.
void NodeKeying::Impl::forget_connections(const Answered& answer, Purpose purpose) {
  if (!answer.response) return;
  const auto* names = answer.response->message.list("conns");
  if (!names) return;
  const bool stopping = purpose == Purpose::kStopConnections;
  for (const auto& name : *names) {
    if (!is_ours(name)) continue;
    const bool in_use =
        (current && current->name == name) || (attempt && attempt->name == name) || (former && former->name == name);
    if (!in_use || stopping) unload(name, stopping ? Purpose::kStopStep : Purpose::kWhatever);
    skip_name(name);
  }
}

void NodeKeying::Impl::take_over(const IkeSa& sa, bool fresh, mip6::BootTime now) {
  const auto before = current ? current->local : last_local.value_or(mip6::Ipv6Address{});
  const bool goes_on = current && current->uniqueid == sa.uniqueid;
  current = Current{.name = sa.name,
                    .uniqueid = sa.uniqueid,
                    .local = sa.local.value_or(before),
                    .moved_to = {},
                    .spi_in = sa.spi_in,
                    .spi_out = sa.spi_out,
                    .found = goes_on ? current->found : !fresh};
  current->child_rekey_at = now + spread(policy.child_rekey) - sa.child_age;
  current->ike_rekey_at = now + spread(policy.ike_rekey) - sa.age;
  keys = true;
  out.emplace_back(KeysUp{sa.spi_in, sa.spi_out, fresh});
}

// --- letting go ---

// What answers a re-key. Of a child that is being asked for it is told otherwise, and all else belongs to an attempt.
void NodeKeying::Impl::current_log(const Section& message, std::string_view line) {
  if (number<std::uint64_t>(message, "ikesa-uniqueid", 10) != current->uniqueid) return;
  const auto reason = is_bringing_up() ? std::nullopt : read_reason(line, 0);
  if (reason != Reason::kProposal && reason != Reason::kChildProposal && reason != Reason::kHomeAddress) return;
  auto why = words(*reason);
  why.what = fmt::format("keys can't be renewed: {}{}", why.what, in_charons_words(line));
  trouble(std::move(why));
}

void NodeKeying::Impl::lost_current(mip6::BootTime now, std::string_view how, Closing closing) {
  const auto lost = *std::exchange(current, std::nullopt);
  verification.reset();
  keys = false;
  out.emplace_back(KeysDown{});
  lose_further(true);
  if (stop_deadline) return;
  step(fmt::format("{}{}", how, words_of(closing)));
  if (closing == Closing::kSilent) trouble(words(Reason::kSilent));
  if (attempt) return;
  if (!wish) wish = Wish{last_local.value_or(lost.local), false, false};
  delay_next(now);
}

// charon closes an IKE_SA without MOBIKE by itself when its address has gone and is not the one it was established
// from. Its DELETE cannot leave, so that the keys go on working until charon gives up: time enough for a new one.
void NodeKeying::Impl::doom_current(mip6::BootTime now) {
  if (current->doomed) return;
  current->doomed = true;
  trouble({"charon closes the IKE connection because its address has gone; it is established anew",
           "to keep it, set charon.plugins.kernel-netlink.roam_events = no in strongswan.conf"});
  const bool just_moved = verification.has_value();
  verification.reset();
  if (attempt || wish) return;
  wish_for({last_local.value_or(current->local), true, true});
  // The present address is dead unless a move has just been reported; the report of one is on its way.
  if (!just_moved) delay_next(now);
}

// Plainly, so that the peer closes it too; by force if it is not authenticated, or still there after a while.
void NodeKeying::Impl::retire(const IkeSa& sa, mip6::BootTime now) {
  request_slow(Purpose::kWhatever, "terminate", terminate_by_id(sa.uniqueid, half_open(sa)));
  if (!half_open(sa) && !is_leaving(sa.uniqueid)) leaving.push_back({sa.uniqueid, now + kRetirePatience});
  if (!current || current->name != sa.name) unload(sa.name);
}

void NodeKeying::Impl::force_leaving(mip6::BootTime now) {
  for (const auto& one : leaving) {
    if (one.guard > now) continue;
    const auto purpose = stop_deadline ? Purpose::kStopStep : Purpose::kWhatever;
    request_slow(purpose, "terminate", terminate_by_id(one.uniqueid, true));
  }
  if (std::erase_if(leaving, [now](const Leaving& one) { return one.guard <= now; }) > 0) forget_former_states();
}

// --- re-keying ---

// While nothing else goes on that a re-key could disturb, or that disturbs it.
bool NodeKeying::Impl::may_rekey() const {
  return current && !current->doomed && adopted && !attempt && !wish && !verification && leaving.empty() && !former &&
         !is_bringing_up() && !unsettled_at;
}

// Asked by the node, and not left to charon: what the responder of a re-key sends under the new keys before the other
// end has them is lost, and the node is the one who knows when nothing is to be expected. One at a time.
void NodeKeying::Impl::rekey_if_due(mip6::BootTime now) {
  if (!may_rekey()) return;
  struct Rekey {
    mip6::BootTime* at;
    Section what;
  };
  const auto ike = current->uniqueid;
  std::vector<Rekey> all{{&current->child_rekey_at, rekey_child(ike, ChildKind::kMobility)}};
  for (auto& one : further)
    if (one.ike == ike) all.push_back({&one.rekey_at, rekey_child(ike, one.child.kind)});
  all.push_back({&current->ike_rekey_at, rekey_ike(ike)});
  const auto due = std::find_if(all.begin(), all.end(), [now](const Rekey& one) { return *one.at <= now; });
  if (due == all.end()) return;
  request(Purpose::kWhatever, "rekey", due->what);
  follow_log_until(now + kRekeyFollowed);
  for (const auto& one : all) *one.at = std::max(*one.at, now + kBetweenRekeys);
  // charon answers yes whatever becomes of it: what an event does not confirm is asked for again.
  *due->at = now + kRekeyAgainAfter;
}

std::optional<mip6::BootTime> NodeKeying::Impl::next_rekey() const {
  if (!may_rekey()) return std::nullopt;
  auto first = std::min(current->child_rekey_at, current->ike_rekey_at);
  for (const auto& one : further)
    if (one.ike == current->uniqueid) first = std::min(first, one.rekey_at);
  return first;
}

// Up to a tenth less, by the SPI, which nobody chose: nodes that began together do not all come again together.
mip6::Duration NodeKeying::Impl::spread(seconds interval) const {
  return interval - mip6::Duration(interval) * (current->spi_in % 128) / 1280;
}

// --- what charon logs ---

// Each line is an event that wakes us, and charon logs each packet: of an idle connection that is dead peer detection,
// which has nothing to tell. A reason to give up a connection, or not to get one, is logged only after something has
// begun: an attempt, a re-key, a move, or that the home agent does not answer (an address that is lost is one way).
bool NodeKeying::Impl::wants_log(mip6::BootTime now) const {
  if (stop_deadline) return false;
  if (!connected || !adopted || attempt || wish || verification || former || !leaving.empty()) return true;
  return is_bringing_up() || log_until || (unsettled_at && *unsettled_at + kRefreshPatience <= now);
}

void NodeKeying::Impl::follow_log_until(mip6::BootTime until) {
  log_until = std::max(log_until.value_or(until), until);
}

void NodeKeying::Impl::follow_log_if_due(mip6::BootTime now) {
  if (log_until && *log_until <= now) log_until.reset();
  const bool wanted = wants_log(now);
  if (wanted == std::exchange(follows_log, wanted)) return;
  out.insert(out.begin(), FollowLog{wanted});  // what is asked for now is to be followed already
}

std::optional<mip6::BootTime> NodeKeying::Impl::log_changes_at() const {
  if (follows_log) return log_until;
  return unsettled_at ? std::optional{*unsettled_at + kRefreshPatience} : std::nullopt;
}

// --- verifying a move ---

void NodeKeying::Impl::verify(mip6::BootTime now) {
  --verification->lists_left;
  verification->at = now + kVerifyAgainAfter;
  verification->request = list_sas(Purpose::kVerify);
}

// charon raises no event for a move by MIGRATE: where it says the IKE_SA is, is the only confirmation.
void NodeKeying::Impl::verified(const Answered& answer, mip6::BootTime now) {
  verification->request = 0;
  if (!answer.response) {  // nothing said is not a no: a charon that hangs follows when it goes on
    ++verification->lists_left;
    return;
  }
  const auto local = verification->local;
  const auto found = ours(answer);
  const auto mine =
      std::find_if(found.begin(), found.end(), [this](const IkeSa& sa) { return sa.uniqueid == current->uniqueid; });
  if (mine != found.end() && mine->state == "DELETING") {
    doom_current(now);
  } else if (mine != found.end() && mine->local == local) {
    if (!verification->told) step(fmt::format("IKE endpoint moved to {}", local.to_string()));
    verification.reset();
  } else if (last_local && *last_local != local) {
    // The node has moved on, and on a hard move our own end has, ahead of the home agent's answer: no word about
    // charon.
    verification.reset();
  } else if (verification->lists_left == 0) {
    current->local = mine != found.end() ? mine->local.value_or(verification->before) : verification->before;
    verification.reset();
    migration_refused(local, {fmt::format("charon did not follow the move to {}", local.to_string()),
                              "the IKE connection is established anew at each move; check that charon's kernel-netlink "
                              "plugin is loaded and runs as root"});
  } else {
    verification->told = false;
    out.emplace_back(MoveOwnEndpoint{local});
  }
}

void NodeKeying::Impl::migration_refused(const mip6::Ipv6Address& local, Trouble why) {
  migration_failed = true;
  trouble(std::move(why));
  wish_for({local, true, true});
}

// --- stopping ---

void NodeKeying::Impl::withdraw_credentials() {
  const auto* certificate = certificate_of(policy.credentials.proof);
  if (!certificate) {
    request(Purpose::kStopStep, "unload-shared", named("id", secret_id));
    return;
  }
  request(Purpose::kStopAuthorities, "get-authorities", {});
  // Loaded once more, perhaps, to be told its id: an earlier run of ours may have loaded it.
  request(Purpose::kStopKey, "load-key", load_key(*certificate));
}

void NodeKeying::Impl::stop_authorities(const Answered& answer) {
  const auto* names = answer.response ? answer.response->message.list("authorities") : nullptr;
  if (!names) return;
  for (const auto& name : *names)
    if (is_authority(name, secret_id)) request(Purpose::kStopStep, "unload-authority", named("name", name));
}

void NodeKeying::Impl::stop_key(const Answered& answer) {
  const auto* id = answer.response ? answer.response->message.text("id") : nullptr;
  if (id) request(Purpose::kStopStep, "unload-key", named("id", *id));
}

void NodeKeying::Impl::stop_listed(const Answered& answer, mip6::BootTime now) {
  for (const auto& sa : ours(answer)) {
    request_slow(Purpose::kStopStep, "terminate", terminate_by_id(sa.uniqueid, half_open(sa)));
    if (!half_open(sa)) leaving.push_back({sa.uniqueid, stop_force_at});
  }
  force_leaving(now);
}

void NodeKeying::Impl::finish_stop(mip6::BootTime now) {
  const bool asked = std::any_of(pending.begin(), pending.end(), [](const auto& one) {
    return one.second == Purpose::kStopList || one.second == Purpose::kStopConnections ||
           one.second == Purpose::kStopAuthorities || one.second == Purpose::kStopKey ||
           one.second == Purpose::kStopStep;
  });
  const bool clean = !asked && leaving.empty();
  if (connected && !clean && now < *stop_deadline) return;
  stopped = true;
  out.emplace_back(Stopped{});
}

}  // namespace ike
