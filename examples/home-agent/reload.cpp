#include "examples/home-agent/reload.hpp"

#include <map>
#include <optional>
#include <utility>
#include <variant>

namespace mip6ha {
namespace {

bool same(const mnd::kernel::ManualSa& a, const mnd::kernel::ManualSa& b) {
  return a.spi == b.spi && a.encryption_key == b.encryption_key && a.integrity == b.integrity &&
         a.integrity_key == b.integrity_key;
}

bool same(const std::optional<mnd::kernel::ManualKeys>& a, const std::optional<mnd::kernel::ManualKeys>& b) {
  if (!a || !b) return a.has_value() == b.has_value();
  return same(a->to_home_agent, b->to_home_agent) && same(a->to_node, b->to_node);
}

bool same(const ike::Certificate& a, const ike::Certificate& b) {
  return a.private_key == b.private_key && a.own == b.own && a.authorities == b.authorities && a.root == b.root &&
         a.revocation_lists == b.revocation_lists;
}

// The certificate is ours, and the same for all nodes: it is compared once.
bool same(const ike::Proof& a, const ike::Proof& b) {
  const auto* secret = std::get_if<ike::PreSharedKey>(&a);
  const auto* other = std::get_if<ike::PreSharedKey>(&b);
  if (secret == nullptr || other == nullptr) return secret == other;
  return secret->secret == other->secret;
}

bool same(const ike::Method& a, const ike::Method& b) {
  return a.version == b.version && a.ike_proposals == b.ike_proposals && a.esp_proposals == b.esp_proposals &&
         a.signature_hashes == b.signature_hashes;
}

bool same_keys(const NodeConfig& a, const NodeConfig& b) {
  if (a.manual_keys || b.manual_keys) return same(a.manual_keys, b.manual_keys);
  return a.identity == b.identity && same(a.proof, b.proof) && a.certificate == b.certificate &&
         same(a.method, b.method);
}

std::map<std::string_view, const NodeConfig*> by_name(const Config& config) {
  std::map<std::string_view, const NodeConfig*> nodes;
  for (const auto& node : config.nodes) nodes.emplace(node.name, &node);
  return nodes;
}

void compare_tops(const Config& before, const Config& after, Difference& difference) {
  const auto note = [](std::vector<std::string>& list, bool same, const char* name) {
    if (!same) list.emplace_back(name);
  };
  note(difference.home_link, before.address == after.address, "address");
  note(difference.home_link, before.interface == after.interface, "interface");
  note(difference.home_link, before.prefix == after.prefix, "prefix");
  auto& restart = difference.restart;
  restart = difference.home_link;
  note(restart, before.identity == after.identity, "identity");
  // The first one of all: no node has proved itself by another.
  note(restart, !before.certificate || (after.certificate && same(**before.certificate, **after.certificate)),
       "certificate");
  note(restart, before.key_mobility == after.key_mobility, "key-mobility");
  note(restart, before.lifetime == after.lifetime, "lifetime");
  note(restart, before.vici_socket == after.vici_socket, "vici-socket");
  note(restart, before.control_socket == after.control_socket, "control-socket");
  note(restart, before.state_directory == after.state_directory, "state-directory");
  difference.prefix_lifetime = before.prefix_lifetime != after.prefix_lifetime;
  difference.prefixes = difference.prefix_lifetime || before.next_prefix != after.next_prefix;
  note(restart, before.min_prefix_interval == after.min_prefix_interval, "min-prefix-interval");
  note(restart, before.max_prefix_interval == after.max_prefix_interval, "max-prefix-interval");
  note(restart, before.discovery == after.discovery, "discovery");
  note(restart, before.preference == after.preference, "preference");
  note(restart, before.metrics == after.metrics, "metrics");
  note(restart, before.behaviour.tolerance == after.behaviour.tolerance, "tolerate");
  note(restart, before.behaviour.first_ban == after.behaviour.first_ban, "ban-for");
}

}  // namespace

Difference compare(const Config& before, const Config& after) {
  Difference difference;
  compare_tops(before, after, difference);
  const auto former = by_name(before);
  const auto present = by_name(after);
  for (const auto& node : before.nodes) {
    const auto found = present.find(node.name);
    if (found == present.end() || found->second->home_address != node.home_address)
      difference.removed.push_back(node.name);
  }
  for (const auto& node : after.nodes) {
    const auto found = former.find(node.name);
    if (found == former.end() || found->second->home_address != node.home_address) {
      difference.added.push_back(node.name);
      continue;
    }
    const auto& old = *found->second;
    if (same_keys(old, node) && old.protect_payload == node.protect_payload) continue;
    const bool kept = !old.manual_keys && !node.manual_keys && old.protect_payload == node.protect_payload;
    (kept ? difference.changed : difference.replaced).push_back(node.name);
  }
  return difference;
}

Config merged(Config before, Config after) {
  before.nodes = std::move(after.nodes);
  before.warnings = std::move(after.warnings);
  before.prefix_lifetime = after.prefix_lifetime;
  before.next_prefix = after.next_prefix;
  if (!before.certificate) {
    before.certificate = std::move(after.certificate);
    return before;
  }
  for (auto& node : before.nodes)
    if (!node.manual_keys && ike::certificate_of(node.proof) != nullptr) node.proof = *before.certificate;
  return before;
}

}  // namespace mip6ha
