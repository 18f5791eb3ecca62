// The mobile node's home registration: keys, and the sequence numbers that are used under them.
#include <algorithm>

#include "libmip6/defect.hpp"
#include "libmip6/node/backoff.hpp"
#include "libmip6/node/home_registration.hpp"

namespace mip6::node {
namespace {

// With fewer numbers left the next block is asked for even while an update is outstanding.
constexpr std::uint16_t kFewNumbers = 4;
// Enough for what is sent, and for what restarts skip, until new keys are up and the old ones gone at both ends.
constexpr std::uint16_t kNumbersDuringRenewal = 1024;
constexpr Duration kFirstReservationRetry = std::chrono::seconds{1};
constexpr Duration kLongestReservationRetry = std::chrono::seconds{32};

}  // namespace

void HomeRegistration::need_keys() {
  endpoint_ = own_endpoint_ = attachment_->care_of;
  endpoint_usable_ = true;
  endpoint_moved_ = endpoint_doubtful_ = false;
  actions_.push_back(NeedKeys{*attachment_});
}

void HomeRegistration::move_own_keys() {
  own_endpoint_ = attachment_->care_of;
  actions_.push_back(MoveOwnKeys{*attachment_});
}

// Make before break.
void HomeRegistration::renew_keys(Renewal why) {
  actions_.push_back(
      RenewKeys{*attachment_, endpoint_ && endpoint_usable_, why == Renewal::kUsedUp, why == Renewal::kLeftBehind});
  endpoint_ = own_endpoint_ = attachment_->care_of;
  endpoint_usable_ = true;
  endpoint_moved_ = endpoint_doubtful_ = false;
}

void HomeRegistration::on(const KeysUsable& event) {
  const bool came = !keys_;
  if (came && !event.fresh && event.dynamic) endpoint_doubtful_ = true;
  keys_ = Keys{.can_migrate = event.can_migrate && event.dynamic, .dynamic = event.dynamic};
  if (event.fresh) {
    unheard_since_.reset();
    reservation_.keys_are_fresh();
    forecast_.keys_renewed();
    renewal_asked_ = false;
  }
  if (event.endpoint && event.endpoint != endpoint_) {
    endpoint_ = event.endpoint;
    if (came || event.fresh) own_endpoint_ = event.endpoint;  // else it is where we have moved it
    endpoint_usable_ = attachment_ && attachment_->care_of == *event.endpoint;
  }
  Exchange* current = exchange();
  // Key management was away when the home agent answered the move, and has not followed: no later answer will tell it.
  if (!current && event.endpoint && attachment_ && acknowledged_at_ &&
      acknowledged_at_->care_of == attachment_->care_of) {
    // Agreed from where we were before: the home agent's answer to the move was about the keys before these.
    const bool untold = event.fresh && acknowledged_k_ && endpoint_ != attachment_->care_of;
    if (!untold)
      keys_follow(acknowledged_k_);
    else if (attachment_->at_home)
      renew_keys(Renewal::kRefused);
    else
      begin_exchange();
  }
  // Only the home agent may have had a reason to drop the former ones: that it lost the binding, or what it knew of our
  // numbers. Nothing else would tell us, and payload for us may be lost until we ask.
  if (!current && came && event.fresh && binding_ && attachment_ && !attachment_->at_home) begin_exchange();
  if (!current || !(came || event.fresh)) return;
  // Keys that come after there were none mean that the other end has changed too, and fresh ones may be what sending
  // lacked: no back-off counts any more. What was sent under keys that the home agent no longer had is lost: do not
  // wait for the timeout.
  const bool failing = current->send_failures > 0;
  if (!came && !current->awaiting && !failing) return;
  if (!came && current->awaiting) ++counters_.sent_for_new_keys;
  if (came || failing) {
    current->timeout = {};
    current->unanswered = current->send_failures = 0;
  }
  current->awaiting = false;
  current->send_at = now_;
}

void HomeRegistration::on(const KeysUnusable&) {
  if (!keys_) return;
  keys_.reset();
  renewal_asked_ = false;
  if (const Exchange* current = exchange(); current && current->give_up_at) return;
  if (attachment_) need_keys();
}

// Where it is, is not known then: it is moved at the next acknowledgement.
void HomeRegistration::on(const OwnKeysStayed&) { own_endpoint_.reset(); }

// --- sequence numbers ---

// RFC 6275 section 15.3: keys are renewed before more than half of the space is used under them, in a quiet moment as
// soon as three quarters of that are; and before anything is sent whose number they may have seen already. Of manual
// keys the user is warned by use_of_half_space(), long before; here is the end.
void HomeRegistration::renew_if_used_up() {
  if (!keys_ || !attachment_) return;
  const std::uint16_t limit = keys_->dynamic ? kHalfSpace - kNumbersDuringRenewal : kHalfSpace;
  const bool needed = exchange() && (reservation_.spent() || reservation_.used_under_keys() > limit);
  const bool soon = keys_->dynamic && !exchange() && reservation_.nearly_spent();
  if (!needed && (!soon || renewal_asked_)) return;
  if (!keys_->dynamic) {
    report("no sequence number is left that was surely not used under the present keys",
           "set new keys for this node here and at the home agent");
  } else if (!renewal_asked_) {
    renew_keys(Renewal::kUsedUp);
  }
  renewal_asked_ = true;
}

void HomeRegistration::on(const SequenceReserved& event) {
  // What was asked for before status 135, or by a registration before this one, may still come. The disk holds it only
  // until it holds what this one asks for, which may end earlier.
  if (!reserving_ || reserving_->first_unused != event.end) return;
  reservation_.reserved(*reserving_);
  reserving_.reset();
  reservation_failures_ = 0;
}

void HomeRegistration::on(const SequenceReservationFailed&) {
  if (!reserving_) return;
  reserving_.reset();
  reserve_at_ = now_ + doubled(kFirstReservationRetry, reservation_failures_++, kLongestReservationRetry);
  report("cannot store the sequence numbers of Binding Updates",
         "make the state folder writable and free some space there: no update is sent without a stored number");
}

// A disk that is busy must not hold up a move: the next block is stored in a quiet moment, long before it is needed.
bool HomeRegistration::wants_reservation() const {
  const bool quiet = !exchange() || reservation_.available() < kFewNumbers;
  return quiet && !reserving_ && reservation_.wanted();
}

void HomeRegistration::reserve_if_wanted() {
  if (now_ < reserve_at_ || !wants_reservation()) return;
  reserving_ = reservation_.wanted();
  actions_.push_back(ReserveSequence{reserving_->first_unused, reserving_->first_under_keys});
  if (planted(Defect::kNumberBeforeReservation)) reservation_.reserved(*reserving_);
}

}  // namespace mip6::node
