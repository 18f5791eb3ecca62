// See behaviour.hpp.
#include "libmip6/agent/behaviour.hpp"

#include <algorithm>
#include <cassert>
#include <numeric>

#include "libmip6/agent/validation.hpp"

namespace mip6::agent {
namespace {

constexpr Duration kUpdateInterval = std::chrono::nanoseconds{std::chrono::seconds{1}} / kPermittedUpdates;

std::size_t index_of(Offence offence) { return static_cast<std::size_t>(offence); }

bool is_replay(const UpdateArrived& event) { return event.last && !event.sequence.follows(*event.last); }

}  // namespace

std::string_view name_of(Offence offence) {
  switch (offence) {
    case Offence::kTooManyUpdates:
      return "too many updates";
    case Offence::kReplay:
      return "replay";
    case Offence::kWrongCareOf:
      return "wrong care-of address";
    case Offence::kSequenceJump:
      return "sequence jump";
  }
  return "unknown";
}

std::optional<Offence> offence_of(const Report& report) {
  if (report.status == Status::kSequenceNumberOutOfWindow) return Offence::kReplay;
  if (report.status == Status::kInvalidCareOfAddress) return Offence::kWrongCareOf;
  if (report.dropped && report.why == kCareOfNotRoutable) return Offence::kWrongCareOf;
  return std::nullopt;
}

std::uint64_t Behaviour::Record::all() const { return std::accumulate(offences.begin(), offences.end(), 0ULL); }

std::vector<BehaviourAction> Behaviour::handle(const BehaviourEvent& event, BootTime now) {
  Actions out;
  std::visit([&](const auto& one) { on(one, now, out); }, event);
  return out;
}

std::optional<BootTime> Behaviour::next_deadline() const {
  if (bans_.empty()) return std::nullopt;
  return bans_.begin()->first;
}

const Behaviour::Record* Behaviour::find(const Ipv6Address& home_address) const {
  const auto found = nodes_.find(home_address);
  return found == nodes_.end() ? nullptr : &found->second.record;
}

std::vector<std::pair<Ipv6Address, Behaviour::Record>> Behaviour::worst(std::size_t most) const {
  std::vector<std::pair<Ipv6Address, Record>> found;
  for (const auto& [home_address, node] : nodes_)
    if (node.record.all() > 0 || node.record.banned_until) found.emplace_back(home_address, node.record);
  const auto worse = [](const auto& a, const auto& b) {
    return a.second.all() != b.second.all() ? a.second.all() > b.second.all() : a.first < b.first;
  };
  most = std::min(most, found.size());
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(most), found.end(), worse);
  found.resize(most);
  return found;
}

void Behaviour::on(const UpdateArrived& event, BootTime now, Actions& out) {
  Node& sender = node(event.home_address, now);
  if (sender.record.banned_until) {
    ++sender.record.dropped_while_banned;
    ++totals_.dropped_while_banned;
    out.push_back(DropUpdate{.banned = true});
    return;
  }
  if (is_replay(event) && !event.protected_from_replay) {
    if (!over_rate(sender.replays, now)) return;
    count(sender, Offence::kReplay);
    out.push_back(DropUpdate{});
    return;
  }
  if (over_rate(sender.updates, now)) {
    out.push_back(DropUpdate{.banned = false, .first = !std::exchange(sender.record.throttled, true)});
    blame(event.home_address, sender, Offence::kTooManyUpdates, now, out);
    return;
  }
  // Full speed is given back, and the log told anew, only when there was a pause.
  if (sender.updates.level(now) <= kUpdateInterval) sender.record.throttled = false;
  if (event.last && event.sequence.follows(*event.last) && event.sequence.distance_from(*event.last) > kSequenceJump)
    blame(event.home_address, sender, Offence::kSequenceJump, now, out);
}

void Behaviour::on(const OffenceSeen& event, BootTime now, Actions& out) {
  Node& sender = node(event.home_address, now);
  if (sender.record.banned_until) return;
  if (event.offence == Offence::kReplay && !event.protected_from_replay) return count(sender, event.offence);
  blame(event.home_address, sender, event.offence, now, out);
}

