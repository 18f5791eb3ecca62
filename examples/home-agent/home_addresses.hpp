// Which addresses of the home link's prefix a node may have.
#pragma once

#include <optional>
#include <string_view>
#include <unordered_set>

#include "libmip6/address.hpp"
#include "libmip6/random.hpp"

namespace mip6ha {

// Why no node may have the address, for which the prefix has another use; empty: one may.
std::string_view objection_to(const mip6::Ipv6Prefix& prefix, const mip6::Ipv6Address& address);

// Any address of the prefix that is permitted and not in `taken`; empty: there is none left.
std::optional<mip6::Ipv6Address> free_address(const mip6::Ipv6Prefix& prefix,
                                              const std::unordered_set<mip6::Ipv6Address>& taken, mip6::Random& random);

}  // namespace mip6ha
