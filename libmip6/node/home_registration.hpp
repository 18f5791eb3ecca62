// The mobile node's side of home registration (RFC 6275 sections 11.5.5, 11.7.1, 11.7.3, 11.8) as a core without I/O:
// events and the time go in, actions come out in the order in which they are to be performed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "libmip6/address.hpp"
#include "libmip6/node/movement.hpp"
#include "libmip6/node/update_rate.hpp"
#include "libmip6/sequence.hpp"
#include "libmip6/time.hpp"
#include "libmip6/wire/message.hpp"

namespace mip6::node {

inline constexpr Duration kInitialBindackTimeout = std::chrono::seconds{1};
inline constexpr Duration kMaxBindackTimeout = std::chrono::seconds{32};
inline constexpr Duration kInitialBindackTimeoutFirstReg = std::chrono::milliseconds{1500};
inline constexpr Duration kStopTimeout = std::chrono::seconds{2};  // a stop waits no longer for its acknowledgement

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
  std::optional<Ipv6Address> endpoint;
};
struct KeysUnusable {};    // no SA pair: updates wait
struct SequenceReserved {  // what ReserveSequence asked for is durable
  SequenceNumber end;
};
struct SequenceReservationFailed {};  // the disk refused; tried again after a back-off
struct AcknowledgementReceived {
  BindingAcknowledgement acknowledgement;
};
struct RefreshRequestReceived {};
struct BindingErrorReceived {
  BindingError error;
};
struct UpdateSendFailed {  // the kernel refused the update with this number
  SequenceNumber sequence;
  std::string reason;
};
struct RefreshAsked {};     // by the user: register again now
struct StopAsked {};        // de-register, then Stopped
struct DeadlineReached {};  // the time of next_deadline() has come; early or late is harmless
using Event = std::variant<Attached, Detached, KeysUsable, KeysUnusable, SequenceReserved, SequenceReservationFailed,
                           AcknowledgementReceived, RefreshRequestReceived, BindingErrorReceived, UpdateSendFailed,
                           RefreshAsked, StopAsked, DeadlineReached>;

// --- actions ---
// Home address option and routing header states for it; at home: none of them, but the home address on the home link,
// which it must leave with the UseAttachment of the next attachment away (the home agent looks for duplicates then).
struct UseAttachment {
  Attachment attachment;
};
struct SendUpdate {
  BindingUpdate update;
};
struct SwitchOutbound {  // payload with the home address as source leaves this way from now on
  Attachment attachment;
};
// No binding (of ours, or any longer one of a former process), or home left: no payload from the home address, new
// connections do not choose it.
struct StopOutbound {};
struct ReserveSequence {
  SequenceNumber end;  // exclusive; answer with SequenceReserved or SequenceReservationFailed
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
struct RenewKeys {  // K refused: key management is established anew from here, make before break
  Attachment attachment;
  bool previous_usable = false;
};
// RFC 6275 section 11.5.5: Neighbor Advertisement with Override on the home link; once the home agent has agreed, its
// binding has expired, or the interface there is another one.
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
struct Stopped {
  // The home agent has agreed, now or before at home, that it serves us no longer. False: refused, given up after
  // kStopTimeout, impossible without keys or attachment, or never registered.
  bool deregistered = false;
};
using Action = std::variant<UseAttachment, SendUpdate, SwitchOutbound, StopOutbound, ReserveSequence, NeedKeys,
                            MoveOwnKeys, MoveKeys, RenewKeys, AnnounceHomeAddress, Registered, Trouble, Stopped>;

struct Policy {
  Ipv6Address home_address;
  Ipv6Address home_agent;
  Lifetime lifetime{420};         // asked for; the home agent may grant less
  bool link_local = false;        // L flag
  bool may_have_binding = false;  // a former process may have left a binding and its way for the payload
};

enum class State { kDetached, kWaitingForKeys, kRegistering, kRegistered, kAtHome, kDeregistering, kStopped };
std::string_view name_of(State state);

struct Counters {
  std::uint64_t updates_sent = 0;
  std::uint64_t retransmissions = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t refused = 0;
  std::uint64_t ignored_acknowledgements = 0;  // wrong number, or nothing outstanding
  std::uint64_t rate_limited = 0;
};

class HomeRegistration {
 public:
  // `first_unused`: where the numbers go on; the end of the last durable block after a restart.
  HomeRegistration(const Policy& policy, SequenceNumber first_unused);

  std::vector<Action> handle(const Event& event, BootTime now);  // `now` never goes back
  std::optional<BootTime> next_deadline() const;                 // empty: nothing to wait for

