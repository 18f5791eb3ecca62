// Which addresses can serve as care-of address, and which of them is best.
#include "libmip6/node/movement.hpp"

#include <algorithm>
#include <string_view>

namespace mip6 {
namespace {

// Shell pattern of `*` and `?`; everything else stands for itself.
bool matches(std::string_view pattern, std::string_view name) {
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;
  std::size_t after_star = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      after_star = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++after_star;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

bool matches_any(const std::vector<std::string>& patterns, std::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const auto& pattern) { return matches(pattern, name); });
}

int preference_of(const std::vector<InterfacePreference>& preferences, std::string_view name) {
  const auto found = std::find_if(preferences.begin(), preferences.end(),
                                  [&](const InterfacePreference& one) { return matches(one.pattern, name); });
  return found == preferences.end() ? 0 : found->preference;
}

// What decides between two attachments, most important first.
enum class Criterion { kLeaving, kFailing, kHome, kStable, kPreference, kMetric, kCurrent, kOrder };

enum class Failure { kNone, kSilent, kRouter };

struct Ranked {
  Attachment attachment;
  Failure failure = Failure::kNone;
  bool leaving = false;
  std::string interface_name;
  int preference = 0;
  bool temporary = false;
  std::uint32_t metric = 0;
  bool current = false;
};

bool fails(const Ranked& ranked) { return ranked.failure != Failure::kNone; }

// Negative: `a` is better. `by` tells what decided.
int compare(const Ranked& a, const Ranked& b, Criterion& by) {
  const auto order = [&by](Criterion criterion, auto left, auto right) {
    by = criterion;
    return left < right ? -1 : left > right ? 1 : 0;
  };
  if (const int c = order(Criterion::kLeaving, a.leaving, b.leaving)) return c;
  if (const int c = order(Criterion::kFailing, fails(a), fails(b))) return c;
  if (const int c = order(Criterion::kHome, !a.attachment.at_home, !b.attachment.at_home)) return c;
  if (const int c = order(Criterion::kStable, a.temporary, b.temporary)) return c;
  if (const int c = order(Criterion::kPreference, b.preference, a.preference)) return c;
  if (const int c = order(Criterion::kMetric, a.metric, b.metric)) return c;
  if (const int c = order(Criterion::kCurrent, !a.current, !b.current)) return c;
  if (const int c = order(Criterion::kOrder, a.attachment.interface, b.attachment.interface)) return c;
  return order(Criterion::kOrder, a.attachment.care_of, b.attachment.care_of);
}

bool better(const Ranked& a, const Ranked& b) {
  Criterion by{};
  return compare(a, b, by) < 0;
}

// RFC 6275 section 11.5.5: home is where the home prefix is on-link. An address that the kernel formed from the
// advertised prefix shows that, whether its duplicate address detection has finished or not; so does the home address
// itself, unless it is the host address (/128) that we put there ourselves.
bool shows_home_link(const Candidate& candidate, const MovementPolicy& policy) {
  if (matches_any(policy.not_home, candidate.interface_name)) return false;
  if (!policy.home.empty() && !matches_any(policy.home, candidate.interface_name)) return false;
  const bool ours = candidate.address == policy.home_address && candidate.prefix_length == 128;
  return !ours && !candidate.deprecated && policy.home_prefix.contains(candidate.address);
}

// RFC 6275 section 11.5.3, and what else makes an address fit to be reached at. Empty: it is.
std::string_view unfit_as_care_of(const Candidate& candidate, const MovementPolicy& policy) {
  if (candidate.duplicate) return "another host has this address";
  if (candidate.tentative) return "duplicate address detection has not finished";
  if (candidate.deprecated) return "the address is deprecated";
  if (!candidate.address.is_global_unicast()) return "not a global address";
  if (candidate.address == policy.home_address) return "the home address itself";
  if (policy.home_prefix.contains(candidate.address)) return "of the home prefix, on a link that is not the home link";
  // A home agent in the public network has no way back to a unique local address.
  if (candidate.address.is_unique_local() && !policy.home_agent.is_unique_local())
    return "a unique local address, to which the home agent has no way";
  return {};
}

// Why a candidate cannot be attached at; empty: it can.
std::string_view unusable(const Candidate& candidate, const MovementPolicy& policy) {
  if (is_excluded(candidate.interface_name, policy)) return "the interface is excluded";
  if (policy.only && *policy.only != candidate.interface_name) return "the node is to stay on another interface";
  if (!candidate.link_up) return "the link is down";
  if (!candidate.gateway) return "no router";
  return shows_home_link(candidate, policy) ? std::string_view{} : unfit_as_care_of(candidate, policy);
}

std::optional<Ranked> rank(const Candidate& candidate, const MovementPolicy& policy,
                           const std::optional<Attachment>& current, std::span<const Attachment> silent) {
  if (!unusable(candidate, policy).empty()) return std::nullopt;
  const bool at_home = shows_home_link(candidate, policy);
  Ranked ranked;
  ranked.attachment = {.interface = candidate.interface,
                       .care_of = at_home ? policy.home_address : candidate.address,
                       .gateway = candidate.gateway,
                       .at_home = at_home};
  if (candidate.router_unreachable)
    ranked.failure = Failure::kRouter;
  else if (std::ranges::any_of(silent, [&](const Attachment& one) { return is_same_way(one, ranked.attachment); }))
    ranked.failure = Failure::kSilent;
  ranked.leaving = candidate.leaving;
  ranked.interface_name = candidate.interface_name;
  ranked.preference = preference_of(policy.preference, candidate.interface_name);
  ranked.temporary = !at_home && candidate.temporary;
  ranked.metric = candidate.metric;
  ranked.current = current && current->interface == candidate.interface &&
                   current->care_of == ranked.attachment.care_of && current->at_home == at_home;
  return ranked;
}

std::string words_for_failure(const Ranked& ranked, const Ranked& instead) {
  if (ranked.failure == Failure::kRouter) return "the router of " + ranked.interface_name + " does not answer";
  std::string what = ranked.interface_name;
  if (ranked.attachment.at_home)
    what = "the home link " + what;
  else if (ranked.attachment.interface == instead.attachment.interface)
    what = ranked.attachment.care_of.to_string() + " on " + what;
  return what + " does not lead to the home agent";
}

// The best of those that would stand before `ranked` if they did not fail.
const Ranked* spared(const Ranked& ranked, std::span<const Ranked> others) {
  if (fails(ranked)) return nullptr;
  const auto sound = [](Ranked one) {
    one.failure = Failure::kNone;
    return one;
  };
  const auto found =
      std::ranges::find_if(others, [&](const Ranked& one) { return fails(one) && better(sound(one), ranked); });
  return found == others.end() ? nullptr : &*found;
}

// Why `ranked` stands before `next`, in words.
std::string reason_for(const Ranked& ranked, const Ranked* next) {
  if (ranked.attachment.at_home) return "home link";
  if (!next) return "no other usable address";
  Criterion by{};
  compare(ranked, *next, by);
  switch (by) {
    case Criterion::kLeaving:
      return next->interface_name + " is about to go";
    case Criterion::kFailing:
      return words_for_failure(*next, ranked);
    case Criterion::kHome:
      return "home link";
    case Criterion::kPreference:
      return "preferred interface " + ranked.interface_name;
    case Criterion::kStable:
      return "stable address";
    case Criterion::kMetric:
      return "lower route metric of " + ranked.interface_name;
    case Criterion::kCurrent:
      return "already in use";
    case Criterion::kOrder:
      break;
  }
  return "first of equals";
}

// What the best one has before `ranked`, in words.
std::string reason_against(const Ranked& ranked, const Ranked& best) {
  const bool same_interface = ranked.attachment.interface == best.attachment.interface;
  const auto name = same_interface ? best.attachment.care_of.to_string() : best.interface_name;
  const auto figures = [](auto of_best, auto own) {
    return " (" + std::to_string(of_best) + ", not " + std::to_string(own) + ")";
  };
  Criterion by{};
  compare(best, ranked, by);
  switch (by) {
    case Criterion::kLeaving:
      return ranked.interface_name + " is about to go";
    case Criterion::kFailing:
      return words_for_failure(ranked, best);
    case Criterion::kHome:
      return name + " is the home link";
    case Criterion::kPreference:
      return name + " is preferred" + figures(best.preference, ranked.preference);
    case Criterion::kStable:
      return "a temporary address, " + name + " is not";
    case Criterion::kMetric:
      return name + " has the lower route metric" + figures(best.metric, ranked.metric);
    case Criterion::kCurrent:
      return name + " is already in use";
    case Criterion::kOrder:
      break;
  }
  return "as good as " + name + ", which comes first";
}

}  // namespace