void Behaviour::on(const BanLifted& event, BootTime, Actions& out) {
  const auto found = nodes_.find(event.home_address);
  if (found == nodes_.end()) return;
  const bool banned = found->second.record.banned_until.has_value();
  if (banned) bans_.erase({*found->second.record.banned_until, event.home_address});
  Node forgiven;
  forgiven.record = found->second.record;
  forgiven.record.banned_until.reset();
  forgiven.record.throttled = false;
  found->second = forgiven;
  if (banned) out.push_back(UnbanNode{event.home_address});
}

void Behaviour::on(const BanRestored& event, BootTime now, Actions&) {
  Node& banned = node(event.home_address, now);
  if (const auto former = banned.record.banned_until) bans_.erase({*former, event.home_address});
  banned.record.banned_until = event.until;
  banned.strikes = event.strikes;
  bans_.emplace(event.until, event.home_address);
}

void Behaviour::on(const NodeForgotten& event, BootTime, Actions&) {
  const auto found = nodes_.find(event.home_address);
  if (found == nodes_.end()) return;
  if (const auto until = found->second.record.banned_until) bans_.erase({*until, event.home_address});
  nodes_.erase(found);
}

void Behaviour::on(const DeadlineReached&, BootTime now, Actions& out) {
  while (!bans_.empty() && bans_.begin()->first <= now) {
    const auto home_address = bans_.begin()->second;
    bans_.erase(bans_.begin());
    Node& banned = nodes_.at(home_address);
    banned.record.banned_until.reset();
    banned.record.throttled = false;
    banned.updates = banned.replays = banned.offences = Measure{};
    banned.last_ban_ended = now;
    out.push_back(UnbanNode{home_address});
  }
}

Behaviour::Node& Behaviour::node(const Ipv6Address& home_address, BootTime now) {
  if (nodes_.size() >= sweep_at_) forget_the_sound(now);
  return nodes_[home_address];
}

void Behaviour::count(Node& node, Offence offence) {
  ++node.record.offences[index_of(offence)];
  ++totals_.offences[index_of(offence)];
}

void Behaviour::blame(const Ipv6Address& home_address, Node& node, Offence offence, BootTime now, Actions& out) {
  count(node, offence);
  if (!policy_.tolerance) return;
  node.offences.add(kOffenceFades * (offence == Offence::kSequenceJump ? kJumpWeight : 1), now);
  if (node.offences.level(now) <= kOffenceFades * *policy_.tolerance) return;

  if (node.strikes > 0 && now - node.last_ban_ended >= kLongestBan) node.strikes = 0;
  Duration duration = std::min(policy_.first_ban, kLongestBan);
  for (std::uint32_t i = 0; i < node.strikes && duration < kLongestBan; ++i)
    duration = std::min(2 * duration, kLongestBan);
  ++node.strikes;
  ++node.record.bans;
  ++totals_.bans;
  node.record.banned_until = now + duration;
  bans_.emplace(now + duration, home_address);
  out.push_back(
      BanNode{.home_address = home_address, .because = offence, .duration = duration, .strikes = node.strikes});
}

// True: this one is too much, and does not count for what comes later.
bool Behaviour::over_rate(Measure& measure, BootTime now) const {
  if (!policy_.tolerance) return false;
  if (measure.level(now) > kUpdateInterval * (kUpdateBurst - 1)) return true;
  measure.add(kUpdateInterval, now);
  return false;
}

// Amortised: the next sweep waits until there are twice as many.
void Behaviour::forget_the_sound(BootTime now) {
  std::erase_if(nodes_, [&](const auto& one) {
    const Node& node = one.second;
    return node.record.all() == 0 && node.strikes == 0 && node.record.bans == 0 &&
           node.updates.level(now) == Duration{} && node.replays.level(now) == Duration{};
  });
  sweep_at_ = std::max<std::size_t>(1024, 2 * nodes_.size());
}

}  // namespace mip6::agent