  State state() const;
  const std::optional<Attachment>& attachment() const;  // where we are, registered or not
  std::optional<Attachment> registered_at() const;      // what the home agent acknowledged last
  std::optional<BootTime> expires() const;              // of the binding
  std::optional<SequenceNumber> last_sequence() const;  // of the last update sent
  bool key_mobility() const;                            // K of the last acknowledgement
  const Counters& counters() const;

 private:
  struct Keys {
    bool can_migrate = false;
  };
  struct SentUpdate {
    SequenceNumber sequence;
    BootTime at;
    Lifetime lifetime{};
    bool key_mobility = false;
  };
  // What the home agent holds for us, as far as it has acknowledged it.
  struct Binding {
    Attachment attachment;
    BootTime expires;
    BootTime refresh_at;
  };
  // The phases. Nothing to tell the home agent:
  struct Quiet {};
  // The home agent is to know where we are; lasts until it accepts or the attachment changes.
  struct Exchange {
    BootTime since;                      // its cause
    BootTime send_at;                    // the next update is due
    bool awaiting = false;               // an update is on its way, and send_at is the end of its timeout
    bool limited = false;                // the update that is due waits for the rate limit
    Duration timeout{};                  // of the last update; zero: the next one begins with the initial timeout
    bool restore_outbound = false;       // the kernel may have dropped the routes while the node was detached
    int unanswered = 0;                  // timeouts in a row
    int send_failures = 0;               // in a row
    int refusals = 0;                    // in a row
    std::vector<SentUpdate> sent;        // outstanding, oldest first
    std::optional<BootTime> give_up_at;  // set: it is the last one, the node stops
  };
  struct Ended {};

  // One for each event.
  void on(const Attached& event);
  void on(const Detached& event);
  void on(const KeysUsable& event);
  void on(const KeysUnusable& event);
  void on(const SequenceReserved& event);
  void on(const SequenceReservationFailed& event);
  void on(const AcknowledgementReceived& event);
  void on(const RefreshRequestReceived& event);
  void on(const BindingErrorReceived& event);
  void on(const UpdateSendFailed& event);
  void on(const RefreshAsked& event);
  void on(const StopAsked& event);
  void on(const DeadlineReached& event);

  // home_registration.cpp: moves, sending, deadlines
  void follow_same_care_of(const Attachment& attachment);
  void leave_home(bool was_at_home);
  void redirect_after_hard_move();
  void switch_outbound();
  void need_keys();
  void move_own_keys();
  void begin_exchange();
  void do_what_is_due();
  void expire_binding();
  void expire_inheritance();
  void go_on_without_binding();
  void send_if_due();
  void send_update(Exchange& exchange, SequenceNumber number);
  bool wants_reservation() const;
  void reserve_if_wanted();
  void report(std::string what, std::string remedy, std::optional<Status> status = std::nullopt);

  // acknowledgement.cpp: what an answer means
  void on_out_of_window(SequenceNumber last_accepted);
  void on_accepted(const SentUpdate& sent, const BindingAcknowledgement& acknowledgement);
  void on_refused(Status status);
  void back_off(Exchange& exchange, Duration initial, Duration longest);
  void keys_follow(bool key_mobility);
  void ignore_acknowledgement();

  Exchange* exchange() { return std::get_if<Exchange>(&phase_); }
  const Exchange* exchange() const { return std::get_if<Exchange>(&phase_); }
  bool deregisters(const Exchange& exchange) const;
  bool binding_lives() const { return binding_ && now_ < binding_->expires; }

  Policy policy_;
  SequenceReservation reservation_;
  UpdateRate rate_;
  std::variant<Quiet, Exchange, Ended> phase_;
  std::optional<Attachment> attachment_;
  std::optional<Keys> keys_;
  std::optional<Binding> binding_;
  std::optional<Attachment> acknowledged_at_;  // also at home, where there is no binding
  bool acknowledged_k_ = false;
  bool started_ = false;
  std::optional<BootTime> inherited_until_;  // what a former process left for the payload may lead somewhere
  std::optional<BootTime> bound_until_;      // the latest time at which the home agent may hold a binding of ours
  std::optional<Attachment> outbound_;       // where SwitchOutbound sent the payload last
  std::optional<Ipv6Address> endpoint_;      // of the key management, as asked for or told
  bool endpoint_usable_ = false;             // that address has worked ever since
  std::optional<Ipv6Address> own_endpoint_;  // where our own end of it is, ahead of the other after a hard move
  std::optional<SequenceNumber> reserving_;  // asked for, not answered yet
  BootTime reserve_at_;                      // not before: the disk refused
  int reservation_failures_ = 0;
  BootTime binding_errors_heeded_at_;  // not before
  std::optional<SequenceNumber> last_sequence_;
  std::string last_trouble_;
  Counters counters_;

  // While an event is handled:
  BootTime now_;
  std::vector<Action> actions_;
};

}  // namespace mip6::node