std::vector<Verdict> explain(std::span<const Candidate> candidates, const MovementPolicy& policy,
                             const std::optional<Attachment>& current, std::span<const Attachment> silent) {
  struct Usable {
    Ranked ranked;
    const Candidate* candidate;
  };
  std::vector<Usable> usable;
  for (const auto& candidate : candidates)
    if (auto ranked = rank(candidate, policy, current, silent)) usable.push_back({std::move(*ranked), &candidate});
  std::sort(usable.begin(), usable.end(), [](const Usable& a, const Usable& b) { return better(a.ranked, b.ranked); });
  const auto choices = usable_attachments(candidates, policy, current, silent);

  std::vector<Verdict> verdicts;
  for (const auto& [ranked, candidate] : usable) {
    const bool first = verdicts.empty();
    const bool same = ranked.attachment.care_of == usable.front().ranked.attachment.care_of;
    verdicts.push_back({*candidate, first ? Verdict::Use::kChosen : Verdict::Use::kUsable,
                        first  ? choices.front().reason
                        : same ? "shows the home link, too"
                               : reason_against(ranked, usable.front().ranked)});
  }
  for (const auto& candidate : candidates)
    if (const auto why = unusable(candidate, policy); !why.empty())
      verdicts.push_back({candidate, Verdict::Use::kUnusable, std::string{why}});
  return verdicts;
}

