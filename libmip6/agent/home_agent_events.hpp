// What the home agent's core is told and what it wants done; the state that it makes durable.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "libmip6/address.hpp"
#include "libmip6/agent/home_prefix.hpp"
#include "libmip6/sequence.hpp"
#include "libmip6/time.hpp"
#include "libmip6/wire/message.hpp"

namespace mip6::agent {

// What is remembered of a home address, in memory and on disk. `care_of` is empty when there is no binding: the
// sequence number is kept beyond it (design rule: a replay after expiry or de-registration is answered by status 135).
struct BindingRecord {
  Ipv6Address home_address{};
  std::optional<Ipv6Address> care_of{};
  SequenceNumber sequence{};  // last accepted
  bool key_mobility = false;  // K as acknowledged
  Lifetime granted{};
  // The end of the binding on both clocks, for a restart: see HomeAgent::restore().
  std::int64_t expires_unix = 0;           // wall clock, seconds since 1970; 0 without a binding
  std::optional<BootTime> expires_boot{};  // boot clock; empty without a binding, and if it was another boot's
  bool link_local = false;                 // L: the link-local address derived from the home address is defended too
  bool operator==(const BindingRecord&) const = default;
};

// What outlasts a binding.
inline BindingRecord without_binding(const BindingRecord& record) {
  return {.home_address = record.home_address, .care_of = std::nullopt, .sequence = record.sequence};
}

// --- events ---
// Protected by the security association that the home address names (RFC 6275 section 10.3.1): the caller drops what
// came without it. Nothing here can tell.
struct UpdateReceived {
  BindingUpdate update{};
  Ipv6Address home_address{};  // from the home address option, or the source address without one
  std::optional<Ipv6Address> home_address_option_source{};  // IP source (care-of) address; empty without that option
  std::int64_t unix_time = 0;                               // wall clock, seconds since 1970; only stored
};
struct DadFinished {
  Ipv6Address home_address{};
  bool duplicate = false;
};
struct RecordStored {  // answers StoreRecord; for one home address in the order of the StoreRecords
  Ipv6Address home_address{};
  bool stored = false;  // false: the disk refused; the update is answered with 130
};
// The key management connection of a node follows (K), or could not: K is clear from now on. Answers MoveKeys, and
// comes unasked when it turns out later that the connection has not followed.
struct KeysMoved {
  Ipv6Address home_address{};
  bool possible = false;
};
// The node has a new set of keys: the only one that is up, or it has begun to use it. It does not reset the sequence
// number: status 135 makes the node go on.
struct KeysRenewed {
  Ipv6Address home_address{};
  std::optional<Ipv6Address> endpoint{};  // the node's address that they were agreed with; empty: not known
};
struct MessageUnrecognized {  // a Mobility Header of a type that we do not know (section 9.2)
  std::uint8_t type = 0;
  Ipv6Address source{};                                 // on the wire
  std::optional<Ipv6Address> home_address_in_option{};  // of the home address option, if there was one
};
// What is advertised on the home link has changed (section 10.3.1): replaces the former prefixes. Bindings end with the
// validity of their prefix, those without a valid one at once.
struct HomePrefixesChanged {
  HomePrefixes prefixes{};
};
// A node is banned, or served no longer: its binding ends at once, an update on its way is answered by nobody. Its last
// sequence number is kept. The caller's Authorisation refuses what comes later, and its keys go.
struct ServiceEnded {
  Ipv6Address home_address{};
};
// After ServiceEnded, once that is stored: the node has other keys, set by hand, which have carried nothing yet, and
// the disk has no last number any more.
struct NumberForgotten {
  Ipv6Address home_address{};
};
// The home link was away. Another home agent may have taken over meanwhile: no home address is intercepted until the
// link has been asked for each of them. Only for a link that may have other home agents.
struct HomeLinkReturned {};
struct StopAsked {};  // bindings stay on disk, actions take everything out of the kernel
struct DeadlineReached {};
using Event =
    std::variant<UpdateReceived, DadFinished, RecordStored, KeysMoved, KeysRenewed, MessageUnrecognized,
                 HomePrefixesChanged, ServiceEnded, NumberForgotten, HomeLinkReturned, StopAsked, DeadlineReached>;

// --- actions, to be performed in order ---
struct StartDad {  // RFC 6275 section 10.3.1; answered by DadFinished. A probe that is running goes on
  Ipv6Address home_address{};
  bool link_local = false;  // L: also for fe80::/64 with the home address's interface identifier
  // Another home agent may intercept it: a proxy takes its time to answer, and there is no hurry (RFC 4861 section
  // 7.2.7), so the link is asked more than once.
  bool thorough = false;
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
  // The node has gone home and what it sent before is on its way: from its care-of addresses the tunnel accepts packets
  // until their ForgetCareOf.
  bool in_flight = false;
};
// To performing this belongs that the type 2 routing header state goes to `care_of` first: refusals reach nodes that
// have no binding, or another care-of address in it.
struct SendAcknowledgement {
  BindingAcknowledgement acknowledgement{};
  Ipv6Address home_address{};            // destination
  std::optional<Ipv6Address> care_of{};  // with type 2 routing header through it; empty: straight to the home address
  // A refusal to a node on the home link: its packets may be intercepted, so this goes to its link-layer address
  // (section 10.3.2).
  bool to_link_layer = false;
};
struct SendBindingError {
  BindingError error{};
  Ipv6Address destination{};
};
// K is to be agreed: the peer endpoint of the node's IKE connection becomes care_of (home address at home). Answered by
// KeysMoved, always: the acknowledgement waits for it.
struct MoveKeys {
  Ipv6Address home_address{};
  Ipv6Address care_of{};
};
// K = 0: drop the IKE connection to the old address once the node uses its replacement, or some time later.
struct ReplaceKeys {
  Ipv6Address home_address{};
  Ipv6Address care_of{};  // the new one (home address at home): a connection that runs there already is the replacement
};
struct Report {  // for log and counters
  Ipv6Address home_address{};
  std::string what{};  // "registered at 2001:db8:a2::7 for 420 s (seq 7, K agreed)"
  std::optional<Status> status{};
  bool dropped = false;    // an update, without an answer
  std::string_view why{};  // it was dropped: a literal, as in Counters::dropped_because
};
using Action = std::variant<StartDad, StoreRecord, InstallBinding, ForgetCareOf, RemoveBinding, SendAcknowledgement,
                            SendBindingError, MoveKeys, ReplaceKeys, Report>;

}  // namespace mip6::agent
