// Whether what charon sends to the home agent leaves this machine.
#pragma once

#include "libmip6/address.hpp"

namespace mnd::kernel {

// Whether a packet filter of this machine (or an IPsec policy that blocks) drops what is sent to UDP port 500 there:
// one packet of one octet is sent, which no IKE daemon heeds. Does not wait. False also where nothing can be sent for
// another reason.
bool ike_forbidden(const mip6::Ipv6Address& home_agent);

}  // namespace mnd::kernel
