// The home agent as a program, second part: what the keying core wants done.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "examples/home-agent/agent.hpp"
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
  keys_up_[action.home_address] = {
      .since = mnd::kernel::boot_now(), .spi_in = action.spi_in, .spi_out = action.spi_out};
  sequence_use_.keys_are_fresh(action.home_address);
  clear_trouble();
  tell(action.home_address, "keys up");
  mnd::kernel::log(Level::kInfo, fmt::format("node={} keys up spi-in={:08x} spi-out={:08x}",
                                             name_of(action.home_address), action.spi_in, action.spi_out));
}

void Agent::on(const ike::PeerEstablished& action) {
  post(mip6::agent::Event{mip6::agent::KeysRenewed{.home_address = action.home_address, .endpoint = action.from}});
}

void Agent::on(const ike::PeerKeysChanged& action) { performer_->perform(action); }

void Agent::on(const ike::PeerKeysDown& action) {
  performer_->perform(action);
  keys_up_.erase(action.home_address);
  tell(action.home_address, "keys down");
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

void Agent::on(const ike::PeerMoveAgain& action) { performer_->perform(action); }

void Agent::on(const ike::PeerMoveFailed& action) { performer_->perform(action); }

void Agent::on(const ike::Trouble& trouble) {
  trouble_ = TroubleView{.what = trouble.what, .remedy = trouble.remedy};
  trouble_of_disk_ = false;
  tell("", trouble.what, trouble.remedy);
  mnd::kernel::log(Level::kWarning, fmt::format("{} ({})", trouble.what, trouble.remedy));
}

void Agent::on(const ike::PeerRefused& action) {
  ++keys_refused_[std::string{action.reason}];
  if (action.claimed) ++keys_refused_of_[*action.claimed][std::string{action.reason}];
}

void Agent::on(const ike::Step& step) { mnd::kernel::log(Level::kInfo, step.what); }

void Agent::on(const ike::Stopped&) {
  stopped_cleanly_ = true;
  if (!stopping_) return;
  // What is cleaned up is told in charon's log.
  if (fast_session_ == nullptr || !fast_connected_) return finish();
  fast_session_->unregister("log", ike::kUnregisterPatience, [this](const auto&) { finish(); });
}

std::string Agent::name_of(const Ipv6Address& home_address) const {
  const auto found = by_address_.find(home_address);
  return found == by_address_.end() ? home_address.to_string() : found->second->name;
}

}  // namespace mip6ha
