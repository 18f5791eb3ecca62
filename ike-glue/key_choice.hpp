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
  bool there = true;  // the outbound state exists
  bool used = false;  // by the peer: something has come in under it, so the peer has it too
};

// The outbound SPI: of the newest pair that the peer has used; until it has used any the oldest, which it has had for
// longest. 0 if none is there. `pairs`: oldest first.
std::uint32_t spi_to_send_under(std::span<const KeyPairUse> pairs);

// How many of the oldest pairs the peer has left behind: it has used a newer one, which is there, and so sends under
// none of these any more. What still comes under them was sent before, and ESP guarantees no order (RFC 6275 section
// 15.3): with a peer that has lost its numbers an old packet may have a higher one than a new packet. `pairs`: oldest
// first.
std::size_t left_behind(std::span<const KeyPairUse> pairs);

}  // namespace ike
