#include "libmip6/node/link_health.hpp"

#include <algorithm>
#include <utility>

#include "libmip6/node/backoff.hpp"

namespace mip6::node {
namespace {

bool is_there(const Attachment& attachment, std::span<const Candidate> candidates) {
  return std::ranges::any_of(candidates, [&](const Candidate& candidate) {
    return candidate.link_up && candidate.interface == attachment.interface &&
           candidate.gateway == attachment.gateway &&
           (attachment.at_home || Ipv6Prefix{attachment.care_of, 64}.contains(candidate.address));
  });
}

bool is_up(std::uint32_t interface, std::span<const Candidate> candidates) {
  return std::ranges::any_of(candidates, [&](const Candidate& candidate) {
    return candidate.interface == interface && candidate.link_up && candidate.gateway;
  });
}

}  // namespace

std::vector<Choice> LinkHealth::choose(std::span<const Candidate> candidates, const MovementPolicy& policy,
                                       const std::optional<Attachment>& current, bool unanswered, BootTime now) {
  now_ = now;
  std::erase_if(silences_, [&](const Silence& one) { return !is_there(one.attachment, candidates); });
  std::erase_if(leaving_, [&](const auto& one) { return now >= one.second || !is_up(one.first, candidates); });
  auto found = usable(candidates, policy, current);
  if (!current || !unanswered) return found;
  const auto leads = [&](const Choice& choice, bool here) {
    return !choice.failing && !choice.leaving && is_same_way(choice.attachment, *current) == here;
  };
  const bool here = std::ranges::any_of(found, [&](const Choice& choice) { return leads(choice, true); });
  const bool elsewhere = std::ranges::any_of(found, [&](const Choice& choice) { return leads(choice, false); });
  // Where there is no other, it may as well be the home agent.
  if (here && !elsewhere && !silences_.empty() && !std::exchange(all_silent_, true)) ++rounds_;
  if (!here || !elsewhere) return found;
  all_silent_ = false;
  remember(*current);
  return usable(candidates, policy, current);
}

std::vector<Choice> LinkHealth::usable(std::span<const Candidate> candidates, const MovementPolicy& policy,
                                       const std::optional<Attachment>& current) const {
  if (leaving_.empty()) return usable_attachments(candidates, policy, current, silent());
  return usable_attachments(marked(candidates), policy, current, silent());
}

std::vector<Verdict> LinkHealth::explain(std::span<const Candidate> candidates, const MovementPolicy& policy,
                                         const std::optional<Attachment>& current) const {
  return mip6::explain(marked(candidates), policy, current, silent());
}

std::vector<Candidate> LinkHealth::marked(std::span<const Candidate> candidates) const {
  std::vector<Candidate> marked{candidates.begin(), candidates.end()};
  for (auto& one : marked) one.leaving = leaving_.contains(one.interface);
  return marked;
}

void LinkHealth::leaves(std::uint32_t interface, BootTime now) { leaving_[interface] = now + kLongestLeaving; }

void LinkHealth::stays(std::uint32_t interface) { leaving_.erase(interface); }

void LinkHealth::remember(const Attachment& attachment) {
  auto found =
      std::ranges::find_if(silences_, [&](const Silence& one) { return is_same_way(one.attachment, attachment); });
  if (found == silences_.end()) found = silences_.insert(found, Silence{.attachment = attachment, .until = {}});
  found->until = now_ + doubled(kFirstLinkSilence, std::max(found->times, rounds_), kLongestLinkSilence);
  found->counted = false;
}

// Only now it is known that the others' silence was theirs and not the home agent's.
void LinkHealth::acknowledged(const Attachment& attachment) {
  std::erase_if(silences_, [&](const Silence& one) { return is_same_way(one.attachment, attachment); });
  rounds_ = 0;
  all_silent_ = false;
  for (auto& one : silences_)
    if (!std::exchange(one.counted, true)) ++one.times;
}

void LinkHealth::forget() {
  silences_.clear();
  rounds_ = 0;
  all_silent_ = false;
}

std::optional<BootTime> LinkHealth::next_deadline() const {
  std::optional<BootTime> first;
  for (const auto& one : silences_)
    if (one.until > now_ && (!first || one.until < *first)) first = one.until;
  for (const auto& [interface, until] : leaving_)
    if (until > now_ && (!first || until < *first)) first = until;
  return first;
}

std::vector<Attachment> LinkHealth::silent() const {
  std::vector<Attachment> found;
  for (const auto& one : silences_)
    if (now_ < one.until) found.push_back(one.attachment);
  return found;
}

}  // namespace mip6::node
