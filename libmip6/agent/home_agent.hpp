// The home agent (RFC 6275 sections 9.5 and 10.3) as a core without I/O: binding cache, validation of Binding Updates
// in the RFC's order, acknowledgements that leave only after what they promise is durable, and the keys have moved.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libmip6/agent/authorisation.hpp"
#include "libmip6/agent/deadlines.hpp"
#include "libmip6/agent/home_agent_events.hpp"
#include "libmip6/agent/policy.hpp"
#include "libmip6/agent/validation.hpp"

namespace mip6::agent {

// After a move both care-of addresses are accepted in the tunnel for this long, after the way home the last one
// (what is in flight arrives).
inline constexpr Duration kPreviousCareOfGrace = std::chrono::seconds{2};
// So many former care-of addresses at most; who moves faster loses the oldest at once.
inline constexpr std::size_t kMaxFormerCareOf = 4;
// RFC 6275 section 12: so long a repeated de-registration finds the entry that the first one ended.
inline constexpr Duration kMaxDeleteBceTimeout = std::chrono::seconds{10};
// An update that arrives so long after StartDad starts it again: the answer was lost.
inline constexpr Duration kDadTimeout = std::chrono::seconds{5};
// Binding Errors are rate limited as ICMPv6 errors are (section 9.3.3; RFC 4443 section 2.4): a token bucket.
inline constexpr int kBindingErrorBurst = 10;
inline constexpr Duration kBindingErrorInterval = std::chrono::milliseconds{100};

// So many home addresses are looked for on the home link at a time, when it is not known who serves them.
inline constexpr std::size_t kMaxClaimsAsked = 256;

struct Counters {
  std::uint64_t updates = 0;
  std::uint64_t accepted = 0;
  std::uint64_t dropped = 0;  // silently, as section 9.5.1 wants
  std::map<std::string_view, std::uint64_t> dropped_because;
  std::map<Status, std::uint64_t> refused;
  // Of the accepted that asked for K.
  std::uint64_t key_mobility_agreed = 0;
  std::uint64_t key_mobility_refused = 0;
};

class HomeAgent {
 public:
  // Bindings from disk are taken up by restore(), before the first event. `authorisation` must outlive this.
  HomeAgent(const Policy& policy, const Authorisation& authorisation);

  // Takes up what the disk remembers; actions install the bindings that still live. Of those that have expired, and of
  // nodes that are no longer served, only the sequence number is kept: whatever the clocks say, it is never given up.
  // What is left of a lifetime is told by the boot clock, which nobody sets and which counts sleep. It begins anew with
  // each boot; the wall clock serves then, which may have been set by a year in either direction meanwhile. Set back, a
  // binding lives no longer than was granted. Set forward, it ends and a Report says so: to serve it on would be to
  // send a node's packets to an address that it may have left. Where find() differs from a record that was given, it is
  // to be stored: else each further start after a boot would count the lifetime from its beginning again.
  // `doubtful`: home addresses that another home agent on the link may have taken over while we were away. Their
  // bindings are withheld, and are not in find(), until the link has been asked (StartDad); a home address that is
  // claimed there is the other's, and its binding here ends. Not those that our kernel has intercepted all the time.
  std::vector<Action> restore(const std::vector<BindingRecord>& records, std::int64_t unix_now, BootTime now,
                              const std::set<Ipv6Address>& doubtful = {});
  std::vector<Action> handle(const Event& event, BootTime now);  // `now` never goes back
  std::optional<BootTime> next_deadline() const;                 // empty: nothing to wait for

  // The record of a home address, nullptr if none. For `mip6-ha list` and the tests.
  const BindingRecord* find(const Ipv6Address& home_address) const;
  std::vector<BindingRecord> records() const;             // in no order
  bool withholds(const Ipv6Address& home_address) const;  // its binding, as restore() says; the disk has it
  const Counters& counters() const { return counters_; }
  // Home addresses of which anything is remembered: never more than were served or restored.
  std::size_t remembered() const { return entries_.size(); }

 private:
  using Actions = std::vector<Action>;

