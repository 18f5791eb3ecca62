// See home_prefix.hpp.
#include "libmip6/agent/home_prefix.hpp"

#include <algorithm>

namespace mip6::agent {

Lifetime remaining(BootTime end, BootTime now) {
  if (end == kForever) return kInfiniteLifetime;
  if (end <= now) return Lifetime{0};
  return std::min(std::chrono::duration_cast<Lifetime>(end - now), kInfiniteLifetime - Lifetime{1});
}

const HomePrefix* find_valid(const HomePrefixes& prefixes, const Ipv6Address& home_address, BootTime now) {
  const auto found = std::find_if(prefixes.begin(), prefixes.end(), [&](const HomePrefix& listed) {
    return listed.valid_until > now && listed.prefix.contains(home_address);
  });
  return found == prefixes.end() ? nullptr : &*found;
}

BootTime end_of_validity(const HomePrefixes& prefixes, const Ipv6Address& home_address) {
  BootTime end = BootTime::min();
  for (const auto& listed : prefixes)
    if (listed.prefix.contains(home_address)) end = std::max(end, listed.valid_until);
  return end;
}

}  // namespace mip6::agent
