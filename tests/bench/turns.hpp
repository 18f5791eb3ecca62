// Very many nodes, whose addresses differ in their last 32 bits, take turns.
#pragma once

#include <cstddef>
#include <cstdint>

#include "libmip6/address.hpp"

namespace bench {

// From one node to the next, modulo how many there are: prime to their numbers, so no processor cache can follow.
inline constexpr std::uint64_t kStride = 7919;

// The address with this number as its last 32 bits.
inline mip6::Ipv6Address numbered(mip6::Ipv6Address address, std::uint64_t number) {
  for (std::size_t i = 0; i < 4; ++i) address.bytes[15 - i] = static_cast<std::uint8_t>(number >> 8 * i);
  return address;
}

}  // namespace bench
