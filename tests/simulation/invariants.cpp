// The ledgers. See invariants.hpp.
#include "tests/simulation/invariants.hpp"

#include <algorithm>

#include "libmip6/node/home_registration.hpp"

namespace mip6::simulation {
namespace {

constexpr std::uint32_t kHalfOfNumbers = 32768;
constexpr std::size_t kMostWaiting = 64;

}  // namespace

std::string_view name_of(Invariant invariant) {
  for (const auto& text : kInvariants)
    if (text.invariant == invariant) return text.name;
  return "?";
}

void NodeLedger::update_sent(std::uint64_t key, SequenceNumber number, SequenceNumber durable_end) {
  const auto left = durable_end.distance_from(number);
  require(left >= 1 && left <= SequenceReservation::kBlockSize, Invariant::kNumberOnce,
          "a number leaves that is not in the block on the disk");
  Use& use = uses_[key];
  if (use.runs.empty()) use.first = number;
  for (const Run& run : use.runs)
    require(number.distance_from(run.first) >= run.count, Invariant::kNumberOnce,
            "a number leaves a second time under the same keys");
  if (!use.runs.empty()) {
    const Run& newest = use.runs.back();
    const auto last = newest.first.advanced(static_cast<std::uint16_t>(newest.count - 1));
    require(number.distance_from(last) <= kHalfOfNumbers, Invariant::kNumberOnce,
            "the numbers go back under the same keys");
  }
  require(number.distance_from(use.first) <= kHalfOfNumbers, Invariant::kHalfSpace,
          "a number leaves that is more than 2^15 ahead of the first under the same keys");
  if (!use.runs.empty() && use.runs.back().first.advanced(static_cast<std::uint16_t>(use.runs.back().count)) == number)
    ++use.runs.back().count;
  else
    use.runs.push_back({number, 1});
}

void NodeLedger::skipped(std::uint64_t key, SequenceNumber first, std::uint16_t count) {
  Use& use = uses_[key];
  if (use.runs.empty()) use.first = first;
  use.runs.push_back({first, count});
}

void NodeLedger::update_made(const Ipv6Address& agent, BootTime now) {
  if (agent != agent_) {
    agent_ = agent;
    made_.clear();
    unanswered_ = 0;
  }
  while (!made_.empty() && now - made_.front() >= 1s) made_.pop_front();
  made_.push_back(now);
  require(made_.size() <= node::kMaxUpdateRate, Invariant::kUpdateRate,
          "more than MAX_UPDATE_RATE updates to one peer within a second");
  // RFC 6275 section 11.8: 1 s at least, doubled each time.
  if (unanswered_ > 0) {
    const Duration least = std::min<Duration>(1s * (1 << std::min(unanswered_ - 1, 5)), node::kMaxBindackTimeout);
    require(now - last_made_ >= least, Invariant::kUpdateRate, "an unanswered update is repeated too early");
  }
  ++unanswered_;
  last_made_ = now;
}

void NodeLedger::restarted() {
  made_.clear();
  unanswered_ = 0;
}

void AgentLedger::delivered(const Ipv6Address& home_address, SequenceNumber number, const Origin& origin) {
  auto& waiting = known_[home_address].waiting;
  waiting.push_back({number, origin});
  if (waiting.size() > kMostWaiting) waiting.pop_front();
}

void AgentLedger::turned_down(const Ipv6Address& home_address) {
  auto& waiting = known_[home_address].waiting;
  if (!waiting.empty()) waiting.pop_back();
}

void AgentLedger::refused(const Ipv6Address& home_address, SequenceNumber number) {
  std::erase_if(known_[home_address].waiting, [&](const Delivered& one) { return one.number == number; });
}

void AgentLedger::restarted() {
  for (auto& [home_address, known] : known_) known.waiting.clear();
}

void AgentLedger::accepted(const Ipv6Address& home_address, SequenceNumber number, std::optional<Party> owner) {
  Known& known = known_[home_address];
  // The newest: an older one with the same number came under keys that are gone, or was dropped.
  const auto found = std::find_if(known.waiting.rbegin(), known.waiting.rend(),
                                  [&](const Delivered& one) { return one.number == number; });
  require(found != known.waiting.rend(), Invariant::kNoReplay, "an update is accepted twice, or none was delivered");
  const Origin origin = found->origin;
  refused(home_address, number);
  require(owner && owner->kind == origin.party.kind && owner->index == origin.party.index, Invariant::kOwnAddress,
          "a binding is accepted for a home address that is not the sender's");
  require(origin.order > known.last_accepted, Invariant::kNoReplay, "an update is accepted after a newer one");
  known.last_accepted = origin.order;
}

}  // namespace mip6::simulation
