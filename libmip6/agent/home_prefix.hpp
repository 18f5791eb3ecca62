// The prefixes of the home link, as long as they hold: the home agent's Prefix List (RFC 6275 sections 10.3.1, 10.6.1).
#pragma once

#include <vector>

#include "libmip6/address.hpp"
#include "libmip6/time.hpp"
#include "libmip6/wire/prefix_information.hpp"

namespace mip6::agent {

// The end of what does not end.
inline constexpr BootTime kForever = BootTime::max();

// One prefix, as the routers of the home link advertise it. The ends are points in time: what is advertised with the
// same lifetime again and again, because nobody withdraws it, ends never. One that is withdrawn stays listed, its ends
// in the past, for as long as mobile nodes should hear of that.
struct HomePrefix {
  Ipv6Prefix prefix{};  // with router_address the home agent's address in full
  BootTime valid_until = kForever;
  BootTime preferred_until = kForever;  // deprecated from then on
  bool on_link = true;                  // L, A and R of the Prefix Information option
  bool autonomous = true;
  bool router_address = false;
  bool operator==(const HomePrefix&) const = default;
};
using HomePrefixes = std::vector<HomePrefix>;

// What is left until `end`, in whole seconds rounded down, zero if it is over; kInfiniteLifetime: for ever.
Lifetime remaining(BootTime end, BootTime now);

// The prefix that `home_address` is of and that is valid at `now`; nullptr if there is none.
const HomePrefix* find_valid(const HomePrefixes& prefixes, const Ipv6Address& home_address, BootTime now);

// When the last prefix that `home_address` is of stops being valid; BootTime::min(): it is of none.
BootTime end_of_validity(const HomePrefixes& prefixes, const Ipv6Address& home_address);

}  // namespace mip6::agent
