// The messages of the return routability procedure (RFC 6275 sections 6.1.3 to 6.1.6) as values.
#pragma once

#include <array>
#include <cstdint>

#include "libmip6/wire/mh_type.hpp"
#include "libmip6/wire/mobility_option.hpp"

namespace mip6 {

// Octets as on the wire; random, echoed by the correspondent node.
using InitCookie = std::array<std::uint8_t, 8>;
// Octets as on the wire; from the correspondent node.
using KeygenToken = std::array<std::uint8_t, 8>;

struct HomeTestInit {  // 6.1.3
  static constexpr MhType kType = MhType::kHomeTestInit;
  InitCookie cookie{};
  MobilityOptions options{};
  bool operator==(const HomeTestInit&) const = default;
};

struct CareOfTestInit {  // 6.1.4
  static constexpr MhType kType = MhType::kCareOfTestInit;
  InitCookie cookie{};
  MobilityOptions options{};
  bool operator==(const CareOfTestInit&) const = default;
};

struct HomeTest {  // 6.1.5
  static constexpr MhType kType = MhType::kHomeTest;
  std::uint16_t nonce_index = 0;
  InitCookie cookie{};
  KeygenToken token{};
  MobilityOptions options{};
  bool operator==(const HomeTest&) const = default;
};

struct CareOfTest {  // 6.1.6
  static constexpr MhType kType = MhType::kCareOfTest;
  std::uint16_t nonce_index = 0;
  InitCookie cookie{};
  KeygenToken token{};
  MobilityOptions options{};
  bool operator==(const CareOfTest&) const = default;
};

}  // namespace mip6