bool is_same_way(const Attachment& one, const Attachment& other) {
  return one.interface == other.interface && one.gateway == other.gateway && one.at_home == other.at_home &&
         Ipv6Prefix{one.care_of, 64}.contains(other.care_of);
}

bool is_excluded(std::string_view interface_name, const MovementPolicy& policy) {
  return matches_any(policy.exclude, interface_name);
}

std::vector<Choice> usable_attachments(std::span<const Candidate> candidates, const MovementPolicy& policy,
                                       const std::optional<Attachment>& current, std::span<const Attachment> silent) {
  std::vector<Ranked> ranking;
  for (const auto& candidate : candidates)
    if (auto ranked = rank(candidate, policy, current, silent)) ranking.push_back(std::move(*ranked));
  std::sort(ranking.begin(), ranking.end(), better);

  std::vector<Ranked> distinct;
  for (auto& ranked : ranking) {
    const bool seen = std::any_of(distinct.begin(), distinct.end(), [&](const Ranked& other) {
      return other.attachment.care_of == ranked.attachment.care_of;
    });
    if (!seen) distinct.push_back(std::move(ranked));
  }

  std::vector<Choice> choices;
  for (std::size_t i = 0; i < distinct.size(); ++i) {
    const auto& ranked = distinct[i];
    const auto others = std::span{distinct}.subspan(i + 1);
    const bool only = distinct.size() == 1 && !ranked.attachment.at_home;
    const Ranked* failed = spared(ranked, others);
    choices.push_back({ranked.attachment,
                       only     ? "only usable address"
                       : failed ? words_for_failure(*failed, ranked)
                                : reason_for(ranked, others.empty() ? nullptr : &others.front()),
                       fails(ranked), ranked.leaving});
  }
  return choices;
}

}  // namespace mip6
