// See prefix_advertiser.hpp.
#include "libmip6/agent/prefix_advertiser.hpp"

#include <algorithm>

namespace mip6::agent {
namespace {

PrefixInformation option_of(const HomePrefix& listed, BootTime now) {
  return {.prefix = listed.prefix,
          .on_link = listed.on_link,
          .autonomous = listed.autonomous,
          .router_address = listed.router_address,
          .valid = remaining(listed.valid_until, now),
          .preferred = remaining(listed.preferred_until, now)};
}

}  // namespace

PrefixAdvertiser::PrefixAdvertiser(const PrefixAdvertiserPolicy& policy, const Authorisation& authorisation,
                                   Random& random)
    : policy_{policy}, authorisation_{authorisation}, random_{random} {}

std::vector<PrefixAction> PrefixAdvertiser::handle(const PrefixEvent& event, BootTime now) {
  Actions out;
  if (!policy_.enabled) return out;
  std::visit([&](const auto& e) { on(e, now, out); }, event);
  on(DeadlineReached{}, now, out);
  return out;
}

std::optional<BootTime> PrefixAdvertiser::next_deadline() const { return deadlines_.next(); }

// Section 10.6.2: answered right away. What was told unsolicited is acknowledged by it, what was going to be is in the
// answer.
void PrefixAdvertiser::on(const PrefixSolicitationReceived& event, BootTime, Actions&) {
  if (authorisation_.standing_of(event.home_address) != Standing::kServed) return;
  Node& node = nodes_[event.home_address];
  node.home_address = event.home_address;
  node.solicited = Solicited{event.solicitation.identifier, event.source};
  set_due(node);
  deadlines_.update(node);
}

void PrefixAdvertiser::on(const BindingInstalled& event, BootTime now, Actions&) {
  Node& node = nodes_[event.home_address];
  node.home_address = event.home_address;
  const bool first = !node.care_of;
  node.care_of = event.care_of;
  if (node.phase == Phase::kUnacknowledged || node.phase == Phase::kGivenUp) {
    node.phase = Phase::kScheduled;
    node.unsolicited_at = now;
  } else if (first) {
    rest(node, Phase::kQuiet, now);
  }
  set_due(node);
  deadlines_.update(node);
}

void PrefixAdvertiser::on(const BindingRemoved& event, BootTime, Actions&) {
  const auto found = nodes_.find(event.home_address);
  if (found == nodes_.end()) return;
  Node& node = found->second;
  node.care_of.reset();
  node.phase = Phase::kQuiet;
  node.unsolicited_at = kForever;
  set_due(node);
  deadlines_.update(node);
}

void PrefixAdvertiser::on(const HomePrefixesChanged& event, BootTime now, Actions&) {
  if (event.prefixes == policy_.home_prefixes) return;
  policy_.home_prefixes = event.prefixes;
  for (auto& [home_address, node] : nodes_) {
    if (!node.care_of) continue;
    schedule(node, now);
    set_due(node);
    deadlines_.enqueue(node);
  }
  deadlines_.settle();
}

void PrefixAdvertiser::on(const DeadlineReached&, BootTime now, Actions& out) {
  while (Node* node = deadlines_.take_due(now)) {
    if (node->solicited) {
      send(*node, node->solicited->identifier, node->solicited->source, now, out);
      node->solicited.reset();
      rest(*node, Phase::kQuiet, now);
    } else {
      send_unsolicited(*node, now, out);
    }
    set_due(*node);
    deadlines_.update(*node);
  }
}

// Section 10.6.2. One that is scheduled will tell the newest when it leaves; one that is unacknowledged is replaced:
// the list is always sent whole, so nothing that it told is lost.
void PrefixAdvertiser::schedule(Node& node, BootTime now) {
  if (node.phase == Phase::kScheduled) return;
  const BootTime at = now + random_delay(node, now);
  node.unsolicited_at = node.phase == Phase::kUnacknowledged ? at : std::min(node.unsolicited_at, at);
  node.phase = Phase::kScheduled;
}

// Nothing to tell for now: the next one is due when the last one is MaxMobPfxAdvInterval ago.
void PrefixAdvertiser::rest(Node& node, Phase phase, BootTime now) {
  node.phase = phase;
  node.retransmissions = 0;
  node.unsolicited_at = kForever;
  if (!node.care_of) return;
  const BootTime wanted = node.last_sent ? std::max(now, *node.last_sent + policy_.max_interval) : now;
  node.unsolicited_at = wanted + random_delay(node, now);
}

void PrefixAdvertiser::send_unsolicited(Node& node, BootTime now, Actions& out) {
  if (!node.care_of) return;
  constexpr std::uint16_t kUnsolicited = 0;
  send(node, kUnsolicited, *node.care_of, now, out);
  if (node.phase != Phase::kUnacknowledged) {
    node.phase = Phase::kUnacknowledged;
    node.retransmissions = 0;
  } else if (++node.retransmissions == kPrefixAdvRetries) {
    return rest(node, Phase::kGivenUp, now);
  }
  node.unsolicited_at = now + kPrefixAdvTimeout * (1 << node.retransmissions);
}

void PrefixAdvertiser::send(Node& node, std::uint16_t identifier, const Ipv6Address& care_of, BootTime now,
                            Actions& out) {
  MobilePrefixAdvertisement advertisement{
      .identifier = identifier, .managed = policy_.managed, .other = policy_.other, .prefixes = {}};
  for (const auto& listed : policy_.home_prefixes) advertisement.prefixes.push_back(option_of(listed, now));
  node.last_sent = now;
  out.push_back(SendPrefixAdvertisement{std::move(advertisement), policy_.address, node.home_address, care_of});
}

// RAND_ADV_DELAY of section 10.6.2.
Duration PrefixAdvertiser::random_delay(const Node& node, BootTime now) {
  const HomePrefix* prefix = find_valid(policy_.home_prefixes, node.home_address, now);
  const Lifetime preferred = prefix != nullptr ? remaining(prefix->preferred_until, now) : kInfiniteLifetime;
  const Lifetime longest = std::min(policy_.max_interval, preferred);
  const auto spread = std::chrono::abs(longest - policy_.min_interval).count();
  return policy_.min_interval + Lifetime{spread == 0 ? 0 : random_.draw() % spread};
}

void PrefixAdvertiser::set_due(Node& node) {
  BootTime& due = node.deadline.due;
  due = node.solicited ? BootTime::min() : node.unsolicited_at;
  if (due != kForever && node.last_sent) due = std::max(due, *node.last_sent + kPrefixAdvPause);
}

}  // namespace mip6::agent
