// The home agent as a program: what the control socket is told.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "examples/home-agent/agent.hpp"
#include "examples/home-agent/machine.hpp"
#include "mnd/linux/kernel.hpp"

namespace mip6ha {

using mip6::Ipv6Address;

namespace {

constexpr std::size_t kListedTogether = 64;  // in less than a millisecond

std::string method_of(const NodeConfig& node) {
  if (node.manual_keys) return "manual keys";
  const bool certificate = ike::certificate_of(node.proof) != nullptr;
  return fmt::format("{} with a {}", ike::name_of(node.method.version), certificate ? "certificate" : "secret");
}

}  // namespace

BindingView Agent::binding_of(const NodeConfig& node) const {
  const auto now = mnd::kernel::boot_now();
  BindingView view{.name = node.name,
                   .home_address = node.home_address,
                   .care_of = std::nullopt,
                   .lifetime_left = 0,
                   .sequence = std::nullopt,
                   .key_mobility = false,
                   .keys_up = keys_up_.contains(node.home_address),
                   .manual_keys = node.manual_keys.has_value(),
                   .refused = performer_->refused(node.home_address),
                   .payload = {}};
  if (const auto ban = bans_.find(node.name); ban != bans_.end()) view.ban = ban->second;
  if (const auto* record = home_agent_->find(node.home_address)) {
    view.care_of = record->care_of;
    if (node.protect_payload && view.care_of)
      view.payload = payload_up_.contains(node.home_address) ? "under ESP" : "waits for an SA";
    view.sequence = record->sequence.value();
    view.key_mobility = record->key_mobility;
    if (record->care_of && record->expires_boot) {
      const auto valid = config_.prefix.contains(node.home_address) ? prefix_end_ : mip6::agent::kForever;
      const auto end = std::min(*record->expires_boot, valid);
      if (end > now) view.lifetime_left = std::chrono::duration_cast<std::chrono::seconds>(end - now).count();
    }
  }
  return view;
}

Figures Agent::figures() const {
  Figures figures;
  figures.charon_connected = fast_connected_ && slow_connected_;
  if (home_agent_ == nullptr) return figures;  // asked while still starting
  figures.counters = home_agent_->counters();
  figures.malformed = malformed_.totals();
  figures.keys_refused = keys_refused_;
  figures.kernel = mnd::kernel::read_kernel_counters(mnd::kernel::kAgentTunnelName);
  figures.socket_dropped = kernel_->drops();
  if (control_ != nullptr) figures.control_refused = control_->refusals();
  if (metrics_ != nullptr) figures.metrics_refused = metrics_->refusals();
  figures.kernel_failures = performer_->kernel_failures();
  return figures;
}

Snapshot Agent::snapshot() const {
  Snapshot snapshot;
  static_cast<Figures&>(snapshot) = figures();
  snapshot.address = config_.address;
  snapshot.interface = config_.interface;
  snapshot.charon_needed = needs_charon();
  snapshot.advice = advice();
  snapshot.trouble = trouble_;
  for (const auto& node : config_.nodes)
    if (node.method.version == ike::IkeVersion::kV1 && std::holds_alternative<ike::PreSharedKey>(node.proof))
      snapshot.warnings.push_back({.what = fmt::format("node {}: {}", node.name, ike::kAggressiveRisk.what),
                                   .remedy = std::string{ike::kAggressiveRisk.remedy}});
  if (home_agent_ == nullptr) return snapshot;  // asked while still starting

  snapshot.requests_answered = requests_answered_;
  snapshot.other_agents = others_->known();
  if (list_ != nullptr)
    for (const auto& [link_local, listed] : list_->agents())
      for (const auto& [address, until] : listed.addresses) snapshot.listed_agents[address] = listed.preference;
  for (std::size_t i = 0; i < mip6::agent::kOffences; ++i)
    if (const auto count = behaviour_.totals().offences.at(i); count > 0)
      snapshot.offences[std::string{mip6::agent::name_of(static_cast<mip6::agent::Offence>(i))}] = count;
  snapshot.sent_again = performer_->sent_again();
  return snapshot;
}

// By their names: between two pieces there may be another configuration.
Bindings Agent::bindings() const {
  auto names = names_.lock();
  if (names == nullptr) {
    std::vector<std::string> all;
    if (home_agent_ != nullptr)  // not asked while still starting
      for (const auto& node : config_.nodes) all.push_back(node.name);
    names = std::make_shared<const std::vector<std::string>>(std::move(all));
    names_ = names;
  }
  return [this, names, next = names->begin()]() mutable {
    std::vector<BindingView> piece;
    for (; next != names->end() && piece.size() < kListedTogether; ++next)
      if (const auto* node = find_node(*next)) piece.push_back(binding_of(*node));
    return piece;
  };
}

std::optional<NodeView> Agent::node(const std::string& name) const {
  const auto* configured = find_node(name);
  if (configured == nullptr) {
    const auto ban = bans_.find(name);
    if (ban == bans_.end()) return std::nullopt;
    NodeView view;  // not configured any more, or not yet
    view.binding.name = name;
    view.binding.ban = ban->second;
    view.method = "not configured";
    return view;
  }
  const auto& home_address = configured->home_address;
  NodeView view{.binding = binding_of(*configured),
                .identity = configured->identity,
                .method = method_of(*configured),
                .reqid = identity_of(home_address).reqid,
                .keys = {},
                .accepted = performer_->accepted(home_address),
                .refused = performer_->refused_because(home_address),
                .keys_refused = {},
                .trouble = {}};
  if (const auto keys = keys_up_.find(home_address); keys != keys_up_.end()) {
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(mnd::kernel::boot_now() - keys->second.since);
    view.keys.push_back({.age = age.count(), .spi_in = keys->second.spi_in, .spi_out = keys->second.spi_out});
  }
  if (const auto refused = keys_refused_of_.find(home_address); refused != keys_refused_of_.end())
    view.keys_refused = refused->second;
  view.trouble = objection_to(*configured);
  return view;
}

nlohmann::json Agent::events() const { return events_.to_json(); }

std::vector<Finding> Agent::examine() const {
  auto health = read_health(config_);
  health.charon_needed = needs_charon();
  health.charon_connected = fast_connected_ && slow_connected_;
  health.charon_version = charon_version_;
  health.charon_plugins = charon_plugins_;
  if (trouble_of_disk_) health.disk = trouble_;
  auto findings = mip6ha::examine(health);
  for (const auto& one : advice()) findings.push_back({.check = "nodes", .what = one.what, .remedy = one.remedy});
  std::ranges::move(findings_of(config_.warnings), std::back_inserter(findings));
  return findings;
}

void Agent::ask_charon() {
  const auto ask = [this](const char* command, auto take) {
    fast_session_->request(command, {}, {}, std::chrono::seconds{3},
                           [take](tl::expected<ike::Response, mip6::Error> answer) {
                             if (answer) take(answer->message);
                           });
  };
  ask("version", [this](const ike::Section& said) { charon_version_ = said.text_or("version", ""); });
  ask("stats", [this](const ike::Section& said) {
    if (const auto* plugins = said.list("plugins")) charon_plugins_ = *plugins;
  });
}

void Agent::tell(const Ipv6Address& home_address, std::string_view what, std::string_view remedy) {
  tell(name_of(home_address), what, remedy);
}

void Agent::tell(std::string_view name, std::string_view what, std::string_view remedy) {
  using namespace std::chrono;
  events_.add(duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count(), name, what, remedy);
}

}  // namespace mip6ha
