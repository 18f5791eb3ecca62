// The mobile node's side of home registration (RFC 6275 sections 11.5.5, 11.7.1, 11.7.3, 11.8) as a core without I/O:
// events and the time go in, actions come out in the order in which they are to be performed. Both are in events.hpp.
//
// It is the node's Binding Update List (RFC 6275 section 11.1) as far as home registrations need one: one entry, for
// one home address with one home agent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "libmip6/address.hpp"
#include "libmip6/forecast.hpp"
#include "libmip6/node/events.hpp"
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

struct Policy {
  Ipv6Address home_address;
  Ipv6Address home_agent;
  Lifetime lifetime{420};         // asked for; the home agent may grant less
  bool link_local = false;        // L flag
  bool may_have_binding = false;  // a former process may have left a binding and its way for the payload
  // InitialBindackTimeoutFirstReg (RFC 6275 section 13): while there is no binding; not zero.
  Duration first_timeout = kInitialBindackTimeoutFirstReg;
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
  std::uint64_t sent_for_new_keys = 0;  // again, because the keys were changed while an update was outstanding
  // Errors that nothing authenticates, as the events tell them: heeded or ignored.
  std::uint64_t binding_errors = 0;
  std::uint64_t parameter_problems = 0;
};

class HomeRegistration {
 public:
  // `stored`: what the disk holds; where it holds nothing any number, and no first one under the present keys.
  // `rate`: of a former registration that may have sent to this home agent a moment ago.
  HomeRegistration(const Policy& policy, const SequenceState& stored, const UpdateRate& rate = {});

  std::vector<Action> handle(const Event& event, BootTime now);  // `now` never goes back
  std::optional<BootTime> next_deadline() const;                 // empty: nothing to wait for

  // Of the updates from now on; neither is zero.
  void set_times(Lifetime lifetime, Duration first_timeout);

  State state() const;
  bool settled() const;  // the home agent knows where we are, and no update is outstanding
  const std::optional<Attachment>& attachment() const;  // where we are, registered or not
  std::optional<Attachment> registered_at() const;      // what the home agent acknowledged last
  std::optional<BootTime> expires() const;              // of the binding
  std::optional<SequenceNumber> last_sequence() const;  // of the last update sent
  bool key_mobility() const;                            // K of the last acknowledgement
  // They were asked for and are not there, also while a binding lives.
  bool lacks_keys() const { return attachment_ && !keys_; }
  // The last two updates or more from this attachment, in a row; three where the attachment before it still worked.
  bool unanswered() const;
  const Counters& counters() const;
  const UpdateRate& rate() const { return rate_; }
  // Where the numbers go on with another home agent, and since when they are used: manual keys with that one may have
  // seen them all.
  SequenceState numbers() const { return reservation_.state(); }
  std::uint16_t used_under_keys() const { return reservation_.used_under_keys(); }  // of 2^15; that if not known
  const SequenceForecast& forecast() const { return forecast_; }
  std::size_t outstanding() const;  // updates remembered until their acknowledgement; bounded

 private:
  struct Keys {
    bool can_migrate = false;
    bool dynamic = true;
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
    bool for_move = false;               // its cause is another attachment, or the first one
    int numbers_for_move = 0;            // that the forecast has counted as the movement's
    BootTime send_at;                    // the next update is due
    bool awaiting = false;               // an update is on its way, and send_at is the end of its timeout
    bool limited = false;                // the update that is due waits for the rate limit
    Duration timeout{};                  // of the last update; zero: the next one begins with the initial timeout
    bool restore_outbound = false;       // the kernel may have dropped the routes while the node was detached
    int unanswered = 0;                  // timeouts in a row
    bool silence_told = false;           // by AgentSilent
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
  void on(const OwnKeysStayed& event);
  void on(const SequenceReserved& event);
  void on(const SequenceReservationFailed& event);
  void on(const AcknowledgementReceived& event);
  void on(const RefreshRequestReceived& event);
  void on(const BindingErrorReceived& event);
  void on(const ParameterProblemReceived& event);
  void on(const HomeAddressValid& event);
  void on(const UpdateSendFailed& event);
  void on(const RefreshAsked& event);
  void on(const StopAsked& event);
  void on(const DeadlineReached& event);

  // home_registration.cpp: moves, deadlines
  void follow_same_care_of(const Attachment& attachment);
  void leave_home(bool was_at_home);
  void redirect_after_hard_move();
  void switch_outbound();
  void begin_exchange();
  void do_what_is_due();
  void expire_binding();
  void expire_inheritance();
  void go_on_without_binding();
  void report(std::string what, std::string remedy, std::optional<Status> status = std::nullopt);

  // keys.cpp: keys and the numbers used under them
  void need_keys();
  void move_own_keys();
  enum class Renewal { kRefused, kUsedUp, kLeftBehind };
  void renew_keys(Renewal why);
  void renew_if_used_up();
  bool wants_reservation() const;
  void reserve_if_wanted();

  // sending.cpp: updates
  bool can_send(const Exchange& exchange) const;
  int unanswered_until_elsewhere(const Exchange& exchange) const;
  void send_if_due();
  void send_update(Exchange& exchange, SequenceNumber number);
  Lifetime lifetime_to_ask_for() const;

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
  bool previous_usable_ = false;  // the attachment before this one was, when it was left
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
  bool endpoint_moved_ = false;              // it was not established from there, but moved with K
  // The other end may believe it elsewhere: a former process may have moved it, or K was asked for from another address
  // and the answer did not come.
  bool endpoint_doubtful_ = false;
  std::optional<Ipv6Address> own_endpoint_;  // where our own end of it is, ahead of the other after a hard move
  std::optional<SequenceState> reserving_;   // asked for, not answered yet
  BootTime reserve_at_;                      // not before: the disk refused
  int reservation_failures_ = 0;
  bool renewal_asked_ = false;  // fresh keys, of key management or the user, because of the numbers
  SequenceForecast forecast_;
  std::optional<BootTime> home_address_valid_until_;
  // The first update after the last answer, after fresh keys, or after a link was given up.
  std::optional<BootTime> unheard_since_;
  BootTime binding_errors_heeded_at_;  // not before
  std::optional<SequenceNumber> last_sequence_;
  std::string last_trouble_;
  Counters counters_;

  // While an event is handled:
  BootTime now_;
  std::vector<Action> actions_;
};

}  // namespace mip6::node
