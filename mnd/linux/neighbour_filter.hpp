// Which notifications about neighbours wake us up. Internal to mnd/linux.
#pragma once

namespace mnd::kernel {

// For the notifications of this socket (NETLINK_ROUTE, one message each), from now on: of neighbours only IPv6 ones
// that became FAILED (a router that never answered is not known as one), and with `hears_recovery` routers that became
// REACHABLE or STALE, which every router does with every other packet. All that is not about neighbours is let in.
// False: errno tells why.
bool keep_out_other_neighbours(int socket, bool hears_recovery);

}  // namespace mnd::kernel
