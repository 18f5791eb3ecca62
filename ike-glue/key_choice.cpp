#include "ike-glue/key_choice.hpp"

#include <algorithm>

namespace ike {

const KeyPairUse* newest_used(std::span<const KeyPairUse> pairs) {
  const KeyPairUse* newest = nullptr;
  for (const auto& one : pairs) {
    if (one.there && one.used) newest = &one;
  }
  return newest;
}

std::uint32_t spi_to_send_under(std::span<const KeyPairUse> pairs) {
  if (const auto* used = newest_used(pairs)) return used->pair.spi_out;
  const auto oldest = std::ranges::find(pairs, true, &KeyPairUse::there);
  return oldest == pairs.end() ? 0 : oldest->pair.spi_out;
}

bool is_left_behind(std::span<const KeyPairUse> pairs, std::size_t place) {
  return std::ranges::any_of(pairs.subspan(place + 1), [&](const KeyPairUse& newer) {
    return newer.there && newer.used && newer.added > pairs[place].added;
  });
}

}  // namespace ike
