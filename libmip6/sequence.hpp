// Sequence numbers of Binding Updates: arithmetic mod 2^16 (RFC 6275 section 9.5.1) and their reservation in durable
// blocks (a number is never used twice under the same keys, whatever crashes).
#pragma once

#include <cstdint>
#include <optional>

#include "libmip6/random.hpp"
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

// What the disk holds of a node's numbers.
struct SequenceState {
  SequenceNumber first_unused;  // end (exclusive) of the last durable block
  // The first number used under the present keys, or an earlier one. Empty: not known (lost, or never stored), and so
  // neither is what was used under them.
  std::optional<SequenceNumber> first_under_keys{};
  bool operator==(const SequenceState&) const = default;
};

// What a node begins with of which the disk knows nothing: any number, since its first keys are new ones (drawn, so
// that the answer to an update from before the disk forgot is not taken for that to a later one), and no first one.
SequenceState first_state(Random& random);

// RFC 6275 section 15.3: further ahead of the first number under the same keys an update captured then could be
// acceptable again.
inline constexpr std::uint16_t kHalfSpace{1U << 15};

// Hands out sequence numbers from blocks that were made durable before, and none that may have been used under the
// present keys. The owner writes `wanted()` to non-volatile storage and then calls reserved(); numbers of a block that
// was lost in a crash are never used.
class SequenceReservation {
 public:
  static constexpr std::uint16_t kBlockSize = 64;  // a crash loop must not eat the space

  // `stored`: what the disk holds, or first_state().
  explicit SequenceReservation(const SequenceState& stored);

  // The next number. Empty: no durable one is left (ask for a reservation and wait), or the keys are spent().
  std::optional<SequenceNumber> take();
  // Numbers that can be taken without waiting for the disk.
  std::uint16_t available() const;
  // No further number under these keys: half the space is used, or it is not known what is. Only fresh keys help.
  bool spent() const;
  // It is time for fresh keys, but there are numbers left: three quarters of the half space are used.
  bool nearly_spent() const;
  // Numbers of the half space that are used, as far as is known: 0 to 2^15; 2^15 if it is not known.
  std::uint16_t used_under_keys() const;
  // What the disk must hold next; empty if enough is reserved (at least half a block) and it knows under which keys.
  std::optional<SequenceState> wanted() const;
  // The disk now holds this.
  void reserved(const SequenceState& stored);
  // After status 135: go on after `last_accepted`. Drops what was reserved. Where the numbers from there on may have
  // been used under the present keys these are spent.
  void restart_after(SequenceNumber last_accepted);
  // Keys under which no number was used yet.
  void keys_are_fresh();
  SequenceNumber next_unused() const { return next_; }
  // For whoever goes on with the numbers in the same process: nothing of them is reserved there.
  SequenceState state() const { return {next_, first_under_keys_}; }

 private:
  std::uint16_t ahead() const;  // of the next number before the first one under the present keys

  SequenceNumber next_;
  SequenceNumber end_;  // exclusive
  std::optional<SequenceNumber> first_under_keys_;
  bool first_is_stored_ = false;  // the disk knows a first number for these keys, this one or an earlier one
};

}  // namespace mip6
