// Sequence numbers of Binding Updates: arithmetic mod 2^16 (RFC 6275 section 9.5.1) and their reservation in durable
// blocks (a number is never used twice under the same keys, whatever crashes).
#pragma once

#include <cstdint>
#include <optional>

#include "libmip6/time.hpp"

namespace mip6 {

// A 16 bit sequence number. On a circle there is no order: only equality and the window.
class SequenceNumber {
 public:
  constexpr SequenceNumber() = default;
  explicit constexpr SequenceNumber(std::uint16_t value) : value_{value} {}

  constexpr std::uint16_t value() const { return value_; }
  constexpr SequenceNumber next() const { return advanced(1); }
  constexpr SequenceNumber advanced(std::uint16_t by) const {
    return SequenceNumber{static_cast<std::uint16_t>(value_ + by)};
  }
  // How many steps forward from `last` to this number, 0 to 65,535.
  constexpr std::uint16_t distance_from(SequenceNumber last) const {
    return static_cast<std::uint16_t>(value_ - last.value_);
  }
  // RFC 6275 section 9.5.1: greater than `last` modulo 2^16, that is 1 to 32,767 ahead of it.
  // (A number exactly 2^15 ahead is not greater.)
  constexpr bool follows(SequenceNumber last) const {
    const auto ahead = distance_from(last);
    return ahead >= 1 && ahead <= 32767;
  }
  bool operator==(const SequenceNumber&) const = default;

 private:
  std::uint16_t value_ = 0;
};

// Hands out sequence numbers from blocks that were made durable before. The owner writes `wanted_reservation()` to
// non-volatile storage and then calls reserved(); numbers of a block that was lost in a crash are never used.
class SequenceReservation {
 public:
  static constexpr std::uint16_t kBlockSize = 64;  // a crash loop must not eat the space

  // `first_unused`: the end of the last block on disk (exclusive), or any number if the keys are new.
  explicit SequenceReservation(SequenceNumber first_unused);

  // The next number, or empty if no durable number is left (ask for a reservation and wait).
  std::optional<SequenceNumber> take();
  // Numbers that can be taken without waiting.
  std::uint16_t available() const;
  // Exclusive end that the disk must hold next; empty if enough is reserved (at least half a block).
  std::optional<SequenceNumber> wanted_reservation() const;
  // The disk now holds `end` (exclusive).
  void reserved(SequenceNumber end);
  // After status 135: go on after `last_accepted`. Drops what was reserved.
  void restart_after(SequenceNumber last_accepted);
  SequenceNumber next_unused() const { return next_; }

 private:
  SequenceNumber next_;
  SequenceNumber end_;  // exclusive
};

}  // namespace mip6
