// The home agent (RFC 6275 sections 9.5 and 10.3) as a core without I/O: binding cache, validation of Binding Updates
// in the RFC's order, acknowledgements that leave only after what they promise is durable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "libmip6/address.hpp"
#include "libmip6/sequence.hpp"
#include "libmip6/time.hpp"
#include "libmip6/wire/message.hpp"

namespace mip6::agent {

// After a move both care-of addresses are accepted in the tunnel for this long (what is in flight arrives).
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
inline constexpr Lifetime kMinLifetime{4};  // one unit on the wire

// What is remembered of a home address, in memory and on disk. `care_of` is empty when there is no binding: the
// sequence number is kept beyond it (design rule: a replay after expiry or de-registration is answered by status 135).
struct BindingRecord {
  Ipv6Address home_address{};
  std::optional<Ipv6Address> care_of{};
  SequenceNumber sequence{};  // last accepted
  bool key_mobility = false;  // K as acknowledged
  Lifetime granted{};
  std::int64_t expires_unix = 0;  // seconds since 1970, for a restart; 0 without a binding
  bool link_local = false;        // L: the link-local address derived from the home address is defended too
  bool operator==(const BindingRecord&) const = default;
};

// --- events ---
struct UpdateReceived {
  BindingUpdate update{};
  Ipv6Address home_address{};  // from the home address option, or the source address without one
  std::optional<Ipv6Address> home_address_option_source{};  // IP source (care-of) address; empty without that option
  std::int64_t unix_time = 0;                               // wall clock, only stored
};
struct DadFinished {
  Ipv6Address home_address{};
  bool duplicate = false;
};
struct RecordStored {  // answers StoreRecord; for one home address in the order of the StoreRecords
  Ipv6Address home_address{};
  bool stored = false;  // false: the disk refused; the update is answered with 130
};
struct KeysMoved {  // the key management connection of a node follows (K), or could not: K is clear from now on
  Ipv6Address home_address{};
  bool possible = false;
};
// A new set of keys with the node is up. It does not reset the sequence number: status 135 makes the node go on.
struct KeysRenewed {
  Ipv6Address home_address{};
  std::optional<Ipv6Address> endpoint{};  // the node's address that they were agreed with; empty: not known
};
struct MessageUnrecognized {  // a Mobility Header of a type that we do not know (section 9.2)
  std::uint8_t type = 0;
  Ipv6Address source{};                                 // on the wire
  std::optional<Ipv6Address> home_address_in_option{};  // of the home address option, if there was one
};
struct StopAsked {};  // bindings stay on disk, actions take everything out of the kernel
struct DeadlineReached {};
using Event = std::variant<UpdateReceived, DadFinished, RecordStored, KeysMoved, KeysRenewed, MessageUnrecognized,
                           StopAsked, DeadlineReached>;

// --- actions, to be performed in order ---
struct StartDad {  // RFC 6275 section 10.3.1; answered by DadFinished. A probe that is running goes on
  Ipv6Address home_address{};
  bool link_local = false;  // L: also for fe80::/64 with the home address's interface identifier
};
struct StoreRecord {  // durably; answered by RecordStored
  BindingRecord record{};
};
struct InstallBinding {  // tunnel to care_of, intercept the home address (proxy neighbour, section 10.4.1)
  Ipv6Address home_address{};
  Ipv6Address care_of{};
  bool first = false;       // no binding before: announce on the home link
  bool link_local = false;  // L: the derived link-local address is intercepted too
};
struct ForgetCareOf {  // the tunnel accepts packets from this former care-of address no longer
  Ipv6Address home_address{};
  Ipv6Address care_of{};
};
struct RemoveBinding {  // no tunnel, no interception
  Ipv6Address home_address{};
};
// To performing this belongs that the type 2 routing header state goes to `care_of` first: refusals reach nodes that
// have no binding, or another care-of address in it.
struct SendAcknowledgement {
  BindingAcknowledgement acknowledgement{};
  Ipv6Address home_address{};            // destination
  std::optional<Ipv6Address> care_of{};  // with type 2 routing header through it; empty: straight to the home address
};
struct SendBindingError {
  BindingError error{};
  Ipv6Address destination{};
};
struct MoveKeys {  // K agreed: the peer endpoint of the node's IKE connection becomes care_of (home address at home)
  Ipv6Address home_address{};
  Ipv6Address care_of{};
};
struct ReplaceKeys {  // K = 0: drop the IKE connection to the old address once its replacement is up, or after 30 s
  Ipv6Address home_address{};
  Ipv6Address care_of{};  // the new one (home address at home): a connection that runs there already is the replacement
};
struct Report {  // for log and counters
  Ipv6Address home_address{};
  std::string what{};  // "registered at 2001:db8:a2::7 for 420 s (seq 7, K agreed)"
  std::optional<Status> status{};
};
using Action = std::variant<StartDad, StoreRecord, InstallBinding, ForgetCareOf, RemoveBinding, SendAcknowledgement,
                            SendBindingError, MoveKeys, ReplaceKeys, Report>;

// A node that is served; its home address unequivocally names its security association (section 10.3.1).
struct ServedNode {
  Ipv6Address home_address{};
  bool dynamic_keys = true;
};

using ServedNodes = std::unordered_map<Ipv6Address, ServedNode>;  // by home address

struct Policy {
  Ipv6Address address{};  // our own
  std::vector<Ipv6Prefix> home_prefixes{};
  std::vector<ServedNode> nodes{};
  bool key_mobility = true;  // answer K with K
  Lifetime max_lifetime{3600};
  bool duplicate_address_detection = true;
};

struct Counters {
  std::uint64_t updates = 0;
  std::uint64_t accepted = 0;
  std::uint64_t dropped = 0;  // silently, as section 9.5.1 wants
  std::map<Status, std::uint64_t> refused;
};

// Why an update is dropped without an answer (section 9.5.1), in words for a Report.
struct Dropped {
  std::string_view why;
};
// An update that passed the tests that need no state but the last number.
struct Request {
  Ipv6Address home_address{};
  Ipv6Address care_of{};                       // the home address itself when the node is at home
  std::optional<Ipv6Address> reply_through{};  // care-of address that the acknowledgement goes through (section 9.5.4)
  SequenceNumber sequence{};
  bool deregistration = false;
  bool key_mobility = false;  // K asked
  bool link_local = false;    // L asked
  Lifetime lifetime{};        // asked
  std::int64_t unix_time = 0;
};
// The update is answered with this status. `sequence`: of the update, or the last accepted one for status 135.
struct Refused {
  Status status = Status::kReasonUnspecified;
  SequenceNumber sequence{};
};
using Verdict = std::variant<Dropped, Refused, Request>;

class HomeAgent {
 public:
  // Bindings from disk are taken up by restore(), before the first event.
  explicit HomeAgent(const Policy& policy);

