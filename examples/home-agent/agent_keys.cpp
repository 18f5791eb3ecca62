// The home agent as a program, second half: what the keying core wants done, and what the control socket is told.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "examples/home-agent/agent.hpp"
#include "ike-glue/charon.hpp"
#include "mnd/linux/kernel.hpp"
#include "mnd/linux/log.hpp"

namespace mip6ha {

using mip6::Ipv6Address;
using mnd::kernel::Level;

void Agent::perform(const ike::AgentKeyingAction& action) {
  std::visit([this](const auto& one) { on(one); }, action);
}

void Agent::on(const ike::Request& request) {
  auto& session = request.slow ? *slow_session_ : *fast_session_;
  session.request(request.command, request.message, request.stream, request.deadline,
                  [this, id = request.id](tl::expected<ike::Response, mip6::Error> response) {
                    post(ike::AgentKeyingEvent{ike::Answered{.id = id, .response = std::move(response)}});
                  });
}

void Agent::on(const ike::PeerKeysUp& action) {
  performer_->perform(action);
  keys_up_.insert(action.home_address);
  trouble_.reset();
  mnd::kernel::log(Level::kInfo, fmt::format("node={} keys up spi-in={:08x} spi-out={:08x}",
                                             name_of(action.home_address), action.spi_in, action.spi_out));
  // A re-key says nothing about the endpoint; what charon lists after a restart may be of any age.
  if (cause_ == nullptr || cause_->name != "child-updown") return;
  const auto connection = ike::read_ike_sa(cause_->message, 0);
  post(mip6::agent::Event{mip6::agent::KeysRenewed{.home_address = action.home_address,
                                                   .endpoint = connection ? connection->remote : std::nullopt}});
}

void Agent::on(const ike::PeerKeysChanged& action) { performer_->perform(action); }

void Agent::on(const ike::PeerKeysDown& action) {
  performer_->perform(action);
  keys_up_.erase(action.home_address);
  mnd::kernel::log(Level::kInfo, fmt::format("node={} keys down", name_of(action.home_address)));
}

void Agent::on(const ike::PeerChildUp& action) {
  if (action.kind == ike::ChildKind::kPayload) payload_up_.insert(action.home_address);
  if (action.kind == ike::ChildKind::kPrefixes) prefix_sa(action.home_address, true);
  mnd::kernel::log(Level::kInfo,
                   fmt::format("node={} {} SA up spi-in={:08x} spi-out={:08x}", name_of(action.home_address),
                               ike::name_of(action.kind), action.spi_in, action.spi_out));
  performer_->perform(action);
}

void Agent::on(const ike::PeerChildDown& action) {
  if (action.kind == ike::ChildKind::kPayload) payload_up_.erase(action.home_address);
  if (action.kind == ike::ChildKind::kPrefixes) prefix_sa(action.home_address, false);
  mnd::kernel::log(Level::kInfo,
                   fmt::format("node={} {} SA down", name_of(action.home_address), ike::name_of(action.kind)));
}

void Agent::on(const ike::NotePeerStates& action) { performer_->perform(action); }

void Agent::on(const ike::DeletePeerStatesExcept& action) { performer_->perform(action); }

void Agent::on(const ike::PeerMoveFailed& action) { performer_->perform(action); }

void Agent::on(const ike::Trouble& trouble) {
  trouble_ = TroubleView{.what = trouble.what, .remedy = trouble.remedy};
  mnd::kernel::log(Level::kWarning, fmt::format("{} ({})", trouble.what, trouble.remedy));
}

void Agent::on(const ike::PeerRefused& action) { ++keys_refused_[std::string{action.reason}]; }

void Agent::on(const ike::Step& step) { mnd::kernel::log(Level::kInfo, step.what); }

void Agent::on(const ike::Stopped&) {
  stopped_cleanly_ = true;
  if (stopping_) finish();
}

std::string Agent::name_of(const Ipv6Address& home_address) const {
  const auto same = [&](const NodeConfig& node) { return node.home_address == home_address; };
  const auto found = std::find_if(config_.nodes.begin(), config_.nodes.end(), same);
  return found == config_.nodes.end() ? home_address.to_string() : found->name;
}

Snapshot Agent::snapshot() const {
  Snapshot snapshot;
  snapshot.address = config_.address;
  snapshot.interface = config_.interface;
  snapshot.charon_connected = fast_connected_ && slow_connected_;
  snapshot.charon_needed = needs_charon();
  snapshot.advice = advice();
  snapshot.malformed = malformed_.totals();
  snapshot.trouble = trouble_;
  for (const auto& node : config_.nodes)
    if (node.method.version == ike::IkeVersion::kV1 && std::holds_alternative<ike::PreSharedKey>(node.proof))
      snapshot.warnings.push_back({.what = fmt::format("node {}: {}", node.name, ike::kAggressiveRisk.what),
                                   .remedy = std::string{ike::kAggressiveRisk.remedy}});
  if (home_agent_ == nullptr) return snapshot;  // asked while still starting

  snapshot.counters = home_agent_->counters();
  snapshot.keys_refused = keys_refused_;
  snapshot.requests_answered = requests_answered_;
  snapshot.other_agents = others_->known();
  if (list_ != nullptr)
    for (const auto& [link_local, listed] : list_->agents())
      for (const auto& [address, until] : listed.addresses) snapshot.listed_agents[address] = listed.preference;
  snapshot.kernel = mnd::kernel::read_kernel_counters(mnd::kernel::kAgentTunnelName);
  snapshot.kernel_failures = performer_->kernel_failures();
  const auto now = mnd::kernel::boot_now();
  for (const auto& node : config_.nodes) {
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
    if (const auto* record = home_agent_->find(node.home_address)) {
      view.care_of = record->care_of;
      if (node.protect_payload && view.care_of)
        view.payload = payload_up_.contains(node.home_address) ? "under ESP" : "waits for an SA";
      view.sequence = record->sequence.value();
      view.key_mobility = record->key_mobility;
      if (record->care_of && record->expires_boot && *record->expires_boot > now)
        view.lifetime_left = std::chrono::duration_cast<std::chrono::seconds>(*record->expires_boot - now).count();
    }
    snapshot.bindings.push_back(std::move(view));
  }
  return snapshot;
}

}  // namespace mip6ha
