// The mobile node's home registration: moves, what others ask for, and what happens at deadlines. Updates are sent in
// sending.cpp, keys and numbers are in keys.cpp; what an answer of the home agent means is in acknowledgement.cpp.
#include "libmip6/node/home_registration.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "libmip6/defect.hpp"

namespace mip6::node {
namespace {

// Binding Errors are not authenticated: forged ones must not make us send more than this.
constexpr Duration kBindingErrorInterval = std::chrono::seconds{10};

bool same_care_of(const Attachment& a, const Attachment& b) { return a.care_of == b.care_of && a.at_home == b.at_home; }

// What the home agent has said of one is true of the other. Its acknowledgement of a de-registration shows that the
// node is at home behind one router; of another one it says nothing.
bool same_for_agent(const Attachment& a, const Attachment& b) { return same_care_of(a, b) && (!a.at_home || a == b); }

void earliest(std::optional<BootTime>& deadline, BootTime candidate) {
  if (!deadline || candidate < *deadline) deadline = candidate;
}

}  // namespace

std::string_view name_of(State state) {
  switch (state) {
    case State::kDetached:
      return "detached";
    case State::kWaitingForKeys:
      return "waiting for keys";
    case State::kRegistering:
      return "registering";
    case State::kRegistered:
      return "registered";
    case State::kAtHome:
      return "at home";
    case State::kDeregistering:
      return "de-registering";
    case State::kStopped:
      return "stopped";
  }
  return "unknown";
}

HomeRegistration::HomeRegistration(const Policy& policy, const SequenceState& stored, const UpdateRate& rate)
    : policy_{policy}, reservation_{stored}, rate_{rate}, forecast_{reservation_.used_under_keys()} {
  assert(policy.lifetime > Lifetime{0} && policy.first_timeout > Duration{});
}

void HomeRegistration::set_times(Lifetime lifetime, Duration first_timeout) {
  assert(lifetime > Lifetime{0} && first_timeout > Duration{});
  policy_.lifetime = lifetime;
  policy_.first_timeout = first_timeout;
}

std::vector<Action> HomeRegistration::handle(const Event& event, BootTime now) {
  if (std::holds_alternative<Ended>(phase_)) return {};
  now_ = std::max(now_, now);
  if (!std::exchange(started_, true) && policy_.may_have_binding)
    inherited_until_ = bound_until_ = now_ + policy_.lifetime;
  std::visit([this](const auto& specific) { on(specific); }, event);
  do_what_is_due();
  return std::exchange(actions_, {});
}

std::optional<BootTime> HomeRegistration::next_deadline() const {
  std::optional<BootTime> deadline;
  if (std::holds_alternative<Ended>(phase_)) return deadline;
  if (binding_) earliest(deadline, binding_->expires);
  if (inherited_until_) earliest(deadline, *inherited_until_);
  if (const Exchange* current = exchange()) {
    if (current->give_up_at) earliest(deadline, *current->give_up_at);
    if (can_send(*current) || planted(Defect::kDeadlineStays))
      earliest(deadline, std::max(current->send_at, rate_.opens()));
    else if (lifetime_to_ask_for() == Lifetime{0})
      earliest(deadline, *home_address_valid_until_);
  } else if (binding_ && attachment_) {
    earliest(deadline, binding_->refresh_at);
  }
  if (reservation_failures_ > 0 && wants_reservation()) earliest(deadline, reserve_at_);
  return deadline;
}

// --- moves ---

void HomeRegistration::on(const Attached& event) {
  if (attachment_ && same_for_agent(*attachment_, event.attachment)) {
    if (*attachment_ != event.attachment) follow_same_care_of(event.attachment);
    return;
  }
  // Without a previous attachment nothing is in flight that could still arrive.
  const bool soft = event.previous_usable && attachment_;
  const bool was_detached = !attachment_;
  const bool was_at_home = attachment_ && attachment_->at_home;
  attachment_ = event.attachment;
  previous_usable_ = soft;
  renewal_asked_ = false;  // it was asked for from where the node is no longer, and K may end it
  if (!soft) endpoint_usable_ = endpoint_ == attachment_->care_of;
  actions_.push_back(UseAttachment{*attachment_});
  leave_home(was_at_home);
  begin_exchange();
  exchange()->for_move = true;
  exchange()->restore_outbound = was_detached;
  if (keys_) {
    send_if_due();
  } else {
    need_keys();
  }
  if (soft) return;
  redirect_after_hard_move();
  if (keys_ && keys_->dynamic && own_endpoint_ && own_endpoint_ != attachment_->care_of) move_own_keys();
}

// Another router or interface for the same care-of address: nothing that the home agent would have to know.
void HomeRegistration::follow_same_care_of(const Attachment& attachment) {
  attachment_ = attachment;
  if (binding_ && same_care_of(binding_->attachment, attachment)) binding_->attachment = attachment;
  if (acknowledged_at_ && same_care_of(*acknowledged_at_, attachment)) acknowledged_at_ = attachment;
  actions_.push_back(UseAttachment{attachment});
  if (outbound_ && same_care_of(*outbound_, attachment)) switch_outbound();
}

// Who leaves home gives up the home address there before its update, soft move or not: the home agent looks for
// duplicates of it at once (RFC 6275 section 10.3.1), and a node that defended it would be refused. After a restart at
// home the payload's way is not known before the first acknowledgement, but may well be that of a former process.
void HomeRegistration::leave_home(bool was_at_home) {
  const bool outbound_at_home = outbound_ ? outbound_->at_home : was_at_home;
  if (!outbound_at_home || attachment_->at_home) return;
  outbound_.reset();
  actions_.push_back(StopOutbound{});
}

// The way over the previous attachment is dead. From one care-of address to the next the payload changes over at once,
// ahead of the acknowledgement; to the home link it cannot, the home agent has to agree first.
void HomeRegistration::redirect_after_hard_move() {
  if (!attachment_->at_home && binding_lives()) switch_outbound();
}

void HomeRegistration::on(const Detached&) {
  attachment_.reset();
  endpoint_usable_ = false;
  if (const Exchange* current = exchange()) {
    if (current->give_up_at) {
      phase_ = Ended{};
      actions_.push_back(Stopped{Farewell::kUnanswered});
      return;
    }
    phase_ = Quiet{};
  }
}

void HomeRegistration::switch_outbound() {
  outbound_ = attachment_;
  actions_.push_back(SwitchOutbound{*attachment_, previous_usable_});
}

// --- what others ask for ---

void HomeRegistration::on(const RefreshRequestReceived&) {
  if (attachment_ && binding_lives() && !exchange()) begin_exchange();
}

// RFC 6275 section 11.3.6. Anyone can send it, so that a registration never ends by it.
void HomeRegistration::on(const BindingErrorReceived& event) {
  ++counters_.binding_errors;
  constexpr std::uint8_t kUnknownBinding = 1;
  constexpr std::uint8_t kUnrecognizedType = 2;
  if (event.error.status == kUnrecognizedType && exchange() && exchange()->awaiting)
    report("home agent " + policy_.home_agent.to_string() + " says that it does not know Binding Updates",
           "check the home agent's address: that host may be no home agent");
  if (event.error.status != kUnknownBinding || event.error.home_address != policy_.home_address) return;
  if (planted(Defect::kBindingErrorObeyed) && binding_) binding_->expires = now_;
  if (!attachment_ || attachment_->at_home || exchange() || now_ < binding_errors_heeded_at_) return;
  binding_errors_heeded_at_ = now_ + kBindingErrorInterval;
  begin_exchange();
}

// RFC 6275 section 11.3.5. Told, but not obeyed: whoever forged one could keep the node from registering. While nobody
// answers the updates are few anyhow, and another home agent is tried after some.
void HomeRegistration::on(const ParameterProblemReceived& event) {
  ++counters_.parameter_problems;
  constexpr std::uint8_t kUnrecognizedHeader = 1;
  constexpr std::uint8_t kUnrecognizedOption = 2;
  if (!exchange() || !exchange()->awaiting) return;
  const std::string whose = "home agent " + policy_.home_agent.to_string();
  if (event.code == kUnrecognizedHeader)
    return report(whose + " says that it does not know the Mobility Header",
                  "check the home agent's address: that host may be no home agent");
  if (event.code == kUnrecognizedOption)
    return report(whose + " says that it does not know the home address option",
                  "check the home agent's address: that host may be no home agent");
  report(whose + " says that a Binding Update is wrong at byte " + std::to_string(event.pointer) + " of the packet",
         "look into the home agent's log");
}

void HomeRegistration::on(const HomeAddressValid& event) { home_address_valid_until_ = event.until; }

void HomeRegistration::on(const RefreshAsked&) {
  if (!attachment_) return;
  if (Exchange* current = exchange()) {
    current->awaiting = false;
    current->send_at = now_;
  } else {
    begin_exchange();
  }
}

void HomeRegistration::on(const StopAsked&) {
  if (const Exchange* current = exchange(); current && current->give_up_at) return;
  const bool may_be_bound = binding_lives() || (bound_until_ && now_ < *bound_until_);
  if (!may_be_bound || !attachment_ || !keys_) {
    const bool home_agreed = acknowledged_at_ && acknowledged_at_->at_home;
    phase_ = Ended{};
    actions_.push_back(Stopped{may_be_bound  ? Farewell::kNotAsked
                               : home_agreed ? Farewell::kAgreed
                                             : Farewell::kNotBound});
    return;
  }
  begin_exchange();
  exchange()->give_up_at = now_ + kStopTimeout;
}

void HomeRegistration::on(const DeadlineReached&) {}

// --- deadlines ---

// Drops what is outstanding: an acknowledgement of an update for a former attachment must not count for this one.
void HomeRegistration::begin_exchange() {
  std::optional<BootTime> give_up_at;
  if (const Exchange* former = exchange()) give_up_at = former->give_up_at;
  phase_ = Exchange{};
  exchange()->since = now_;
  exchange()->send_at = now_;
  exchange()->give_up_at = give_up_at;
}

void HomeRegistration::do_what_is_due() {
  if (std::holds_alternative<Ended>(phase_)) return;
  if (const Exchange* current = exchange(); current && current->give_up_at && now_ >= *current->give_up_at) {
    phase_ = Ended{};
    actions_.push_back(Stopped{Farewell::kUnanswered});
    return;
  }
  expire_binding();
  expire_inheritance();
  const bool away = attachment_ && !attachment_->at_home;
  if (away && !exchange() && (!binding_ || now_ >= binding_->refresh_at)) begin_exchange();
  send_if_due();
  renew_if_used_up();
  reserve_if_wanted();
}

void HomeRegistration::expire_binding() {
  if (!binding_ || binding_lives()) return;
  binding_.reset();
  acknowledged_at_.reset();
  go_on_without_binding();
}

// A former process may have left a way for the payload; without a binding by now it leads nowhere.
void HomeRegistration::expire_inheritance() {
  if (!inherited_until_ || now_ < *inherited_until_) return;
  inherited_until_.reset();
  if (!binding_) go_on_without_binding();
}

// Nothing that is sent for the home address arrives any more. Where the link says that it is the home link, too: only
// the home agent's acknowledgement shows that (RFC 6275 section 11.5.5), anybody's router can advertise the home
// prefix. A node that is home, with a home agent that is gone for good, has its other addresses there.
void HomeRegistration::go_on_without_binding() {
  outbound_.reset();
  actions_.push_back(StopOutbound{});
}

void HomeRegistration::report(std::string what, std::string remedy, std::optional<Status> status) {
  if (what == last_trouble_) return;
  last_trouble_ = what;
  actions_.push_back(Trouble{std::move(what), std::move(remedy), status});
}

// --- what is known ---

State HomeRegistration::state() const {
  if (std::holds_alternative<Ended>(phase_)) return State::kStopped;
  const Exchange* current = exchange();
  if (current && current->give_up_at) return State::kDeregistering;
  if (!attachment_) return State::kDetached;
  if (!current) return attachment_->at_home ? State::kAtHome : State::kRegistered;
  if (binding_lives() && same_care_of(binding_->attachment, *attachment_)) return State::kRegistered;
  if (!keys_ || reservation_.spent()) return State::kWaitingForKeys;
  return attachment_->at_home ? State::kDeregistering : State::kRegistering;
}

bool HomeRegistration::settled() const { return attachment_ && std::holds_alternative<Quiet>(phase_); }

const std::optional<Attachment>& HomeRegistration::attachment() const { return attachment_; }

std::optional<Attachment> HomeRegistration::registered_at() const { return acknowledged_at_; }

std::optional<BootTime> HomeRegistration::expires() const {
  return binding_ ? std::optional{binding_->expires} : std::nullopt;
}

std::optional<SequenceNumber> HomeRegistration::last_sequence() const { return last_sequence_; }

bool HomeRegistration::key_mobility() const { return acknowledged_k_; }

const Counters& HomeRegistration::counters() const { return counters_; }

std::size_t HomeRegistration::outstanding() const { return exchange() ? exchange()->sent.size() : 0; }

}  // namespace mip6::node
