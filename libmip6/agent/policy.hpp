// What is configured of a home agent.
#pragma once

#include "libmip6/address.hpp"
#include "libmip6/agent/home_prefix.hpp"
#include "libmip6/wire/values.hpp"

namespace mip6::agent {

struct Policy {
  Ipv6Address address{};         // our own
  HomePrefixes home_prefixes{};  // of the home link, at the start; none: we are no home agent
  bool key_mobility = true;      // answer K with K
  Lifetime max_lifetime{3600};   // granted at most
  bool duplicate_address_detection = true;
};

}  // namespace mip6::agent
