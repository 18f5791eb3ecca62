#include "ike-glue/key_choice.hpp"

#include <algorithm>

namespace ike {

std::uint32_t spi_to_send_under(std::span<const KeyPairUse> pairs) {
  std::uint32_t oldest = 0;
  std::uint32_t newest_used = 0;
  for (const auto& one : pairs) {
    if (!one.there) continue;
    if (oldest == 0) oldest = one.pair.spi_out;
    if (one.used) newest_used = one.pair.spi_out;
  }
  return newest_used != 0 ? newest_used : oldest;
}

bool is_left_behind(std::span<const KeyPairUse> pairs, std::size_t place) {
  return std::ranges::any_of(pairs.subspan(place + 1), [&](const KeyPairUse& newer) {
    return newer.there && newer.used && newer.added > pairs[place].added;
  });
}

}  // namespace ike
