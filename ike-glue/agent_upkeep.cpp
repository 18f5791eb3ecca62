// AgentKeying: loading the nodes' connections, adopting what charon has, dropping what was replaced, stopping.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "ike-glue/agent_keying_impl.hpp"
#include "libmip6/defect.hpp"

namespace ike {
namespace {

// Longer than the node's own, so that the node asks for each rekey and only acknowledgements are at risk.
constexpr seconds kIkeRekey{6 * 3600};
constexpr seconds kChildRekey{2 * 3600};
constexpr seconds kAgentDpdDelay{120};
constexpr seconds kListAgainAfter{2};
constexpr seconds kDropAgainAfter{5};
constexpr const char* kCertificateId = "mip6ha";  // begins the names of our CA certificates

}  // namespace

// --- loading ---

void AgentKeying::Impl::load_certificate() {
  if (!by_certificate || !certificate_loads.empty()) return;
  for (auto& one : load_credentials(kCertificateId, *by_certificate)) certificate_loads.push_back(std::move(one));
}

// Our own certificate, then one node after the other, secret before connection, then what charon has is listed.
void AgentKeying::Impl::load_next() {
  if (loading || stop_deadline) return;
  if (!certificate_loads.empty()) {
    loading = true;
    const auto& next = certificate_loads.front();
    request(Purpose::kCertificate, nullptr, next.command, next.message);
    return;
  }
  if (to_load.empty()) {
    if (!listed && !list_again_at) list_for_adoption();
    return;
  }
  auto* node = to_load.front();
  // First what is to end is known: whatever has its name by then is of former credentials.
  if (leaving.contains(node->name)) return;
  loading = true;
  const auto& credentials = node->configured.credentials;
  if (certificate_of(credentials.proof) != nullptr) return load_connection(*node);
  const auto secret = load_credentials(node->name, credentials).front();
  request(Purpose::kSecret, node, secret.command, secret.message);
}

void AgentKeying::Impl::load_connection(Node& node) {
  auto mobility = child_at_agent(ChildKind::kMobility, node.configured.home_address, policy.home_agent);
  mobility.reqid = node.configured.reqid;
  mobility.rekey = kChildRekey;
  std::vector<Child> children{mobility};
  for (const auto& one : further_of(node)) {
    children.push_back(one);
    children.back().rekey = kChildRekey;
  }
  const Connection connection{.name = node.name,
                              .local = policy.home_agent.to_string(),
                              .remote = "%any",
                              .children = std::move(children),
                              .ike_rekey = kIkeRekey,
                              .dpd_delay = kAgentDpdDelay};
  request(Purpose::kConnection, &node, "load-conn", load_conn(connection, node.configured.credentials));
}

void AgentKeying::Impl::loaded(const Answered& answer, const Pending& asked) {
  const auto refused_why =
      answer.response ? refusal(*answer.response) : std::optional(answer.response.error().to_string());
  loading = false;
  if (asked.purpose == Purpose::kCertificate) {
    if (refused_why && !certificate_loads.empty())
      trouble({fmt::format("charon refuses {} of the home agent: {}", certificate_loads.front().what, *refused_why),
               "look at charon's log"});
    if (!certificate_loads.empty()) certificate_loads.pop_front();
    return load_next();
  }
  const auto& node = *asked.node;
  if (refused_why) {
    trouble(
        {fmt::format("charon refuses the {} of node {}: {}",
                     asked.purpose == Purpose::kSecret ? "secret" : "connection", node.configured.name, *refused_why),
         "look at charon's log"});
  } else if (asked.purpose == Purpose::kSecret) {
    loading = true;
    return load_connection(*asked.node);
  }
  if (!to_load.empty()) to_load.pop_front();
  load_next();
}

// --- what charon has ---

void AgentKeying::Impl::list_for_adoption() {
  if (!is_listing()) departed.forget();
  request(Purpose::kAdopt, nullptr, "list-sas", {}, "list-sa");
}

void AgentKeying::Impl::adopt(const Answered& answer, mip6::BootTime now) {
  if (!answer.response) {
    list_again_at = now + kListAgainAfter;
    return;
  }
  for (const auto& item : answer.response->items) {
    const auto any = read_ike_sa(item, 0);
    if (!any || any->uniqueid == 0 || departed.has(*any)) continue;
    auto* node = node_of_name(any->name);
    if (!node) {
      // A node that was taken out of the configuration while we were away.
      if (any->name.starts_with("mip6ha-")) terminate(Purpose::kWhatever, any->uniqueid, false);
      continue;
    }
    adopt_one(*node, departed.by_now(*read_ike_sa(item, node->configured.reqid)), now);
    adopt_further(*node, item);
  }
  listed = true;
  for (auto& node : nodes) announce_adopted(node, now);
  request(Purpose::kConnections, nullptr, "get-conns", {});
}

void AgentKeying::Impl::adopt_one(Node& node, const IkeSa& sa, mip6::BootTime now) {
  if (sa.state == "CONNECTING") return;  // ends by itself, or an event tells that it is up
  auto& known = node.sas[sa.uniqueid];
  if (known.child_up) return;
  if (!node.configured.number_known) {
    known.drop_at = now;
    known.superseded = true;  // nothing is wrong with it: the node is not accused of having been given no SA
    return;
  }
  if (!sa.child_installed) {
    if (!known.drop_at) known.drop_at = now + kChildlessPatience;
    return;
  }
  known = Sa{.child_up = true, .spi_in = sa.spi_in, .spi_out = sa.spi_out, .remote = sa.remote, .drop_at = {}};
  known.announced = false;
}

void AgentKeying::Impl::announce_adopted(Node& node, mip6::BootTime now) {
  for (auto& [uniqueid, sa] : node.sas) {  // the newest last
    if (!sa.child_up || std::exchange(sa.announced, true)) continue;
    node.keys = true;
    out.emplace_back(PeerKeysUp{node.configured.home_address, sa.spi_in, sa.spi_out});
  }
  if (const auto care_of = std::exchange(node.replace_when_listed, std::nullopt))
    replace(*may_wait(node), care_of, now);
  delete_orphans_soon(node, now);
}

void AgentKeying::Impl::forget_connections(const Answered& answer, Purpose purpose) {
  const auto* names = answer.response ? answer.response->message.list("conns") : nullptr;
  if (!names) return;
  const bool stopping = purpose == Purpose::kStopConnections;
  for (const auto& name : *names) {
    if (!name.starts_with("mip6ha-") || (!stopping && by_name.contains(name))) continue;
    request(stopping ? Purpose::kStopStep : Purpose::kWhatever, nullptr, "unload-conn", named("name", name));
  }
}

void AgentKeying::Impl::keys_up(Node& node, const IkeSa& sa, mip6::BootTime now) {
  // Begun before one that is up, finished after it: late packets of an attempt that the node has given up.
  const bool given_up = std::any_of(node.sas.upper_bound(sa.uniqueid), node.sas.end(), [](const auto& other) {
    return other.second.child_up && !other.second.superseded;
  });
  if (given_up && !node.sas[sa.uniqueid].child_up) {
    node.sas[sa.uniqueid].drop_at = now;  // at once: the kernel prefers its states
    node.sas[sa.uniqueid].superseded = true;
    return;
  }
  // The node has nothing else until our IKE_AUTH response arrives, which may be lost, or the node has given this
  // attempt up: then it goes on with what it has. One that the node does not know charon gives up by itself.
  for (auto& [uniqueid, other] : node.sas) {
    if (uniqueid == sa.uniqueid || !other.superseded || other.left_behind || other.drop_asked) continue;
    other.drop_at = now + (mip6::planted(mip6::Defect::kKeysDroppedUnused) ? kLeaveItToTheNode : kUnusedPatience);
  }
  drop_third(node, sa.uniqueid, now);
  // Established anew, from elsewhere: what is looked at no longer is that one.
  if (sa.remote != node.moved_to) node.moved_to.reset();
  if (sa.remote != node.replace_when_listed) node.replace_when_listed.reset();
  if (node.verification && sa.remote != node.verification->care_of) node.verification.reset();
  auto& known = node.sas[sa.uniqueid];
  // A phase 1 that took over the old SAs has them beside the new ones: nobody else would take them away.
  if (known.child_up && known.spi_in != sa.spi_in) node.orphans = true;
  auto kept = std::move(known.further);
  known = Sa{.child_up = true,
             .endpoint_told = false,
             .spi_in = sa.spi_in,
             .spi_out = sa.spi_out,
             .remote = sa.remote,
             .drop_at = {}};
  known.further = std::move(kept);
  node.keys = node.configured.number_known = true;
  const auto& home_address = node.configured.home_address;
  out.emplace_back(PeerKeysUp{home_address, sa.spi_in, sa.spi_out});
  tell_endpoint_of_only(node);
  step(fmt::format("{}: IKE established from {}", node.configured.name, sa.remote ? sa.remote->to_string() : "?"));
  delete_orphans_soon(node, now);
}

void AgentKeying::Impl::drop_by(Sa& sa, mip6::BootTime latest) {
  sa.drop_at = std::min(sa.drop_at.value_or(latest), latest);
}

// The node uses this one: what it had before is of no use to it, but for SAs that this one is still to get.
void AgentKeying::Impl::node_uses(Node& node, std::uint64_t uniqueid, mip6::BootTime now) {
  auto& present = node.sas.at(uniqueid);
  present.used = true;
  tell_endpoint(node, present);
  for (auto& [id, other] : node.sas) {
    const bool older = other.superseded == present.superseded ? id < uniqueid : other.superseded;
    if (!older) continue;
    other.left_behind = true;
    const bool rest_to_come =
        std::ranges::any_of(other.further, [&](const auto& one) { return !present.further.contains(one.first); });
    drop_by(other, now + (rest_to_come ? kHandOverPatience : kLeaveItToTheNode));
  }
}

void AgentKeying::Impl::tell_endpoint(const Node& node, Sa& sa) {
  if (std::exchange(sa.endpoint_told, true)) return;
  out.emplace_back(PeerEstablished{node.configured.home_address, sa.remote});
}

// Before charon's list is known there may be another one.
void AgentKeying::Impl::tell_endpoint_of_only(Node& node) {
  Sa* only = nullptr;
  for (auto& [uniqueid, sa] : node.sas) {
    if (!sa.child_up || sa.left_behind) continue;
    if (only != nullptr) return;
    only = &sa;
  }
  if (listed && only != nullptr) tell_endpoint(node, *only);
}

// Never more than two at a time: beside the one that came up stays the newest that the node has used, which may have
// got no answer since. If none is known to be used, the oldest, as with what is sent (spi_to_send_under()).
void AgentKeying::Impl::drop_third(Node& node, std::uint64_t uniqueid, mip6::BootTime now) {
  const Sa* kept = nullptr;
  for (const auto& [other, sa] : node.sas) {
    if (other == uniqueid || !sa.child_up || sa.left_behind) continue;
    if (kept == nullptr || sa.used) kept = &sa;
  }
  for (auto& [other, sa] : node.sas) {
    if (other != uniqueid && sa.child_up && &sa != kept) sa.drop_at = now;
  }
}

// Once after each connection to charon, when all it has is known and the node has keys. They must not stay: a kernel
// whose wall clock was set back prefers them. Not at once: the node has nothing else until our IKE_AUTH response
// arrives.
void AgentKeying::Impl::delete_orphans_soon(Node& node, mip6::BootTime now) {
  if (!listed || !node.orphans || live_spis(node).empty()) return;
  out.emplace_back(NotePeerStates{node.configured.home_address, node.configured.reqid});
  may_wait(node)->delete_orphans_at = now + kLeaveItToTheNode;
}

void AgentKeying::Impl::delete_orphans(Node& node) {
  node.delete_orphans_at.reset();
  const auto live = live_spis(node);
  if (live.empty()) return;
  node.orphans = false;
  out.emplace_back(DeletePeerStatesExcept{node.configured.home_address, node.configured.reqid, live, true});
}

std::vector<std::uint32_t> AgentKeying::Impl::live_spis(const Node& node) {
  std::vector<std::uint32_t> spis;
  for (const auto& [uniqueid, one] : node.sas) {
    if (one.child_up) spis.insert(spis.end(), {one.spi_in, one.spi_out});
  }
  return spis;
}

void AgentKeying::Impl::gone(Node& node, std::uint64_t uniqueid) {
  const auto found = node.sas.extract(uniqueid);
  if (found.empty()) return;
  childless(node, uniqueid, found.mapped());
  further_gone(node, found.mapped());
  if (!found.mapped().child_up) return;
  const bool some_left =
      std::any_of(node.sas.begin(), node.sas.end(), [](const auto& one) { return one.second.child_up; });
  if (some_left) out.emplace_back(PeerKeysChanged{node.configured.home_address});
  tell_endpoint_of_only(node);
  if (!some_left) {  // a node that has de-registered closes its connection before it is verified that that followed
    node.verification.reset();
    node.moved_to.reset();
  }
  if (some_left || !node.keys) return;
  node.keys = false;
  out.emplace_back(PeerKeysDown{node.configured.home_address});
  step(fmt::format("{}: no IKE connection any more", node.configured.name));
}

// Authenticated, but with selectors that are not its own or algorithms that we don't take: charon keeps the IKE_SA. If
// its log says which, that is told in place of this.
void AgentKeying::Impl::childless(const Node& node, std::uint64_t uniqueid, const Sa& sa) {
  if (sa.child_up || sa.superseded || sa.drop_asked) return;
  out.emplace_back(PeerRefused{"no security association made", node.configured.home_address});
  const auto attempt = attempts.find(uniqueid);
  if (sa.why_told || (attempt != attempts.end() && attempt->second.reason)) return;
  trouble({fmt::format("{} proved who it is from {}, but was given no security association", node.configured.name,
                       sa.remote ? sa.remote->to_string() : "an unknown address"),
           fmt::format("see that it asks for its own home address, {}, and for algorithms that both have",
                       node.configured.home_address.to_string())});
}

// ike-updown takes it out of the list. One of which nothing is told even after a second time is not there.
void AgentKeying::Impl::drop_due(mip6::BootTime now) {
  for (auto& [number, node] : waiting) {
    std::vector<std::uint64_t> given_up;
    for (auto& [uniqueid, sa] : node->sas) {
      if (!sa.drop_at || *sa.drop_at > now) continue;
      childless(*node, uniqueid, sa);
      terminate(Purpose::kWhatever, uniqueid, true);
      sa.drop_at = now + kDropAgainAfter;
      if (std::exchange(sa.drop_asked, true)) given_up.push_back(uniqueid);
    }
    for (const auto uniqueid : given_up) gone(*node, uniqueid);
  }
}

// --- verifying a move ---

void AgentKeying::Impl::verify(Node& node, mip6::BootTime now) {
  auto& asked = *node.verification;
  --asked.lists_left;
  asked.at = now + kVerifyAgainAfter;
  asked.request = request(Purpose::kVerify, &node, "list-sas", named("ike", node.name), "list-sa");
}

// charon raises no event for a move by MIGRATE: where it says the IKE_SA is, is the only confirmation.
void AgentKeying::Impl::verified(Node& node, const Answered& answer) {
  auto& asked = *node.verification;
  asked.request = 0;
  if (!answer.response) {  // nothing said is not a no: a charon that hangs follows when it goes on
    ++asked.lists_left;
    return;
  }
  bool followed = false;
  bool behind = false;
  for (const auto& item : answer.response->items) {
    const auto sa = read_ike_sa(item, node.configured.reqid);
    if (!sa || sa->name != node.name) continue;
    const auto known = node.sas.find(sa->uniqueid);
    if (known != node.sas.end()) known->second.remote = sa->remote;
    // One that a re-key has replaced has no SAs any more, and one that is to go need not follow.
    if (!sa->child_installed || (known != node.sas.end() && known->second.drop_at)) continue;
    (sa->remote == asked.care_of ? followed : behind) = true;
  }
  if (followed && !behind) {
    if (!asked.told) step(fmt::format("{}: IKE endpoint moved to {}", node.configured.name, asked.care_of.to_string()));
    node.verification.reset();
  } else if (asked.lists_left == 0) {
    trouble({fmt::format("charon did not follow {}'s move to {}", node.configured.name, asked.care_of.to_string()),
             "check that charon's kernel-netlink plugin is loaded; the node establishes IKE anew when it finds out"});
    out.emplace_back(PeerMoveFailed{node.configured.home_address});
    node.verification.reset();
    node.moved_to.reset();
  } else {
    asked.told = false;
    out.emplace_back(PeerMoveAgain{node.configured.home_address, asked.care_of});
  }
}

// --- stopping ---

void AgentKeying::Impl::withdraw_credentials() {
  for (const auto& node : nodes) {
    if (std::holds_alternative<PreSharedKey>(node.configured.credentials.proof))
      request(Purpose::kStopStep, nullptr, "unload-shared", named("id", node.name));
  }
  if (!by_certificate) return;
  request(Purpose::kStopAuthorities, nullptr, "get-authorities", {});
  // Loaded once more, perhaps, to be told its id: an earlier run of ours may have loaded it.
  request(Purpose::kStopKey, nullptr, "load-key", load_key(*certificate_of(by_certificate->proof)));
}

void AgentKeying::Impl::stop_authorities(const Answered& answer) {
  const auto* names = answer.response ? answer.response->message.list("authorities") : nullptr;
  if (!names) return;
  for (const auto& name : *names) {
    if (is_authority(name, kCertificateId))
      request(Purpose::kStopStep, nullptr, "unload-authority", named("name", name));
  }
}

void AgentKeying::Impl::stop_key(const Answered& answer) {
  const auto* id = answer.response ? answer.response->message.text("id") : nullptr;
  if (id) request(Purpose::kStopStep, nullptr, "unload-key", named("id", *id));
}

void AgentKeying::Impl::stop_listed(const Answered& answer) {
  if (!answer.response) return;
  for (const auto& item : answer.response->items) {
    const auto sa = read_ike_sa(item, 0);
    if (!sa || sa->uniqueid == 0 || departed.has(*sa) || !sa->name.starts_with("mip6ha-")) continue;
    terminate(Purpose::kStopStep, sa->uniqueid, sa->state == "CONNECTING");
    if (sa->state != "CONNECTING") stop_waits_for.push_back(sa->uniqueid);
  }
}

void AgentKeying::Impl::finish_stop(mip6::BootTime now) {
  if (connected && stop_force_at <= now) {
    for (const auto uniqueid : std::exchange(stop_waits_for, {})) terminate(Purpose::kStopStep, uniqueid, true);
  }
  const bool clean = pending.empty() && stop_waits_for.empty();
  if (connected && !clean && now < *stop_deadline) return;
  stopped = true;
  out.emplace_back(Stopped{});
}

}  // namespace ike
