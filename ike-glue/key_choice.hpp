// Which of several SA pairs with a peer is sent under. A new pair is in the kernel of whoever answers IKE before it is
// in the peer's, and the kernel by itself takes the newest at once, by the wall clock: what is sent then is lost, and
// after the clock was set back the newest is not even the one that lasts.
#pragma once

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

}  // namespace ike
