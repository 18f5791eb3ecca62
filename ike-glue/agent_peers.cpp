// AgentKeying: nodes that come and go while it runs.
//
// What is asked of charon goes in order over one connection: a connection and its secret leave, then the IKE_SAs that
// still have its name are listed, then they are ended one by one, by their ids. Only after that list what a node with
// the same name needs is loaded: so whatever is listed was made by former credentials, and nothing that is new is
// ended.
#include <algorithm>

#include "ike-glue/agent_keying_impl.hpp"

namespace ike {
namespace {

constexpr std::size_t kMostEnded = 4096;

}  // namespace

void AgentKeying::Impl::add(const AgentKeyingNode& configured) {
  nodes.push_back(Node{.number = ++last_number,
                       .configured = configured,
                       .name = "mip6ha-" + configured.name,
                       .sas = {},
                       .loaded_again = {},
                       .verification = {}});
  auto& node = nodes.back();
  by_name[node.name] = &node;
  by_address[configured.home_address] = &node;
  if (certificate_of(configured.credentials.proof) != nullptr) by_certificate = configured.credentials;
}

void AgentKeying::Impl::on(const PeerServed& event, mip6::BootTime) {
  if (stop_deadline) return;
  const bool first_certificate = !by_certificate;
  add(event.node);
  auto& node = nodes.back();
  // Until keys come up: those that a list tells of are from before.
  node.configured.number_known = false;
  if (!connected) return;
  if (first_certificate && by_certificate) load_certificate();
  to_load.push_back(&node);
  load_next();
}

void AgentKeying::Impl::on(const PeerDismissed& event, mip6::BootTime) {
  auto* node = node_of_address(event.home_address);
  if (!node || stop_deadline) return;
  std::erase(to_load, node);
  for (auto& [id, asked] : pending) {
    if (asked.node != node) continue;
    const bool load = asked.purpose == Purpose::kSecret || asked.purpose == Purpose::kConnection;
    asked = {.purpose = load ? Purpose::kDismissedLoad : Purpose::kWhatever};
  }
  const bool by_secret = std::holds_alternative<PreSharedKey>(node->configured.credentials.proof);
  if (!connected && by_secret) secrets_left.insert(node->name);
  if (connected) {
    request(Purpose::kWhatever, nullptr, "unload-conn", named("name", node->name));
    if (by_secret) request(Purpose::kWhatever, nullptr, "unload-shared", named("id", node->name));
    for (const auto& [uniqueid, sa] : node->sas) end_at_once(uniqueid);
    leaving.insert(node->name);
    const auto id = request(Purpose::kDismissed, nullptr, "list-sas", named("ike", node->name), "list-sa");
    pending[id].name = node->name;
    step(node->configured.name + ": its connection leaves charon, its IKE ends");
  }
  waiting.erase(node->number);
  by_name.erase(node->name);
  by_address.erase(event.home_address);
  nodes.remove_if([node](const Node& one) { return &one == node; });
}

void AgentKeying::Impl::end_listed(const Answered& answer, const std::string& name) {
  leaving.erase(name);
  if (answer.response) {
    for (const auto& item : answer.response->items) {
      const auto sa = read_ike_sa(item, 0);
      if (sa && sa->uniqueid != 0 && sa->name == name && !ended.contains(sa->uniqueid)) end_at_once(sa->uniqueid);
    }
  }
  load_next();
}

void AgentKeying::Impl::end_at_once(std::uint64_t uniqueid) {
  ended.insert(uniqueid);
  // Ids count upwards. Of one that was not established charon may not tell that it is down.
  if (ended.size() > kMostEnded) ended.erase(ended.begin());
  terminate(Purpose::kWhatever, uniqueid, true);
}

// That an event is about an IKE_SA of former credentials, which nobody is told of; one that comes up late is ended.
bool AgentKeying::Impl::is_ended(const IkeSa& sa, bool up) {
  if (up && leaving.contains(sa.name) && !ended.contains(sa.uniqueid)) end_at_once(sa.uniqueid);
  return ended.contains(sa.uniqueid);
}

void AgentKeying::Impl::on(const PeersBanned& event, mip6::BootTime) { banned = event.banned; }

const BannedPeer* AgentKeying::Impl::banned_as(const Attempt& attempt) const {
  const auto found = std::find_if(banned.begin(), banned.end(), [&](const BannedPeer& one) {
    return !attempt.remote_id.empty() && same_identity(one.identity, attempt.remote_id);
  });
  return found == banned.end() ? nullptr : &*found;
}

}  // namespace ike
