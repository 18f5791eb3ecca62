// The home agent as a program: the nodes that are served, as store and cores want them.
#include <utility>

#include "examples/home-agent/agent.hpp"
#include "mnd/linux/kernel.hpp"

namespace mip6ha {

using mip6::Error;
using mip6::Ipv6Address;

void Agent::index_nodes() {
  names_.reset();
  by_name_.clear();
  by_address_.clear();
  for (const auto& node : config_.nodes) {
    by_name_[node.name] = &node;
    by_address_[node.home_address] = &node;
  }
}

const NodeConfig* Agent::find_node(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

tl::expected<void, Error> Agent::store_reqids(const std::vector<const NodeConfig*>& nodes) {
  std::vector<StoredNode> named;
  for (const auto* node : nodes) named.push_back({.name = node->name, .home_address = node->home_address});
  return store_->reqids_of(named).map([](const auto&) {});
}

tl::expected<void, Error> Agent::read_bans() {
  const auto bans = store_->bans();
  if (!bans) return tl::unexpected(bans.error());
  for (const auto& one : *bans) {
    if (one.end)
      take_up_ban(one);
    else
      bans_[one.name] = {.since = one.since, .why = one.why};
  }
  return {};
}

tl::expected<NodeIdentity, Error> Agent::reqids_of(const NodeConfig& node) {
  const auto reqid = store_->reqid_of(node.name, node.home_address);
  if (!reqid) return tl::unexpected(reqid.error());
  NodeIdentity identity{.name = node.name, .reqid = *reqid};
  if (node.protect_payload) identity.payload_reqid = *reqid + mnd::kernel::kPayloadReqidOffset;
  return identity;
}

// From here on its updates are taken.
void Agent::enter(const Ipv6Address& home_address, const NodeIdentity& identity) {
  reqids_[home_address] = identity.reqid;
  if (identity.payload_reqid != 0) payload_reqids_[home_address] = identity.payload_reqid;
}

NodeIdentity Agent::identity_of(const Ipv6Address& home_address) const {
  const auto reqid = reqids_.find(home_address);
  const auto payload = payload_reqids_.find(home_address);
  return {.name = name_of(home_address),
          .reqid = reqid == reqids_.end() ? 0 : reqid->second,
          .payload_reqid = payload == payload_reqids_.end() ? 0 : payload->second};
}

tl::expected<NodeTable, Error> Agent::read_nodes() {
  std::vector<const NodeConfig*> served;
  for (const auto& node : config_.nodes)
    if (!is_banned(node)) served.push_back(&node);
  if (auto stored = store_reqids(served); !stored) return tl::unexpected(stored.error());
  NodeTable nodes;
  for (const auto* node : served) {
    const auto identity = reqids_of(*node);
    if (!identity) return tl::unexpected(identity.error());
    enter(node->home_address, *identity);
    nodes[node->home_address] = *identity;
  }
  return nodes;
}

ike::AgentKeyingNode Agent::keying_node(const NodeConfig& node) const {
  const auto reqid = reqids_.at(node.home_address);
  ike::AgentKeyingNode keying{.name = node.name,
                              .home_address = node.home_address,
                              .credentials = {.local_identity = config_.identity,
                                              .remote_identity = node.identity,
                                              .proof = node.proof,
                                              .method = node.method,
                                              .remote_certificate = node.certificate},
                              .reqid = reqid,
                              .number_known = numbers_known_.contains(node.home_address),
                              .children = {{ike::ChildKind::kPrefixes, reqid + mnd::kernel::kPrefixesReqidOffset}}};
  if (node.protect_payload)
    keying.children.push_back({ike::ChildKind::kPayload, payload_reqids_.at(node.home_address)});
  return keying;
}

void Agent::make_cores() {
  mip6::agent::Policy policy;
  policy.address = config_.address;
  begin_prefix_lifetime();
  policy.home_prefixes = home_prefixes();
  policy.key_mobility = config_.key_mobility;
  policy.max_lifetime = config_.lifetime;
  ike::AgentKeyingPolicy keying{.home_agent = config_.address, .nodes = {}};
  for (const auto& node : config_.nodes) {
    if (is_banned(node)) continue;
    served_.serve({.home_address = node.home_address, .dynamic_keys = !node.manual_keys});
    if (manual_refused_.contains(node.home_address)) served_.prohibit(node.home_address);
    if (!node.manual_keys) keying.nodes.push_back(keying_node(node));
  }
  home_agent_ = std::make_unique<mip6::agent::HomeAgent>(policy, served_);
  const mip6::agent::PrefixAdvertiserPolicy advertised{.address = policy.address,
                                                       .home_prefixes = policy.home_prefixes,
                                                       .max_interval = config_.max_prefix_interval,
                                                       .min_interval = config_.min_prefix_interval};
  advertiser_ = std::make_unique<mip6::agent::PrefixAdvertiser>(advertised, served_, random_);
  keying_ = std::make_unique<ike::AgentKeying>(std::move(keying));
  tell_banned();
}

}  // namespace mip6ha
