// The home agent as a program: what changes while it runs. Each change is of one node: what is in kernel, charon and on
// disk of all others is not touched.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "examples/home-agent/agent.hpp"
#include "examples/home-agent/manual_keys.hpp"
#include "mnd/linux/kernel.hpp"
#include "mnd/linux/log.hpp"
#include "mnd/linux/wall_clock.hpp"

namespace mip6ha {

using mip6::Error;
using mnd::kernel::Level;
using mnd::kernel::unix_now;
using Result = tl::expected<void, Error>;

namespace {

Error no_node(const std::string& tried, const std::string& name) {
  return {.tried = tried,
          .on = "node " + name,
          .reason = "no node has this name",
          .remedy = "mip6-ha list names them all",
          .os_error = 0};
}

}  // namespace

// The client takes it away, and must be root for that: nobody who may ask chooses where we write. Updates wait
// meanwhile.
tl::expected<std::filesystem::path, Error> Agent::make_copy() {
  const auto file = config_.state_directory / "agent.db.export";
  return store_->copy_to(file).map([&] { return file; });
}

void Agent::tell_banned() {
  ike::PeersBanned event;
  for (const auto& node : config_.nodes)
    if (is_banned(node) && !node.manual_keys)
      event.banned.push_back({.name = node.name, .home_address = node.home_address, .identity = node.identity});
  post(ike::AgentKeyingEvent{std::move(event)});
}

// --- one node comes ---

// Keys by hand that are new here have carried nothing: with them the number begins anew.
Result Agent::judge_again(const NodeConfig& node) {
  const auto numbered = [&]() -> tl::expected<bool, Error> {
    if (!node.manual_keys) return false;
    return store_->has_record(node.home_address);
  };
  const auto before = numbered();
  if (!before) return tl::unexpected(before.error());
  const auto objection = judge(*store_, node, *before);
  if (!objection) return tl::unexpected(objection.error());
  manual_refused_.erase(node.home_address);
  if (!objection->empty()) manual_refused_[node.home_address] = *objection;
  const auto after = numbered();
  if (!after) return tl::unexpected(after.error());
  if (node.manual_keys && !*after)
    post(mip6::agent::Event{mip6::agent::NumberForgotten{.home_address = node.home_address}});
  return {};
}

// The policies before everything else, and what came before them is read while the address is still nobody's: nothing
// in the clear is taken for an update.
Result Agent::serve(const NodeConfig& node) {
  const auto& home_address = node.home_address;
  if (auto judged = judge_again(node); !judged) return judged;
  const auto identity = reqids_of(node);
  if (!identity) return tl::unexpected(identity.error());
  auto ready = kernel_->protect_one(home_address, *identity);
  kernel_->take_waiting();
  enter(home_address, *identity);
  performer_->serve(home_address, *identity);
  served_.serve({.home_address = home_address, .dynamic_keys = !node.manual_keys});
  if (manual_refused_.contains(home_address)) served_.prohibit(home_address);
  if (ready && node.manual_keys) ready = kernel_->install_manual(home_address, identity->reqid, *node.manual_keys);
  if (!ready) {
    dismiss(node);
    return ready;
  }
  if (node.manual_keys) {
    keys_up_[home_address] = {.since = mnd::kernel::boot_now(),
                              .spi_in = node.manual_keys->to_home_agent.spi,
                              .spi_out = node.manual_keys->to_node.spi};
    return {};
  }
  post(ike::AgentKeyingEvent{ike::PeerServed{.node = keying_node(node)}});
  if (fast_session_ == nullptr) connect_charon();
  return {};
}

// All that are not served yet, those whom kernel or disk refused before among them.
std::vector<const NodeConfig*> Agent::missing() const {
  std::vector<const NodeConfig*> nodes;
  for (const auto& node : config_.nodes)
    if (is_missing(node)) nodes.push_back(&node);
  return nodes;
}

// False: what the disk refuses of one it would refuse of each of them.
bool Agent::prepare(const std::vector<const NodeConfig*>& nodes, std::vector<TroubleView>& failed) {
  const auto stored = store_reqids(nodes);
  if (!stored) failed.push_back(trouble_of(stored.error()));
  return stored.has_value();
}

// A ban may have been made or lifted since.
void Agent::serve_if_missing(const NodeConfig& node, std::vector<TroubleView>& failed) {
  if (!is_missing(node)) return;
  if (const auto served = serve(node); !served) failed.push_back(trouble_of(served.error()));
}

// --- and goes ---

// The bindings first, in one group: packets stop, and the disk knows.
void Agent::end_services(std::vector<const NodeConfig*> nodes) {
  std::erase_if(nodes, [this](const auto* node) { return !reqids_.contains(node->home_address); });
  for (const auto* node : nodes) {
    served_.forget(node->home_address);
    post(mip6::agent::Event{mip6::agent::ServiceEnded{.home_address = node->home_address}});
  }
  performer_->store_waiting();
  for (const auto* node : nodes) dismiss(*node);
}

void Agent::dismiss(const NodeConfig& node) {
  const auto& home_address = node.home_address;
  const auto identity = identity_of(home_address);
  served_.forget(home_address);
  // A message that is in the socket by now is of nobody from here on.
  reqids_.erase(home_address);
  payload_reqids_.erase(home_address);
  if (!node.manual_keys) post(ike::AgentKeyingEvent{ike::PeerDismissed{.home_address = home_address}});
  if (prefix_sas_.contains(home_address)) prefix_sa(home_address, false);
  performer_->check(kernel_->release(home_address, identity));
  performer_->dismiss(home_address);
  keys_up_.erase(home_address);
  payload_up_.erase(home_address);
  keys_refused_of_.erase(home_address);
  manual_refused_.erase(home_address);
}

// --- other keys by IKE: the binding stays, see reload.hpp ---

Result Agent::rotate(const NodeConfig& node) {
  const auto& home_address = node.home_address;
  post(ike::AgentKeyingEvent{ike::PeerDismissed{.home_address = home_address}});
  if (prefix_sas_.contains(home_address)) prefix_sa(home_address, false);
  auto deleted = kernel_->delete_states(home_address, identity_of(home_address));
  performer_->perform(ike::PeerKeysDown{.home_address = home_address});
  keys_up_.erase(home_address);
  payload_up_.erase(home_address);
  keys_refused_of_.erase(home_address);
  post(ike::AgentKeyingEvent{ike::PeerServed{.node = keying_node(node)}});
  return deleted;
}

// --- what the operator asks ---

tl::expected<Ban, Error> Agent::ban(const std::string& name, const std::string& why) {
  const auto* node = find_node(name);
  if (node == nullptr || stopping_) return tl::unexpected(no_node("ban", name));
  const auto former = bans_.find(name);
  const Ban ban{.since = former == bans_.end() ? unix_now() : former->second.since, .why = why};
  // On the disk before it counts: one that a restart lifts is none.
  if (auto stored = store_->ban({.name = name, .why = ban.why, .since = ban.since}); !stored)
    return tl::unexpected(stored.error());
  bans_[name] = ban;
  banned_for_a_while_.erase(name);
  behave(mip6::agent::BanLifted{.home_address = node->home_address});  // this one does not end by itself
  end_services({node});
  tell_banned();
  tell(name, why.empty() ? "banned" : fmt::format("banned: {}", why), fmt::format("mip6-ha unban {}", name));
  mnd::kernel::log(Level::kWarning, fmt::format("node={} banned why=\"{}\"", name, why));
  return ban;
}

Result Agent::unban(const std::string& name) {
  const auto* node = find_node(name);
  if ((node == nullptr && !bans_.contains(name)) || stopping_) return tl::unexpected(no_node("unban", name));
  if (!bans_.contains(name)) return {};
  if (auto stored = store_->unban(name); !stored) return stored;
  bans_.erase(name);
  banned_for_a_while_.erase(name);
  if (node != nullptr) behave(mip6::agent::BanLifted{.home_address = node->home_address});
  tell_banned();
  tell(name, "no longer banned");
  mnd::kernel::log(Level::kInfo, fmt::format("node={} no longer banned", name));
  return node == nullptr ? Result() : serve(*node);
}

}  // namespace mip6ha
