// What a home registration is told and what it decides: the events and actions of the mobile node's core.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "libmip6/address.hpp"
#include "libmip6/node/movement.hpp"
#include "libmip6/sequence.hpp"
#include "libmip6/time.hpp"
#include "libmip6/wire/message.hpp"

namespace mip6::node {

// --- events ---
struct Attached {  // the best attachment changed
  Attachment attachment;
  // The previous one still works (soft move): what is in flight to it arrives.
  bool previous_usable = false;
};
struct Detached {};          // no usable attachment is left
struct KeysUsable {          // an SA pair for the Mobility Header is in the kernel
  bool can_migrate = false;  // dynamic keying whose endpoint can be moved: the K flag is set in updates
  bool fresh = false;        // keys never used before: nothing sent under them yet
  // The local address that key management uses now, where that is known; without it the core goes by what it asked for.
  std::optional<Ipv6Address> endpoint{};
  // Keys from key management, which can make new ones. False: keys set by hand, which only the user can replace.
  bool dynamic = true;
};
struct KeysUnusable {};    // no SA pair: updates wait
struct OwnKeysStayed {};   // the kernel refused the last MoveOwnKeys
struct SequenceReserved {  // what the ReserveSequence with this end asked for is durable
  SequenceNumber end;
};
struct SequenceReservationFailed {};  // the disk refused; tried again after a back-off
// From the home agent, protected by ESP: the caller drops what came otherwise (RFC 6275 section 11.7.3).
struct AcknowledgementReceived {
  BindingAcknowledgement acknowledgement;
};
struct RefreshRequestReceived {};  // a Binding Refresh Request (section 11.7.4), under the same conditions
// From the home agent's address, in the clear by nature; the caller drops those of others (section 11.3.6).
struct BindingErrorReceived {
  BindingError error;
};
// An ICMPv6 Parameter Problem (RFC 4443 section 3.4) that quotes an update of ours; nothing shows who sent it.
struct ParameterProblemReceived {
  std::uint8_t code = 0;      // 1: Mobility Header, 2: home address option not recognised
  std::uint32_t pointer = 0;  // offset in the quoted packet
};
// The home address' prefix is valid until then, as mobile prefix discovery has learned; empty: for ever, or not known.
// Not known either once that time has passed: the home agent is asked.
struct HomeAddressValid {
  std::optional<BootTime> until{};
};
struct UpdateSendFailed {  // the kernel refused the update with this number
  SequenceNumber sequence;
  std::string reason;
};
struct RefreshAsked {};     // by the user: register again now
struct StopAsked {};        // de-register, then Stopped
struct DeadlineReached {};  // the time of next_deadline() has come; early or late is harmless
using Event = std::variant<Attached, Detached, KeysUsable, KeysUnusable, OwnKeysStayed, SequenceReserved,
                           SequenceReservationFailed, AcknowledgementReceived, RefreshRequestReceived,
                           BindingErrorReceived, ParameterProblemReceived, HomeAddressValid, UpdateSendFailed,
                           RefreshAsked, StopAsked, DeadlineReached>;

// --- actions ---
// Home address option and routing header states for it; at home: none of them, but the home address on the home link,
// which it must leave with the UseAttachment of the next attachment away (the home agent looks for duplicates then),
// and the way to the home agent there. The payload stays where it is, and as it is: with SwitchOutbound it follows.
struct UseAttachment {
  Attachment attachment;
};
struct SendUpdate {
  BindingUpdate update;
};
struct SwitchOutbound {  // payload with the home address as source leaves this way from now on
  Attachment attachment;
  bool previous_usable = false;  // the address before it could still be used when it was left: packets may come there
};
// No binding (of ours, or any longer one of a former process), or home left: no payload from the home address, new
// connections do not choose it. What UseAttachment made at home stays there until the node is somewhere else.
struct StopOutbound {};
struct ReserveSequence {  // make both durable as SequenceState; answer with SequenceReserved or ...ReservationFailed
  SequenceNumber end;     // exclusive
  std::optional<SequenceNumber> first_under_keys{};  // empty: not known, and the disk must say so too
};
struct NeedKeys {  // establish keys, from this attachment; answered by KeysUsable some time later
  Attachment attachment;
};
// Hard move: our own end of the key management follows at once, so that nobody takes its address for lost; what becomes
// of the other end is told by the acknowledgement (MoveKeys or RenewKeys).
struct MoveOwnKeys {
  Attachment attachment;
};
struct MoveKeys {  // K agreed: the key management's endpoint moves here, on both ends, without any packet
  Attachment attachment;
};
// Key management is established anew from here, make before break: K was refused, or the present keys are used up, or
// the home agent's end was left behind, or may have been.
struct RenewKeys {
  Attachment attachment;
  bool previous_usable = false;  // the address it runs from now still works
  bool used_up = false;          // also if it runs from here already
  bool left_behind = false;      // the same
};
// RFC 6275 section 11.5.5: Neighbor Advertisement with Override on the home link; once the home agent has agreed, and
// never before.
struct AnnounceHomeAddress {
  Attachment attachment;
};
struct Registered {  // for status and log
  Attachment attachment;
  SequenceNumber sequence;
  Lifetime lifetime{};  // granted; zero at home
  bool key_mobility = false;
  Duration took{};  // from Attached (or the cause) to the acknowledgement
};
struct Trouble {                 // for status and log; the core goes on trying with back-off unless it was stopped
  std::string what;              // "home agent 2001:db8:1::1 does not answer (3 updates sent)"
  std::string remedy;            // "check that ..."
  std::optional<Status> status;  // of the refusal, if it was one
};
struct PrefixDiscoveryNecessary {};  // status 1: ask for the prefixes of the home link
// Status 132, 133 or 134: this home agent does not serve this home address; another agent or address may help.
struct NotServed {
  Status status{};
};
// The home agent was asked from there and does not answer: two updates in a row (three where the attachment before
// still worked), or keys that do not come. Told once for each attachment; another one may lead to it (LinkHealth), and
// is Attached then. The next update waits for the next event, DeadlineReached at the latest, which is due at once.
struct Unanswered {
  Attachment attachment;
};
struct AgentSilent {};  // several updates in a row stayed unanswered; told once, before the next one
// How a registration ended.
enum class Farewell {
  kAgreed,    // now or before at home: the home agent serves us no longer
  kNotBound,  // there was no binding, of a former process neither
  kNotAsked,  // there may be one, but no keys or no attachment to de-register by
  kRefused,
  kUnanswered,  // given up after kStopTimeout
};
struct Stopped {
  Farewell farewell{};
};
using Action = std::variant<UseAttachment, SendUpdate, SwitchOutbound, StopOutbound, ReserveSequence, NeedKeys,
                            MoveOwnKeys, MoveKeys, RenewKeys, AnnounceHomeAddress, Registered, Trouble,
                            PrefixDiscoveryNecessary, NotServed, Unanswered, AgentSilent, Stopped>;

}  // namespace mip6::node
