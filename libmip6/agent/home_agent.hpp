// The home agent (RFC 6275 sections 9.5 and 10.3) as a core without I/O: binding cache, validation of Binding Updates
// in the RFC's order, acknowledgements that leave only after what they promise is durable.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "libmip6/address.hpp"
#include "libmip6/sequence.hpp"
#include "libmip6/time.hpp"
#include "libmip6/wire/message.hpp"

namespace mip6::agent {

// After a move both care-of addresses are accepted in the tunnel for this long (what is in flight arrives).
inline constexpr Duration kPreviousCareOfGrace = std::chrono::seconds{2};

// What is remembered of a home address, in memory and on disk. `care_of` is empty when there is no binding: the
// sequence number is kept beyond it (design rule: a replay after expiry or de-registration is answered by status 135).
struct BindingRecord {
  Ipv6Address home_address;
  std::optional<Ipv6Address> care_of;
  SequenceNumber sequence;    // last accepted
  bool key_mobility = false;  // K as acknowledged
  Lifetime granted{};
  std::int64_t expires_unix = 0;  // seconds since 1970, for a restart; 0 without a binding
  bool operator==(const BindingRecord&) const = default;
};

// --- events ---
struct UpdateReceived {
  BindingUpdate update;
  Ipv6Address home_address;  // from the home address option, or the source address without one
  std::optional<Ipv6Address> home_address_option_source;  // IP source (care-of) address; empty without that option
  std::int64_t unix_time = 0;                             // wall clock, only stored
};
struct DadFinished {
  Ipv6Address home_address;
  bool duplicate = false;
};
struct RecordStored {  // answers StoreRecord
  Ipv6Address home_address;
  bool stored = false;  // false: the disk refused; the update is answered with 130
};
struct KeysMoved {  // the key management connection of a node follows (K), or could not: K is clear from now on
  Ipv6Address home_address;
  bool possible = false;
};
struct StopAsked {};  // bindings stay on disk, actions take everything out of the kernel
struct DeadlineReached {};
using Event = std::variant<UpdateReceived, DadFinished, RecordStored, KeysMoved, StopAsked, DeadlineReached>;

// --- actions, to be performed in order ---
struct StartDad {  // RFC 6275 section 10.3.1; answered by DadFinished
  Ipv6Address home_address;
};
struct StoreRecord {  // durably; answered by RecordStored
  BindingRecord record;
};
struct InstallBinding {  // tunnel to care_of, intercept the home address (proxy neighbour, section 10.4.1)
  Ipv6Address home_address;
  Ipv6Address care_of;
  bool first = false;  // no binding before: announce on the home link
};
struct ForgetCareOf {  // the tunnel accepts packets from this former care-of address no longer
  Ipv6Address home_address;
  Ipv6Address care_of;
};
struct RemoveBinding {  // no tunnel, no interception
  Ipv6Address home_address;
};
struct SendAcknowledgement {
  BindingAcknowledgement acknowledgement;
  Ipv6Address home_address;            // destination
  std::optional<Ipv6Address> care_of;  // with type 2 routing header through it; empty: straight to the home address
};
struct SendBindingError {
  BindingError error;
  Ipv6Address destination;
};
struct MoveKeys {  // K agreed: the peer endpoint of the node's IKE connection becomes care_of (home address at home)
  Ipv6Address home_address;
  Ipv6Address care_of;
};
struct ReplaceKeys {  // K = 0: drop the IKE connection to the old address once its replacement is up, or after 30 s
  Ipv6Address home_address;
};
struct Report {  // for log and counters
  Ipv6Address home_address;
  std::string what;  // "registered at 2001:db8:a2::7 for 420 s (seq 7, K agreed)"
  std::optional<Status> status;
};
using Action = std::variant<StartDad, StoreRecord, InstallBinding, ForgetCareOf, RemoveBinding, SendAcknowledgement,
                            SendBindingError, MoveKeys, ReplaceKeys, Report>;

// A node that is served; its home address unequivocally names its security association (section 10.3.1).
struct ServedNode {
  Ipv6Address home_address;
  bool dynamic_keys = true;
};

struct Policy {
  Ipv6Address address;  // our own
  std::vector<Ipv6Prefix> home_prefixes;
  std::vector<ServedNode> nodes;
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

class HomeAgent {
 public:
  // `records`: from disk. Bindings that have not expired at `unix_now` are taken up again: see restore().
  explicit HomeAgent(const Policy& policy);

  // Takes up what the disk remembers; actions install the bindings that still live.
  std::vector<Action> restore(const std::vector<BindingRecord>& records, std::int64_t unix_now, BootTime now);
  std::vector<Action> handle(const Event& event, BootTime now);
  std::optional<BootTime> next_deadline() const;

  // The record of a home address, nullptr if none. For `mip6-ha list` and the tests.
  const BindingRecord* find(const Ipv6Address& home_address) const;
  std::vector<BindingRecord> records() const;
  const Counters& counters() const;

 private:
  // ... owned by the implementation
};

}  // namespace mip6::agent
