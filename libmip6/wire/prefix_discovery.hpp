// ICMPv6 messages of the mobile prefix discovery (RFC 6275 sections 6.7 and 6.8) as values.
#pragma once

#include <cstdint>
#include <vector>

#include "libmip6/wire/prefix_information.hpp"

namespace mip6 {

struct MobilePrefixSolicitation {  // 6.7
  static constexpr std::uint8_t kType = 146;
  std::uint16_t identifier = 0;  // host byte order
  bool operator==(const MobilePrefixSolicitation&) const = default;
};

struct MobilePrefixAdvertisement {  // 6.8
  static constexpr std::uint8_t kType = 147;
  std::uint16_t identifier = 0;  // of the solicitation; host byte order
  bool managed = false;          // M
  bool other = false;            // O
  std::vector<PrefixInformation> prefixes{};
  bool operator==(const MobilePrefixAdvertisement&) const = default;
};

}  // namespace mip6
