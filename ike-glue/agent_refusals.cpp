// AgentKeying: attempts of peers that fail, and why. charon's events say that one failed, its log says why, a little
// later; some failures have no event at all. What a peer sends decides what is in here: it is bounded.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "ike-glue/agent_keying_impl.hpp"

namespace ike {
namespace {

constexpr std::size_t kMostAttempts = 64;
constexpr std::size_t kMostTold = 32;
constexpr seconds kTellAgainAfter{10};
constexpr seconds kLoadAgainAfter{60};
constexpr std::size_t kMostNamed = 5;
constexpr std::string_view kAllBanned = "all nodes with keys by IKE are banned";
constexpr std::string_view kNobodyServed = "no node with keys by IKE";

// "received packet: from 2001:db8:a1::7[500] to 2001:db8:1::1[500] (336 bytes)"
std::optional<std::pair<std::string_view, std::string_view>> ends_of_packet(std::string_view line) {
  constexpr std::string_view kReceived = "received packet: from ";
  constexpr std::string_view kTo = "] to ";
  if (!line.starts_with(kReceived)) return std::nullopt;
  line.remove_prefix(kReceived.size());
  const auto middle = line.find(kTo);
  if (middle == std::string_view::npos) return std::nullopt;
  const auto host = [](std::string_view text) { return text.substr(0, text.find('[')); };
  return std::pair{host(line), host(line.substr(middle + kTo.size()))};
}

// What charon refuses before there is an IKE_SA, or because one was never finished; empty: the line is about something
// else. The limits are those of strongswan.conf: block_threshold, init_limit_half_open, init_limit_job_load and
// half_open_timeout.
std::string_view refused_in_a_flood(std::string_view line) {
  if (line.starts_with("deleting half open IKE_SA with ")) return "not finished in time";
  if (!line.starts_with("ignoring IKE_SA setup from ")) return {};
  if (line.find("per-IP half-open") != line.npos) return "too many half-open from one address";
  if (line.find("half-open IKE_SA limit") != line.npos) return "too many half-open";
  return line.find("job load") != line.npos ? "charon has too much to do" : std::string_view{};
}

// What a peer or a log has written, of any length.
std::string cut(std::string_view text) { return std::string{text.substr(0, 256)}; }

std::uint64_t id_of(const Section& message) {
  std::uint64_t id = 0;
  const auto text = message.text_or("ikesa-uniqueid", "");
  std::from_chars(text.data(), text.data() + text.size(), id);
  return id;
}

}  // namespace

AgentKeying::Impl::Attempt& AgentKeying::Impl::attempt_of(std::uint64_t uniqueid) {
  auto& attempt = attempts[uniqueid];
  // Ids count upwards: the first is the oldest.
  if (attempts.size() > kMostAttempts && attempts.begin()->first != uniqueid) attempts.erase(attempts.begin());
  return attempt;
}

void AgentKeying::Impl::attempt_log(const Section& message, std::int64_t unix_time, mip6::BootTime now) {
  const auto id = id_of(message);
  const auto* line = message.text("msg");
  if (!line) return;
  // Many a second: counted, and nobody is told.
  if (const auto flood = refused_in_a_flood(*line); !flood.empty()) {
    out.emplace_back(PeerRefused{flood, std::nullopt});
    return;
  }
  if (id == 0) return;
  if (const auto ends = ends_of_packet(*line)) {
    const auto* node = node_of_name(message.text_or("ikesa-name", ""));
    if (node && node->sas.contains(id)) return;  // established
    auto& attempt = attempt_of(id);
    attempt.from = cut(ends->first);
    attempt.to = cut(ends->second);
    return;
  }
  const auto reason = read_reason(*line, unix_time);
  if (!reason) return;
  auto& attempt = attempt_of(id);
  attempt.name = cut(message.text_or("ikesa-name", ""));
  if (!attempt.reason) {
    attempt.reason = reason;
    attempt.line = in_charons_words(*line);
    attempt.too_early = !listed;
  }
  if (!attempt.tell_at) attempt.tell_at = now + kAfterReason;
}

// Somebody claimed an identity and could not prove it; or ours were unloaded by others and charon knew no better.
void AgentKeying::Impl::attempt_failed(const IkeSa& sa, mip6::BootTime now) {
  auto& attempt = attempt_of(sa.uniqueid);
  if (attempt.name.empty()) attempt.name = cut(sa.name);
  if (sa.remote_id != "%any") attempt.remote_id = cut(sa.remote_id);
  if (sa.remote) attempt.from = sa.remote->to_string();
  if (sa.local) attempt.to = sa.local->to_string();
  attempt.tell_at = now + kAfterReason;
  if (auto* node = node_of(attempt)) load_again(*node, now);
}

AgentKeying::Impl::Node* AgentKeying::Impl::node_of(const Attempt& attempt) {
  if (auto* node = node_of_name(attempt.name)) return node;
  const auto found = std::find_if(nodes.begin(), nodes.end(), [&](const Node& one) {
    return !attempt.remote_id.empty() && same_identity(one.configured.credentials.remote_identity, attempt.remote_id);
  });
  return found == nodes.end() ? nullptr : &*found;
}

void AgentKeying::Impl::tell_refusals(mip6::BootTime now) {
  for (auto one = attempts.begin(); one != attempts.end();) {
    if (!one->second.tell_at || *one->second.tell_at > now) {
      ++one;
      continue;
    }
    tell(one->second, now);
    for (auto& node : nodes) {
      if (const auto sa = node.sas.find(one->first); sa != node.sas.end()) sa->second.why_told = true;
    }
    one = attempts.erase(one);
  }
}

void AgentKeying::Impl::tell(const Attempt& attempt, mip6::BootTime now) {
  const auto* node = node_of(attempt);
  const bool of_ours = attempt.name.starts_with("mip6ha-") || attempt.to == policy.home_agent.to_string();
  if (!node && !of_ours) return;
  if (!node && attempt.reason == Reason::kProposal && !attempt.too_early) look_for_missing(now);
  // Without a reason and without a name, it gave up by itself.
  if (!node && !attempt.reason && attempt.remote_id.empty()) return;
  const auto* one_banned = node ? nullptr : banned_as(attempt);
  AgentSide side{.peer = "a peer", .from = attempt.from.empty() ? "an unknown address" : attempt.from};
  if (node) {
    side.peer = node->configured.credentials.remote_identity;
    side.credentials = &node->configured.credentials;
  } else if (!attempt.remote_id.empty()) {
    side.peer = attempt.remote_id;
  }
  const auto claimed = node ? std::optional{node->configured.home_address} : std::nullopt;
  // One that was authenticated is counted when its IKE_SA stays without a child.
  // charon has no connection of ours, so it answered before the peer could say who it is.
  const bool unheard = !node && nodes.empty() && attempt.line.find("no IKE config found") != std::string::npos;
  if (one_banned)
    out.emplace_back(PeerRefused{"banned", one_banned->home_address});
  else if (unheard)
    out.emplace_back(PeerRefused{banned.empty() ? kNobodyServed : kAllBanned, std::nullopt});
  else if (attempt.reason == Reason::kProposal)
    out.emplace_back(PeerRefused{"no proposal in common", claimed});
  else if (attempt.reason != Reason::kChildProposal && attempt.reason != Reason::kHomeAddress)
    out.emplace_back(PeerRefused{"authentication failed", claimed});
  const bool stranger = !node && !attempt.remote_id.empty();
  auto words = words_at_agent(attempt.reason.value_or(stranger ? Reason::kIdentity : Reason::kRefused), side);
  words.what += attempt.line;
  if (one_banned)
    words = {fmt::format("{} is banned and was refused keys: asked for from {}", one_banned->name, side.from),
             fmt::format("none, or mip6-ha unban {}", one_banned->name)};
  else if (unheard)
    words = words_on_nobody(side.from);
  std::erase_if(told, [now](const auto& one) { return now - one.second >= kTellAgainAfter; });
  if (told.size() >= kMostTold || !told.emplace(words.what, now).second) return;
  trouble(std::move(words));
}

Trouble AgentKeying::Impl::words_on_nobody(const std::string& from) const {
  if (banned.empty())
    return {fmt::format("somebody at {} was refused keys, unheard: no node has keys by IKE", from),
            "none, or mip6-ha add"};
  std::string names;
  for (std::size_t i = 0; i < std::min(banned.size(), kMostNamed); ++i) names += (i > 0 ? ", " : "") + banned[i].name;
  if (banned.size() > kMostNamed) names += ", ...";
  return {
      fmt::format("somebody at {} was refused keys, unheard: all nodes with keys by IKE are banned ({})", from, names),
      fmt::format("none, or mip6-ha unban {}", banned.front().name)};
}

void AgentKeying::Impl::load_again(Node& node, mip6::BootTime now) {
  if (node.loaded_again && now - *node.loaded_again < kLoadAgainAfter) return;
  node.loaded_again = now;
  if (certificate_of(node.configured.credentials.proof) != nullptr) load_certificate();
  to_load.push_back(&node);
  load_next();
}

// charon has nothing for a peer that it does not know yet: perhaps others have unloaded our connections, as
// `swanctl --load-all` does with all that are not in its files.
void AgentKeying::Impl::look_for_missing(mip6::BootTime now) {
  if (looked_for_missing && now - *looked_for_missing < kLoadAgainAfter) return;
  looked_for_missing = now;
  request(Purpose::kMissing, nullptr, "get-conns", {});
}

void AgentKeying::Impl::load_missing(const Answered& answer) {
  const auto* names = answer.response ? answer.response->message.list("conns") : nullptr;
  if (!names) return;
  const std::set<std::string_view> there{names->begin(), names->end()};
  const auto before = to_load.size();
  for (auto& node : nodes) {
    const bool waits = std::find(to_load.begin(), to_load.end(), &node) != to_load.end();
    if (!there.contains(node.name) && !waits) to_load.push_back(&node);
  }
  const auto missing = to_load.size() - before;
  if (missing == 0) return;
  trouble({fmt::format("others have unloaded {} of our {} connections from charon, as swanctl --load-all does", missing,
                       nodes.size()),
           "none needed: they are loaded again, and the nodes come back by themselves"});
  load_certificate();
  load_next();
}

}  // namespace ike
