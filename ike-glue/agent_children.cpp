// AgentKeying: the CHILD_SAs beside the Mobility Header's. The node brings them up; they go with their IKE_SA.
#include <algorithm>

#include "ike-glue/agent_keying_impl.hpp"

namespace ike {

// Made when they are wanted: all nodes' together would be many.
std::vector<Child> AgentKeying::Impl::further_of(const Node& node) const {
  std::vector<Child> all;
  for (const auto& configured : node.configured.children) {
    all.push_back(child_at_agent(configured.kind, node.configured.home_address, policy.home_agent));
    all.back().reqid = configured.reqid;
  }
  return all;
}

// True if the event is about one of them.
bool AgentKeying::Impl::further_updown(Node& node, const Section& message, mip6::BootTime now) {
  const auto sa = read_ike_sa(message, 0);
  const auto* children = children_of(message);
  if (!sa || !children) return false;
  for (const auto& child : further_of(node)) {
    const auto found = find_child(*children, child);
    if (!found || found->spi_in == 0) continue;
    if (is_up(message))
      further_up(node, child, *sa, *found, now);
    else
      further_down(node, child.kind, sa->uniqueid, found->spi_in);
    if (!is_up(message) && is_listing()) departed.child(found->spi_in);
    return true;
  }
  return false;
}

void AgentKeying::Impl::further_up(Node& node, const Child& child, const IkeSa& ike, const ChildSa& sa,
                                   mip6::BootTime now) {
  const auto known = node.sas.find(ike.uniqueid);
  if (known == node.sas.end()) return;  // of an IKE_SA that is gone
  if (!sa.as_asked) return terminate_narrowed(sa.id);
  known->second.further[child.kind] = {sa.spi_in, sa.spi_out};
  if (known->second.child_up) node_uses(node, ike.uniqueid, now);  // the node asked for it over this one
  tell_further(node, child.kind);
  // What a charon before this one left.
  const auto holders = std::count_if(node.sas.begin(), node.sas.end(),
                                     [&](const auto& one) { return one.second.further.contains(child.kind); });
  if (holders == 1)
    out.emplace_back(DeletePeerStatesExcept{node.configured.home_address, child.reqid, {sa.spi_in, sa.spi_out}});
}

// The newest IKE_SA that has one counts.
void AgentKeying::Impl::tell_further(const Node& node, ChildKind kind) {
  const auto newest = std::find_if(node.sas.rbegin(), node.sas.rend(),
                                   [kind](const auto& one) { return one.second.further.contains(kind); });
  const auto& home_address = node.configured.home_address;
  if (newest == node.sas.rend()) {
    out.emplace_back(PeerChildDown{home_address, kind});
    return;
  }
  const auto& pair = newest->second.further.at(kind);
  out.emplace_back(PeerChildUp{home_address, kind, pair.in, pair.out, newest->second.remote});
}

void AgentKeying::Impl::further_down(Node& node, ChildKind kind, std::uint64_t uniqueid, std::uint32_t spi_in) {
  const auto known = node.sas.find(uniqueid);
  if (known == node.sas.end()) return;
  const auto found = known->second.further.find(kind);
  // A pair that a rekey has replaced is not missed.
  if (found == known->second.further.end() || found->second.in != spi_in) return;
  known->second.further.erase(found);
  tell_further(node, kind);
}

void AgentKeying::Impl::further_rekeyed(Node& node, const Section& message) {
  for (const auto& child : further_of(node)) {
    const auto rekeyed = read_child_rekey(message, child.reqid);
    const auto known = rekeyed ? node.sas.find(rekeyed->ike_uniqueid) : node.sas.end();
    if (known == node.sas.end()) continue;
    known->second.further[child.kind] = {rekeyed->spi_in, rekeyed->spi_out};
    tell_further(node, child.kind);
  }
}

void AgentKeying::Impl::adopt_further(Node& node, const Section& item) {
  const auto ike = read_ike_sa(item, 0);
  const auto* children = children_of(item);
  const auto known = ike && children ? node.sas.find(ike->uniqueid) : node.sas.end();
  if (known == node.sas.end() || !known->second.child_up) return;  // it goes with its IKE_SA
  for (const auto& child : further_of(node)) {
    const auto found = find_child(*children, child);
    if (!found || !found->installed || !found->as_asked || departed.has_child(found->spi_in)) continue;
    if (known->second.further.contains(child.kind)) continue;  // an event has told of a newer one
    known->second.further[child.kind] = {found->spi_in, found->spi_out};
    tell_further(node, child.kind);
  }
}

// The IKE_SA that `gone` was taken from the list.
void AgentKeying::Impl::further_gone(const Node& node, const Sa& gone) {
  for (const auto& [kind, pair] : gone.further) tell_further(node, kind);
}

void AgentKeying::Impl::terminate_narrowed(std::uint64_t id) {
  request(Purpose::kWhatever, nullptr, "terminate", terminate_child(id));
  std::get<Request>(out.back()).slow = true;
}

}  // namespace ike
