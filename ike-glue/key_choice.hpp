// Which of several SA pairs with a peer is sent under. A new pair is in the kernel of whoever answers IKE before it is
// in the peer's, and the kernel by itself takes the newest at once, by the wall clock: what is sent then is lost, and
// after the clock was set back the newest is not even the one that lasts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace ike {

struct KeyPair {
  std::uint32_t spi_in = 0;
  std::uint32_t spi_out = 0;
};

// What the kernel says of a pair.
struct KeyPairUse {
  KeyPair pair;
  bool there = true;       // the outbound state exists
  bool used = false;       // by the peer: something has come in under it, so the peer has it too
  std::int64_t added = 0;  // by the wall clock, in seconds, of the inbound state
};

// The newest that the peer has used, of those that are there; null if it has used none. `pairs`: oldest first.
const KeyPairUse* newest_used(std::span<const KeyPairUse> pairs);

// The outbound SPI: of the newest pair that the peer has used; until it has used any the oldest, which it has had for
// longest. 0 if none is there. `pairs`: oldest first.
std::uint32_t spi_to_send_under(std::span<const KeyPairUse> pairs);

// Whether the peer has left the pair at that place behind: it has used a newer one, which is there, and so sends under
// this one no more. What still comes under it was sent before, and ESP guarantees no order (RFC 6275 section 15.3):
// with a peer that has lost its numbers an old packet may have a higher one than a new packet. Newer is what both the
// order and the clock say: pairs that were there before we began may be told after one that has come since. `pairs`:
// oldest first.
bool is_left_behind(std::span<const KeyPairUse> pairs, std::size_t place);

}  // namespace ike
