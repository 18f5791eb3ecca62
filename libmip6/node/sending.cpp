// The mobile node's home registration: when Binding Updates leave, and what is in them.
#include <algorithm>
#include <utility>

#include "libmip6/defect.hpp"
#include "libmip6/node/backoff.hpp"
#include "libmip6/node/home_registration.hpp"

namespace mip6::node {
namespace {

constexpr int kUnansweredUntilElsewhere = 2;
constexpr int kUnansweredUntilBack = 3;
constexpr int kUnansweredUntilTrouble = 3;
// What so many take with a binding, doubling from one second on: a node that moves before any timeout notices by this.
constexpr Duration kSilence = std::chrono::seconds{7};
constexpr int kSendFailuresUntilTrouble = 3;
constexpr std::size_t kMaxOutstanding = 16;
constexpr Duration kFirstSendRetry = std::chrono::milliseconds{100};
constexpr Duration kLongestSendRetry = std::chrono::seconds{32};

}  // namespace

bool HomeRegistration::deregisters(const Exchange& current) const {
  return current.give_up_at.has_value() || attachment_->at_home;
}

// Whether an update could leave, were it due.
bool HomeRegistration::can_send(const Exchange& current) const {
  return keys_ && reservation_.available() > 0 && !reservation_.spent() &&
         (deregisters(current) || lifetime_to_ask_for() > Lifetime{0});
}

// A link that is only better than the one by which the payload still comes can be asked once more: nothing is lost by
// it, and two losses in a row do not keep a node from there.
int HomeRegistration::unanswered_until_elsewhere(const Exchange& current) const {
  return current.for_move && previous_usable_ ? kUnansweredUntilBack : kUnansweredUntilElsewhere;
}

// Where the home agent has said that this is the home link, its silence says nothing of the link.
bool HomeRegistration::unanswered() const {
  const Exchange* current = exchange();
  if (!current || !attachment_ || current->unanswered < unanswered_until_elsewhere(*current)) return false;
  return !attachment_->at_home || current->for_move || acknowledged_at_ != attachment_;
}

void HomeRegistration::send_if_due() {
  Exchange* current = exchange();
  if (!current || now_ < current->send_at) return;
  if (!can_send(*current)) return;
  if (now_ < rate_.opens()) {
    if (!std::exchange(current->limited, true)) {
      ++counters_.rate_limited;
      forecast_.held_back(now_);
    }
    return;
  }
  if (current->awaiting) {
    current->awaiting = false;
    current->send_failures = 0;
    if (++current->unanswered == unanswered_until_elsewhere(*current) && unanswered()) {
      unheard_since_.reset();  // by another link it may be heard
      actions_.push_back(Unanswered{*attachment_});
      return;
    }
  }
  const bool unheard = unheard_since_ && now_ - *unheard_since_ >= kSilence;
  const bool silent = current->unanswered >= kUnansweredUntilTrouble || (unheard && current->sent.empty());
  if (silent && !std::exchange(current->silence_told, true)) {
    unheard_since_ = now_;
    actions_.push_back(AgentSilent{});
    // The home agent may have lost the keys, by a restart for instance, and then nothing under them is ever answered.
    if (keys_->dynamic) renew_keys(Renewal::kUsedUp);
  }
  send_update(*current, *reservation_.take());
  if (silent)
    report("home agent " + policy_.home_agent.to_string() + " does not answer",
           "check that the home agent is running and can be reached from " + attachment_->care_of.to_string());
}

// RFC 6275 section 11.7.1: no longer than the home address is valid. Zero: what is left of that is less than the wire
// can say. Once it is over, nothing is known any more: who has no binding is told of no prefix, so only an update can
// show whether the home agent's has ended (status 132) or lasts again. (How long the care-of address is valid is not
// looked at: when the kernel takes it away, that is a move.)
Lifetime HomeRegistration::lifetime_to_ask_for() const {
  constexpr Lifetime kUnit{4};  // on the wire
  const auto wanted = std::max(policy_.lifetime, kUnit);
  if (!home_address_valid_until_ || *home_address_valid_until_ <= now_) return wanted;
  const auto left = std::chrono::floor<Lifetime>(*home_address_valid_until_ - now_);
  return left < kUnit ? Lifetime{0} : std::min(wanted, left) / 4 * 4;
}

// RFC 6275 section 11.7.1; to return home section 11.5.5. A retransmission differs in its number only, which is a new
// one, and its timeout is doubled (section 11.8).
void HomeRegistration::send_update(Exchange& current, SequenceNumber number) {
  BindingUpdate update;
  update.sequence = number;
  update.acknowledge = true;
  update.home_registration = true;
  update.link_local = policy_.link_local;
  update.key_mobility = keys_->can_migrate;
  update.lifetime = deregisters(current) ? Lifetime{0} : lifetime_to_ask_for();
  update.options.emplace_back(AlternateCareOfAddress{attachment_->care_of});

  // Of a home agent that has never agreed it is not to be expected, and nothing of its has moved.
  if (update.key_mobility && endpoint_ != attachment_->care_of && (acknowledged_k_ || !acknowledged_at_))
    endpoint_doubtful_ = true;

  if (!unheard_since_) unheard_since_ = now_;
  ++counters_.updates_sent;
  if (!current.sent.empty()) ++counters_.retransmissions;
  rate_.count(now_);
  forecast_.used(now_);
  // What is sent beyond so many is no longer the move's doing, but that of a home agent that is silent or refuses.
  if (current.for_move && current.numbers_for_move < kUnansweredUntilTrouble) {
    ++current.numbers_for_move;
    forecast_.used_for_move();
  }
  last_sequence_ = number;
  if (update.lifetime > Lifetime{0}) bound_until_ = std::max(bound_until_.value_or(now_), now_ + update.lifetime);

  const bool first_registration = !binding_lives() && !current.give_up_at;
  const auto initial = first_registration ? policy_.first_timeout : kInitialBindackTimeout;
  const bool first = current.timeout == Duration{} || planted(Defect::kNoBackoff);
  current.timeout = first ? initial : std::min(2 * current.timeout, kMaxBindackTimeout);
  current.awaiting = true;
  current.limited = false;
  current.send_at = now_ + current.timeout;
  current.sent.push_back({number, now_, update.lifetime, update.key_mobility});
  if (current.sent.size() > kMaxOutstanding && !planted(Defect::kOutstandingUnbounded))
    current.sent.erase(current.sent.begin());
  actions_.push_back(SendUpdate{std::move(update)});
}

void HomeRegistration::on(const UpdateSendFailed& event) {
  Exchange* current = exchange();
  if (!current || !current->awaiting || event.sequence != last_sequence_) return;
  current->awaiting = false;
  current->timeout = {};
  current->send_at = now_ + doubled(kFirstSendRetry, current->send_failures++, kLongestSendRetry);
  actions_.push_back(UseAttachment{*attachment_});  // what the kernel lacks for the next one may be put there now
  if (current->send_failures >= kSendFailuresUntilTrouble)
    report("cannot send a Binding Update: " + event.reason,
           "check the route to the home agent " + policy_.home_agent.to_string() + " and the privileges of the daemon");
}

}  // namespace mip6::node