  // An update on its way to its acknowledgement. At most one more waits behind it.
  struct Pending {
    enum class Phase { kProbing, kStoring, kMovingKeys };
    Phase phase = Phase::kProbing;
    Request request;
    BindingRecord record;         // what is being stored
    std::optional<Request> next;  // the newest that came since it is being stored
    BootTime received{};          // when `request` came
    BootTime probing_since{};
    bool nothing_to_end = false;  // a de-registration that finds no binding: only its number is kept
  };
  struct FormerCareOf {
    Ipv6Address care_of;
    BootTime until{};
  };
  struct Withheld {  // a binding that another home agent may have taken over
    BindingRecord record;
    BootTime expires{};
    bool asked = false;  // the link
  };
  // All that is known of one home address; exists only for served nodes and those that the disk remembers.
  struct Entry {
    Deadline end;            // of the binding
    Deadline forgetting;     // of the oldest former care-of address
    BindingRecord record;    // last acknowledged; before the first one only its home address says something
    BootTime expires{};      // of the binding as it was granted, if there is one
    BootTime ended_until{};  // until then a repeated de-registration finds the binding that the first one ended
    std::unique_ptr<Pending> pending;
    std::unique_ptr<Withheld> withheld;
    std::vector<FormerCareOf> former;    // oldest first, at most kMaxFormerCareOf
    std::optional<Ipv6Address> keys_at;  // where the node's IKE endpoint is, as far as known
    std::uint32_t unasked_stores = 0;    // StoreRecords that no update waits for, not answered yet
    bool known = false;                  // there is a record: an update was acknowledged, or the disk remembers one
    bool keys_movable = true;            // false after KeysMoved{possible = false}
    bool bound() const { return record.care_of.has_value(); }
  };

  void on(const UpdateReceived& event, BootTime now, Actions& out);
  void on(const DadFinished& event, BootTime now, Actions& out);
  void on(const RecordStored& event, BootTime now, Actions& out);
  void on(const KeysMoved& event, BootTime now, Actions& out);
  void on(const KeysRenewed& event, BootTime now, Actions& out);
  void on(const MessageUnrecognized& event, BootTime now, Actions& out);
  void on(const HomePrefixesChanged& event, BootTime now, Actions& out);
  void on(const ServiceEnded& event, BootTime now, Actions& out);
  void on(const NumberForgotten& event, BootTime now, Actions& out);
  void on(const HomeLinkReturned& event, BootTime now, Actions& out);
  void on(const StopAsked& event, BootTime now, Actions& out);
  void on(const DeadlineReached& event, BootTime now, Actions& out);

  // The road of an update: begin, or join one that is under way; probe; store; commit.
  void begin(Entry& entry, const Request& request, BootTime now, Actions& out);
  void join(Entry& entry, const Request& request, BootTime now, Actions& out);
  void probe(Entry& entry, BootTime now, Actions& out);
  void store(Entry& entry, BootTime now, Actions& out);
  void commit(Entry& entry, std::unique_ptr<Pending> done, BootTime now, Actions& out);
  void acknowledge(Entry& entry, const Pending& done, BootTime now, Actions& out);
  void take_next(Entry& entry, const Pending& done, BootTime now, Actions& out);
  void remember_former(Entry& entry, const Ipv6Address& previous, BootTime now, Actions& out);
  bool keys_are_elsewhere(const Entry& entry, const Request& request) const;
  void replace_keys(Entry& entry, const Request& request, Actions& out);
  bool grants_key_mobility(const Entry& entry, const Request& request) const;
  Lifetime granted_lifetime(const Request& request, BootTime now) const;
  Status success(const BindingRecord& granted, BootTime now) const;

  // claims.cpp: who serves a home address, when we were away?
  void withhold(Entry& entry, Actions& out);
  void ask_for_claims(Actions& out);
  void settle_claim(Entry& entry, bool claimed, BootTime now, Actions& out);
  void give_up_withheld(Entry& entry, std::string_view why, Actions& out);
  void forget_withheld(Entry& entry);
  void take_up(Entry& entry, BootTime now, Actions& out);

  void drop(const Ipv6Address& home_address, std::string_view why, Actions& out);
  void refuse(const Ipv6Address& home_address, const ReplyPath& path, const Refused& refusal, Actions& out);
  void refuse(const Request& request, Status status, Actions& out);

  bool serves(const Ipv6Address& home_address) const;
  Entry* find_entry(const Ipv6Address& home_address);
  Entry& entry_of(const Ipv6Address& home_address);
  void end_binding(Entry& entry, std::string_view why, Actions& out);
  BootTime end_of(const Entry& entry) const;
  void reschedule(Entry& entry);

  Policy policy_;
  const Authorisation& authorisation_;
  std::unordered_map<Ipv6Address, Entry> entries_;
  // Apart, because after a move the latter change much more often.
  Deadlines<Entry, &Entry::end> ends_;
  Deadlines<Entry, &Entry::forgetting> forgettings_;
  std::deque<Ipv6Address> claims_to_ask_;
  std::size_t claims_asked_ = 0;
  Counters counters_;
  // The token bucket of Binding Errors: each sent moves this forward by one interval, never beyond the present.
  BootTime binding_errors_at_ = BootTime{} - kBindingErrorBurst * kBindingErrorInterval;
  bool stopped_ = false;
};

}  // namespace mip6::agent
