// From what the kernel has to the routes that keep local connections local.
#pragma once

#include <optional>

#include "libmip6/node/movement.hpp"
#include "mnd/linux/link_monitor.hpp"
#include "mnd/linux/tunnel.hpp"

namespace mnd {

// Beside all that the node's connections may be bound to, care-of address or not: what has no source yet gets one of
// the link by which it leaves, for kernels prefer an address with the `home` flag on every link (RFC 6724 section 5,
// rule 4). Of others' routes that are no default the first kMaxLocalPrefixes are looked after. `attachment`: the
// present one.
inline constexpr std::size_t kMaxLocalPrefixes = 64;
kernel::LocalPaths local_paths(const kernel::NetworkState& network, const mip6::Ipv6Address& home_address,
                               const std::optional<mip6::Attachment>& attachment);

}  // namespace mnd
