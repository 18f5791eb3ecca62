// Which notifications about neighbours wake us up. Internal to mnd/linux.
#pragma once

namespace mnd::kernel {

// For the notifications of this socket (NETLINK_ROUTE, one message each), from now on: of neighbours only IPv6 routers
// that became FAILED, REACHABLE or STALE, and other IPv6 neighbours that became FAILED (a router that never answered
// is not known as one). Others come and go with every connection. All that is not about neighbours is let in. False:
// errno tells why.
bool keep_out_other_neighbours(int socket);

}  // namespace mnd::kernel
