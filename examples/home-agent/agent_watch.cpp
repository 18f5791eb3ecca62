// The home agent as a program: nodes that behave ill, floods of strangers, and the metrics.
#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "examples/home-agent/agent.hpp"
#include "mnd/linux/kernel.hpp"
#include "mnd/linux/log.hpp"
#include "mnd/linux/wall_clock.hpp"

namespace mip6ha {

namespace agent = mip6::agent;
using mip6::Ipv6Address;
using mnd::kernel::Level;

// The kernel has checked ESP's own numbers for all keys but those set by hand.
bool Agent::admits(const mip6::BindingUpdate& update, const Ipv6Address& home_address) {
  const auto* record = home_agent_->find(home_address);
  const agent::UpdateArrived arrived{.home_address = home_address,
                                     .sequence = update.sequence,
                                     .last = record == nullptr ? std::nullopt : std::optional{record->sequence},
                                     .protected_from_replay = served_.has_dynamic_keys(home_address)};
  bool admitted = true;
  for (const auto& action : behaviour_.handle(arrived, mnd::kernel::boot_now())) {
    if (const auto* dropped = std::get_if<agent::DropUpdate>(&action)) {
      admitted = false;
      if (!dropped->first) continue;
      const auto what = fmt::format("throttled: more than {} updates a second", agent::kPermittedUpdates);
      tell(home_address, what);
      mnd::kernel::log(Level::kWarning, fmt::format("node={} {}", name_of(home_address), what));
    } else if (const auto* ban = std::get_if<agent::BanNode>(&action)) {
      on(*ban);
    }
  }
  return admitted;
}

void Agent::watch(const agent::Action& action) {
  if (const auto* answer = std::get_if<agent::SendAcknowledgement>(&action)) {
    if (mip6::is_accepted(answer->acknowledgement.status))
      sequence_use_.accepted(answer->home_address, answer->acknowledgement.sequence);
  } else if (const auto* report = std::get_if<agent::Report>(&action)) {
    // Of others there is nobody whom it could be told of.
    if (const auto offence = offence_of(*report); offence && reqids_.contains(report->home_address))
      behave(agent::OffenceSeen{.home_address = report->home_address,
                                .offence = *offence,
                                .protected_from_replay = served_.has_dynamic_keys(report->home_address)});
  }
}

void Agent::behave(const agent::BehaviourEvent& event) {
  for (const auto& action : behaviour_.handle(event, mnd::kernel::boot_now())) {
    if (const auto* ban = std::get_if<agent::BanNode>(&action)) on(*ban);
    if (const auto* unban = std::get_if<agent::UnbanNode>(&action)) on(*unban);
  }
}

// Not at once: this may be within an action of a core, and a service ends only when all is settled.
void Agent::on(const agent::BanNode& action) {
  boost::asio::post(loop_, [this, action] {
    const auto name = name_of(action.home_address);
    const auto* node = find_node(name);
    const auto* record = behaviour_.find(action.home_address);
    if (stopping_ || node == nullptr || record == nullptr || !record->banned_until || bans_.contains(name)) return;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(action.duration).count();
    const auto why = fmt::format("for {} s, for ill behaviour: {}", seconds, agent::name_of(action.because));
    const auto since = mnd::kernel::unix_now();
    bans_[name] = {.since = since, .why = why};
    banned_for_a_while_.insert(name);
    const BanEnd end{.at = {.granted = std::chrono::seconds{seconds},
                            .expires_unix = since + seconds,
                            .expires_boot = record->banned_until},
                     .strikes = action.strikes};
    // It counts all the same if the disk refuses it.
    performer_->check(store_->ban({.name = name, .why = why, .since = since, .end = end}));
    end_services({node});
    tell_banned();
    tell(name, "banned " + why, fmt::format("mip6-ha unban {}", name));
    std::string counts;
    for (std::size_t i = 0; i < agent::kOffences; ++i)
      if (record->offences.at(i) > 0)
        counts += fmt::format("{}{}: {}", counts.empty() ? "" : ", ", agent::name_of(static_cast<agent::Offence>(i)),
                              record->offences.at(i));
    mnd::kernel::log(Level::kWarning,
                     fmt::format("node={} home-address={} banned {} ({}); to lift it: mip6-ha unban {}", name,
                                 action.home_address.to_string(), why, counts, name));
    arm_timer();
  });
}

void Agent::on(const agent::UnbanNode& action) {
  boost::asio::post(loop_, [this, action] {
    const auto name = name_of(action.home_address);
    const auto* node = find_node(name);
    const auto* record = behaviour_.find(action.home_address);
    const bool again = record != nullptr && record->banned_until;  // by a backup that was imported
    // Not if it was lifted by hand, or followed by a ban of the operator meanwhile.
    if (stopping_ || node == nullptr || again || banned_for_a_while_.erase(name) == 0) return;
    bans_.erase(name);
    forget_ban(name);
    tell_banned();
    tell(name, "no longer banned: its time is over");
    mnd::kernel::log(Level::kInfo, fmt::format("node={} no longer banned: its time is over", name));
    if (const auto served = serve(*node); !served) note(served.error());
    arm_timer();
  });
}

void Agent::forget_behaviour(const NodeConfig& node) {
  behave(agent::NodeForgotten{.home_address = node.home_address});
  sequence_use_.forget(node.home_address);
  if (banned_for_a_while_.erase(node.name) == 0) return;
  bans_.erase(node.name);
  forget_ban(node.name);
}

// On the disk. If that refuses, a start before its end takes it up once more.
void Agent::forget_ban(const std::string& name) {
  if (const auto forgotten = store_->unban(name); !forgotten) note(forgotten.error());
}

// One that ends by itself, from the disk.
void Agent::take_up_ban(const StoredBan& ban) {
  const auto now = mnd::kernel::boot_now();
  const auto wall_clock = mnd::kernel::unix_now();
  const auto left = left_of(ban.end->at, wall_clock, now);
  const auto* node = find_node(ban.name);
  if (node == nullptr || left <= mip6::Duration{}) {
    if (node != nullptr) tell(ban.name, "no longer banned: its time is over");
    return forget_ban(ban.name);
  }
  bans_[ban.name] = {.since = ban.since, .why = ban.why};
  banned_for_a_while_.insert(ban.name);
  behave(agent::BanRestored{.home_address = node->home_address, .until = now + left, .strikes = ban.end->strikes});
  if (ban.end->at.expires_boot) return;
  // Else each further start after a boot would count from its beginning again.
  auto retold = ban;
  retold.end->at.expires_boot = now + left;
  retold.end->at.expires_unix = wall_clock + std::chrono::ceil<std::chrono::seconds>(left).count();
  if (const auto stored = store_->ban(retold); !stored) note(stored.error());
}

// Refused by the kernel it costs next to nothing, and takes no room from updates.
void Agent::watch_stranger() {
  const auto now = mnd::kernel::boot_now();
  if (stopping_ || !strangers_.arrived(now)) return;
  strangers_.refuse(now, kernel_->refused_by_policy());
  arm_timer();
  if (const auto refused = kernel_->refuse_strangers(); !refused) return note(refused.error());
  strangers_refused_ = true;
  const auto what = fmt::format("more than {} messages in a second of no node: the kernel refuses all such",
                                StrangerLimit::kPermitted);
  tell(std::string_view{}, what);
  mnd::kernel::log(Level::kWarning, what);
}

void Agent::look_at_strangers() {
  const auto now = mnd::kernel::boot_now();
  const auto due = strangers_.next_deadline();
  if (stopping_ || !due || now < *due) return;
  const auto refused = kernel_->refused_by_policy();
  if (!strangers_.look(now, refused)) return arm_timer();
  if (!std::exchange(strangers_refused_, false)) return;
  if (const auto admitted = kernel_->admit_strangers(); !admitted) return note(admitted.error());
  const auto what = "messages of no node are few, and read again";
  tell(std::string_view{}, what);
  mnd::kernel::log(Level::kInfo, what);
}

// Nodes are served whether anybody can watch it or not: an error is told, and no more.
void Agent::open_metrics() {
  if (!config_.metrics) return;
  auto opened =
      MetricsServer::open(loop_, *config_.metrics, [this](MetricsForm form) { return metrics_text(metrics(), form); });
  if (!opened) return note(opened.error());
  metrics_ = std::move(*opened);
}

Metrics Agent::metrics() const {
  Metrics metrics;
  static_cast<Figures&>(metrics) = figures();
  metrics.nodes = config_.nodes.size();
  metrics.bindings = performer_->bound().size();
  metrics.tunnel_ends = performer_->tunnel_ends();
  metrics.nodes_with_keys = keys_up_.size();
  metrics.banned_for_a_while = banned_for_a_while_.size();
  metrics.store_seconds = performer_->store_seconds();
  metrics.records_stored = performer_->records_stored();
  metrics.sequence_advances = sequence_use_.advances();
  metrics.sequence_use_highest = sequence_use_.highest();
  metrics.behaviour = behaviour_.totals();
  for (auto& [home_address, record] : behaviour_.worst(kMaxNodeSeries))
    metrics.ill_behaving.push_back({.name = name_of(home_address), .record = record});
  return metrics;
}

}  // namespace mip6ha
