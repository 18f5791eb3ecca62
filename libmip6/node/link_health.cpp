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

}  // namespace

std::vector<Choice> LinkHealth::choose(std::span<const Candidate> candidates, const MovementPolicy& policy,
                                       const std::optional<Attachment>& current, bool unanswered, BootTime now) {
  now_ = now;
  std::erase_if(silences_, [&](const Silence& one) { return !is_there(one.attachment, candidates); });
  auto usable = usable_attachments(candidates, policy, current, silent());
  if (!current || !unanswered) return usable;
  const auto leads = [&](const Choice& choice, bool here) {
    return !choice.failing && is_same_way(choice.attachment, *current) == here;
  };
  const bool here = std::ranges::any_of(usable, [&](const Choice& choice) { return leads(choice, true); });
  const bool elsewhere = std::ranges::any_of(usable, [&](const Choice& choice) { return leads(choice, false); });
  // Where there is no other, it may as well be the home agent.
  if (here && !elsewhere && !silences_.empty() && !std::exchange(all_silent_, true)) ++rounds_;
  if (!here || !elsewhere) return usable;
  all_silent_ = false;
  remember(*current);
  return usable_attachments(candidates, policy, current, silent());
}

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
  return first;
}

std::vector<Attachment> LinkHealth::silent() const {
  std::vector<Attachment> found;
  for (const auto& one : silences_)
    if (now_ < one.until) found.push_back(one.attachment);
  return found;
}

}  // namespace mip6::node
