// The Prefix Information option (RFC 4861 section 4.6.2, with the R flag of RFC 6275 section 7.2) as a value.
#pragma once

#include "libmip6/address.hpp"
#include "libmip6/wire/values.hpp"

namespace mip6 {

// A lifetime that does not end (32 bits of ones on the wire).
inline constexpr Lifetime kInfiniteLifetime{0xffffffff};

struct PrefixInformation {
  Ipv6Prefix prefix{};          // with router_address its address in full, otherwise zeros beyond the length
  bool on_link = false;         // L
  bool autonomous = false;      // A
  bool router_address = false;  // R: prefix.address is an address of the router that sends this
  Lifetime valid{};             // seconds, at most kInfiniteLifetime
  Lifetime preferred{};         // seconds, at most kInfiniteLifetime
  bool operator==(const PrefixInformation&) const = default;
};

}  // namespace mip6