  // Takes up what the disk remembers; actions install the bindings that still live. Of those that have expired at
  // `unix_now`, and of nodes that are no longer served, only the sequence number is kept.
  std::vector<Action> restore(const std::vector<BindingRecord>& records, std::int64_t unix_now, BootTime now);
  std::vector<Action> handle(const Event& event, BootTime now);  // `now` never goes back
  std::optional<BootTime> next_deadline() const;                 // empty: nothing to wait for

  // The record of a home address, nullptr if none. For `mip6-ha list` and the tests.
  const BindingRecord* find(const Ipv6Address& home_address) const;
  std::vector<BindingRecord> records() const;  // in no order
  const Counters& counters() const { return counters_; }
  // Home addresses of which anything is remembered: never more than are served or were restored.
  std::size_t remembered() const { return entries_.size(); }

 private:
  using Actions = std::vector<Action>;

  // An update on its way to its acknowledgement. At most one more waits behind it.
  struct Pending {
    enum class Phase { kProbing, kStoring };
    Phase phase = Phase::kProbing;
    Request request;
    BindingRecord record;         // what is being stored
    std::optional<Request> next;  // the newest that came while storing
    BootTime received{};          // when `request` came
    BootTime probing_since{};
  };
  struct FormerCareOf {
    Ipv6Address care_of;
    BootTime until{};
  };
  // All that is known of one home address; exists only for served nodes and those that the disk remembers.
  struct Entry {
    std::optional<BindingRecord> record;  // last acknowledged; empty before the first
    BootTime expires{};                   // of the binding, if the record has one
    std::vector<FormerCareOf> former;     // oldest first, at most kMaxFormerCareOf
    std::unique_ptr<Pending> pending;
    std::size_t unasked_stores = 0;        // StoreRecords of expiries, not answered yet
    std::optional<BootTime> deregistered;  // when
    std::optional<Ipv6Address> keys_at;    // where the node's IKE endpoint is, as far as known
    bool keys_movable = true;              // false after KeysMoved{possible = false}
    std::optional<BootTime> scheduled;     // its element in deadlines_
    bool bound() const { return record && record->care_of; }
  };

  void on(const UpdateReceived& event, BootTime now, Actions& out);
  void on(const DadFinished& event, BootTime now, Actions& out);
  void on(const RecordStored& event, BootTime now, Actions& out);
  void on(const KeysMoved& event, BootTime now, Actions& out);
  void on(const KeysRenewed& event, BootTime now, Actions& out);
  void on(const MessageUnrecognized& event, BootTime now, Actions& out);
  void on(const StopAsked& event, BootTime now, Actions& out);
  void on(const DeadlineReached& event, BootTime now, Actions& out);

  // The road of an update: begin, or join one that is under way; probe; store; commit.
  void begin(Entry& entry, const Request& request, BootTime now, Actions& out);
  void join(Entry& entry, const Request& request, BootTime now, Actions& out);
  void probe(Entry& entry, BootTime now, Actions& out);
  void store(Entry& entry, BootTime now, Actions& out);
  void commit(Entry& entry, const Pending& done, BootTime now, Actions& out);
  void remember_former(Entry& entry, const Ipv6Address& previous, const Ipv6Address& care_of, BootTime now,
                       Actions& out);
  void settle_keys(Entry& entry, const Pending& done, const std::optional<Ipv6Address>& previous, Actions& out);
  bool grants_key_mobility(const Entry& entry, const Request& request) const;
  Lifetime granted_lifetime(const Request& request) const;

  void drop(const Ipv6Address& home_address, std::string_view why, Actions& out);
  void refuse(const Ipv6Address& home_address, const std::optional<Ipv6Address>& reply_through, const Refused& refusal,
              Actions& out);
  void refuse(const Request& request, Status status, Actions& out);

  void expire(Entry& entry, Actions& out);
  static bool waits_for_expiry(const Entry& entry);
  void reschedule(const Ipv6Address& home_address, Entry& entry);

  Policy policy_;
  ServedNodes served_;
  std::unordered_map<Ipv6Address, Entry> entries_;
  std::set<std::pair<BootTime, Ipv6Address>> deadlines_;  // the earliest of each entry
  Counters counters_;
  // The token bucket of Binding Errors: each sent moves this forward by one interval, never beyond the present.
  BootTime binding_errors_at_ = BootTime{} - kBindingErrorBurst * kBindingErrorInterval;
  bool stopped_ = false;
};

}  // namespace mip6::agent
