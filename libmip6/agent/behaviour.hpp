// Nodes that behave ill, told apart by the identity that their updates are authenticated for: counted, then throttled,
// then refused service for a while. A core without I/O.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "libmip6/address.hpp"
#include "libmip6/agent/home_agent_events.hpp"
#include "libmip6/time.hpp"

namespace mip6::agent {

enum class Offence : std::uint8_t {
  kTooManyUpdates,  // more than kPermittedUpdates a second: dropped before any work
  kReplay,          // a number that is not newer than the last accepted one
  kWrongCareOf,     // a care-of address that nobody can have, or that is ours or another node's
  kSequenceJump,    // a number more than kSequenceJump ahead of the last accepted one
};
inline constexpr std::size_t kOffences = 4;
std::string_view name_of(Offence offence);  // "too many updates"

// RFC 6275 section 12, MAX_UPDATE_RATE: what a node keeps to. But packets bunch up under way: a radio link that was
// silent for ten seconds delivers what waited in its buffers at once. So this many a second, and ten seconds' worth at
// once; a node that changes its link with each packet never meets this, because it counts what it sends.
inline constexpr int kPermittedUpdates = 3;
inline constexpr int kUpdateBurst = 10 * kPermittedUpdates;

// Offences fade by one a second, and `tolerance` of them are borne. What a sound node may commit, however fast it
// moves, fades as fast as it comes:
// - three updates a second through two links of unlike delay: of three one is overtaken, and looks like a replay;
// - state lost: one replay, after which it goes on from the number that it was told;
// - a wrong care-of address: one for each update, after the network gave it one; it backs off after a refusal.
// A sound node's numbers go on by one for each update; those of days without an answer (one in 32 s, somewhat more with
// several links) are this far ahead after a day. A jump counts for kJumpWeight: eight of them go round the window, and
// what was captured could be replayed (section 15.3).
inline constexpr std::uint32_t kDefaultTolerance = 300;
inline constexpr Duration kOffenceFades = std::chrono::seconds{1};
inline constexpr std::uint16_t kSequenceJump = 4096;
inline constexpr std::uint32_t kJumpWeight = 30;

// A ban ends by itself. Each further one is twice as long, at most kLongestBan; a node that has behaved for kLongestBan
// begins anew.
inline constexpr Duration kDefaultBan = std::chrono::minutes{10};
inline constexpr Duration kLongestBan = std::chrono::days{1};

struct BehaviourPolicy {
  std::optional<std::uint32_t> tolerance = kDefaultTolerance;  // empty: offences are counted, and borne without limit
  Duration first_ban = kDefaultBan;
};

// --- events ---
// An update of a node that is served, before anything is done about it.
struct UpdateArrived {
  Ipv6Address home_address{};
  SequenceNumber sequence{};
  std::optional<SequenceNumber> last{};  // accepted; empty: none
  // ESP's own numbers are checked. Without (keys set by hand) anybody on the path can send a packet once more: a replay
  // is then not the node's doing. It is counted and limited, apart from the node's own updates, and never avenged.
  bool protected_from_replay = true;
};
struct OffenceSeen {  // what the home agent found when it judged an update; see offence_of()
  Ipv6Address home_address{};
  Offence offence{};
  bool protected_from_replay = true;  // as above: else a replay is counted only
};
struct BanLifted {  // by the administrator: all is forgiven, what was counted stays
  Ipv6Address home_address{};
};
// From the disk, where the process before this one has left it. Replaces one that is there.
struct BanRestored {
  Ipv6Address home_address{};
  BootTime until{};
  std::uint32_t strikes = 1;  // as BanNode told
};
struct NodeForgotten {  // no longer served
  Ipv6Address home_address{};
};
using BehaviourEvent = std::variant<UpdateArrived, OffenceSeen, BanLifted, BanRestored, NodeForgotten, DeadlineReached>;

// --- actions ---
struct DropUpdate {  // the one that arrived, without any further work
  bool banned = false;
  bool first = false;  // since the node was within its rate: worth a line in the log
};
struct BanNode {  // service ends now, until UnbanNode
  Ipv6Address home_address{};
  Offence because{};  // the last one
  Duration duration{};
  std::uint32_t strikes = 1;  // bans that the length of the next one depends on, this one among them
};
struct UnbanNode {  // served again
  Ipv6Address home_address{};
};
using BehaviourAction = std::variant<DropUpdate, BanNode, UnbanNode>;

// What an update's report says of its sender; empty: nothing ill.
std::optional<Offence> offence_of(const Report& report);

class Behaviour {
 public:
  explicit Behaviour(const BehaviourPolicy& policy) : policy_{policy} {}

  // After UpdateArrived: without DropUpdate the update is to be judged by the HomeAgent.
  std::vector<BehaviourAction> handle(const BehaviourEvent& event, BootTime now);  // `now` never goes back
  std::optional<BootTime> next_deadline() const;                                   // empty: nobody is banned

  // What is told of one node.
  struct Record {
    std::array<std::uint64_t, kOffences> offences{};  // by Offence
    std::uint64_t bans = 0;
    std::uint64_t dropped_while_banned = 0;
    std::optional<BootTime> banned_until{};
    bool throttled = false;
    std::uint64_t all() const;  // offences
  };
  const Record* find(const Ipv6Address& home_address) const;  // nullptr: nothing is remembered
  // Those with offences, and the banned, the worst first, at most so many.
  std::vector<std::pair<Ipv6Address, Record>> worst(std::size_t most) const;
  const Record& totals() const { return totals_; }  // of all nodes, also of forgotten ones
  std::size_t banned() const { return bans_.size(); }
  // Never more than are served: who did nothing ill is soon forgotten.
  std::size_t remembered() const { return nodes_.size(); }

 private:
  using Actions = std::vector<BehaviourAction>;

  // A measure that fills by steps and empties with time, told as the time when it will be empty.
  struct Measure {
    BootTime empty_at{};
    Duration level(BootTime now) const { return empty_at > now ? empty_at - now : Duration{}; }
    void add(Duration step, BootTime now) { empty_at = (empty_at > now ? empty_at : now) + step; }
  };
  struct Node {
    Record record;
    Measure updates;
    Measure replays;  // that may be somebody else's
    Measure offences;
    std::uint32_t strikes = 0;  // bans, as far as they are remembered
    BootTime last_ban_ended{};
  };

  void on(const UpdateArrived& event, BootTime now, Actions& out);
  void on(const OffenceSeen& event, BootTime now, Actions& out);
  void on(const BanLifted& event, BootTime now, Actions& out);
  void on(const BanRestored& event, BootTime now, Actions& out);
  void on(const NodeForgotten& event, BootTime now, Actions& out);
  void on(const DeadlineReached& event, BootTime now, Actions& out);

  Node& node(const Ipv6Address& home_address, BootTime now);
  void count(Node& node, Offence offence);
  void blame(const Ipv6Address& home_address, Node& node, Offence offence, BootTime now, Actions& out);
  bool over_rate(Measure& measure, BootTime now) const;
  void forget_the_sound(BootTime now);

  BehaviourPolicy policy_;
  std::unordered_map<Ipv6Address, Node> nodes_;
  std::set<std::pair<BootTime, Ipv6Address>> bans_;  // by their end
  Record totals_;
  std::size_t sweep_at_ = 1024;  // nodes; then those that did nothing ill are forgotten
};

}  // namespace mip6::agent
