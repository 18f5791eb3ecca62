// Reservation of sequence numbers in durable blocks: what was promised on disk may be used, nothing else, and no number
// twice under the same keys.
#include "libmip6/sequence.hpp"

#include <algorithm>

#include "libmip6/defect.hpp"

namespace mip6 {

SequenceState first_state(Random& random) {
  return SequenceState{.first_unused = SequenceNumber{static_cast<std::uint16_t>(random.draw())}};
}

SequenceReservation::SequenceReservation(const SequenceState& stored)
    : next_{stored.first_unused},
      end_{stored.first_unused},
      first_under_keys_{stored.first_under_keys},
      first_is_stored_{stored.first_under_keys.has_value()} {
  if (planted(Defect::kRestartInsideBlock)) next_ = end_.advanced(static_cast<std::uint16_t>(-kBlockSize));
}

std::optional<SequenceNumber> SequenceReservation::take() {
  if (available() == 0 || spent()) return std::nullopt;
  const auto number = next_;
  next_ = next_.next();
  return number;
}

std::uint16_t SequenceReservation::available() const { return end_.distance_from(next_); }

std::uint16_t SequenceReservation::ahead() const {
  return planted(Defect::kNoRenewalAtHalfSpace) ? std::uint16_t{0} : next_.distance_from(*first_under_keys_);
}

bool SequenceReservation::spent() const {
  if (!first_under_keys_) return !planted(Defect::kJumpWithoutRenewal);
  return ahead() > kHalfSpace;
}

bool SequenceReservation::nearly_spent() const { return used_under_keys() >= kHalfSpace / 4 * 3; }

std::uint16_t SequenceReservation::used_under_keys() const {
  return first_under_keys_ ? std::min(ahead(), kHalfSpace) : kHalfSpace;
}

std::optional<SequenceState> SequenceReservation::wanted() const {
  // An earlier first number on disk errs on the safe side; none at all would cost the next process a renewal.
  const bool first_is_missing = first_under_keys_ && !first_is_stored_;
  const bool enough = available() >= kBlockSize / 2;
  if (enough && !first_is_missing) return std::nullopt;
  // Counted from the next number and not from the end: a crash then costs one block at most.
  return SequenceState{enough ? end_ : next_.advanced(kBlockSize), first_under_keys_};
}

void SequenceReservation::reserved(const SequenceState& stored) {
  // An answer that was overtaken by restart_after() names another stretch of the circle, or less than is there already.
  const auto ahead = stored.first_unused.distance_from(next_);
  if (ahead > kBlockSize) return;
  first_is_stored_ = stored.first_under_keys.has_value();
  if (ahead > available()) end_ = stored.first_unused;
}

void SequenceReservation::restart_after(SequenceNumber last_accepted) {
  const auto next = last_accepted.next();
  // Unused under these keys is what lies between the number that was to come and the end of the half space.
  const bool unused = first_under_keys_ && !spent() && next.distance_from(*first_under_keys_) >= ahead() &&
                      next.distance_from(*first_under_keys_) <= kHalfSpace;
  next_ = end_ = next;
  if (unused) return;
  first_under_keys_.reset();
  first_is_stored_ = false;
}

void SequenceReservation::keys_are_fresh() { first_under_keys_ = next_; }

}  // namespace mip6
