// Reservation of sequence numbers in durable blocks: what was promised on disk may be used, nothing else.
#include "libmip6/sequence.hpp"

namespace mip6 {

SequenceReservation::SequenceReservation(SequenceNumber first_unused) : next_{first_unused}, end_{first_unused} {}

std::optional<SequenceNumber> SequenceReservation::take() {
  if (available() == 0) return std::nullopt;
  const auto number = next_;
  next_ = next_.next();
  return number;
}

std::uint16_t SequenceReservation::available() const { return end_.distance_from(next_); }

std::optional<SequenceNumber> SequenceReservation::wanted_reservation() const {
  if (available() >= kBlockSize / 2) return std::nullopt;
  // Counted from the next number and not from the end: a crash then costs one block at most.
  return next_.advanced(kBlockSize);
}

void SequenceReservation::reserved(SequenceNumber end) {
  // An answer that was overtaken by restart_after() names another stretch of the circle, or less than is there already.
  const auto ahead = end.distance_from(next_);
  if (ahead > kBlockSize || ahead <= available()) return;
  end_ = end;
}

void SequenceReservation::restart_after(SequenceNumber last_accepted) {
  next_ = last_accepted.next();
  end_ = next_;
}

}  // namespace mip6
