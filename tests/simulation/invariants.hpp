// What must hold whatever happens, each as one sentence, and the ledger that checks it: it stands outside the cores and
// remembers across all crashes what was sent, promised and accepted.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "libmip6/address.hpp"
#include "libmip6/defect.hpp"
#include "libmip6/sequence.hpp"
#include "tests/simulation/network.hpp"
#include "tests/simulation/world.hpp"

namespace mip6::simulation {

enum class Invariant : std::uint8_t {
  kNumberOnce,
  kHalfSpace,
  kNoReplay,
  kDurableFirst,
  kOwnAddress,
  kHomeUnbound,
  kBoundedMemory,
  kEndpointsAgree,
  kMakeBeforeBreak,
  kUpdateRate,
  kStaysRegistered,
  kSettles,
  kDeadlinesEnd,
  kReadable,
};

struct InvariantText {
  Invariant invariant;
  std::string_view name;
  std::string_view sentence;
};
inline constexpr std::array<InvariantText, 14> kInvariants{{
    {Invariant::kNumberOnce, "number-once",
     "No node uses a sequence number twice under the same keys, or goes back, or uses one that its disk does not "
     "hold."},
    {Invariant::kHalfSpace, "half-space",
     "Under the same keys no number goes further than 2^15 ahead of the first one used."},
    {Invariant::kNoReplay, "no-replay",
     "No home agent accepts an update that it has accepted before, or one sent before another that it has accepted."},
    {Invariant::kDurableFirst, "durable-first",
     "An acknowledgement that accepts leaves only when what it promises is on the home agent's disk."},
    {Invariant::kOwnAddress, "own-address",
     "A binding for a home address comes from its owner, and security associations for it are the owner's."},
    {Invariant::kHomeUnbound, "home-unbound",
     "When a de-registration is acknowledged as accepted, and after every node has returned home, no binding is left."},
    {Invariant::kBoundedMemory, "bounded-memory",
     "What a core remembers is bounded by the nodes that are served and by what can be outstanding."},
    {Invariant::kEndpointsAgree, "endpoints-agree",
     "When both ends are quiet they agree where the node's IKE endpoint is, and that is where the node is."},
    {Invariant::kMakeBeforeBreak, "make-before-break",
     "Without faults but a lost IKE_AUTH response a move never leaves node and home agent without a common pair of "
     "security associations."},
    {Invariant::kUpdateRate, "update-rate",
     "No more than MAX_UPDATE_RATE updates a second, and the pauses between unanswered ones double up to 32 s; IKE is "
     "not established anew at each change of networks that alternate."},
    {Invariant::kStaysRegistered, "stays-registered",
     "Without faults a binding neither lapses nor ends before its node wants it to, whatever is forged in the clear."},
    {Invariant::kSettles, "settles",
     "When faults stop, each node is registered where it is within the time that the RFC's timers allow."},
    {Invariant::kDeadlinesEnd, "deadlines-end", "A deadline that was handled is over."},
    {Invariant::kReadable, "readable", "What a core writes can be parsed, and means the same."},
}};
// For each there is a defect that breaks it, so that all of them are known to find something.
static_assert(std::ranges::all_of(kInvariants, [](const InvariantText& text) {
  return std::ranges::find(kDefects, text.name, &DefectName::invariant) != kDefects.end();
}));
std::string_view name_of(Invariant invariant);

struct Violation {
  Invariant invariant;
  std::string what;
};
inline void require(bool holds, Invariant invariant, const char* what) {
  if (!holds) throw Violation{invariant, what};
}

// One node's share. Times are those of its own clock.
class NodeLedger {
 public:
  // Before the packet leaves. `key`: of the ESP state; `durable_end`: what the node's disk holds.
  void update_sent(std::uint64_t key, SequenceNumber number, SequenceNumber durable_end);
  // Rate and pauses, also of updates that found no state. `agent`: to whom.
  void update_made(const Ipv6Address& agent, BootTime now);
  // Something gave a reason to send at once.
  void pause_may_restart() { unanswered_ = 0; }
  void restarted();
  // The world used `count` numbers from `first` on under `key`, without playing it through.
  void skipped(std::uint64_t key, SequenceNumber first, std::uint16_t count);

 private:
  struct Run {
    SequenceNumber first;
    std::uint32_t count = 0;
  };
  struct Use {
    SequenceNumber first;
    std::vector<Run> runs;
  };
  std::unordered_map<std::uint64_t, Use> uses_;  // by key
  std::deque<BootTime> made_;                    // within the last second
  Ipv6Address agent_;
  int unanswered_ = 0;
  BootTime last_made_{};
};

// One home agent's share.
class AgentLedger {
 public:
  // An update reached the core, whatever becomes of it.
  void delivered(const Ipv6Address& home_address, SequenceNumber number, const Origin& origin);
  // The core does nothing with the update that was delivered last, or has refused the one with this number.
  void turned_down(const Ipv6Address& home_address);
  void refused(const Ipv6Address& home_address, SequenceNumber number);
  // What the core had not answered yet it never will.
  void restarted();
  // The core accepted the update with this number. `owner`: of the home address, if it has one.
  void accepted(const Ipv6Address& home_address, SequenceNumber number, std::optional<Party> owner);

 private:
  struct Delivered {
    SequenceNumber number;
    Origin origin;
  };
  struct Known {
    std::deque<Delivered> waiting;
    std::uint64_t last_accepted = 0;  // order
  };
  std::map<Ipv6Address, Known> known_;
};

}  // namespace mip6::simulation
