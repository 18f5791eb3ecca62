// Words to the service manager that has started us.
#pragma once

namespace mnd::kernel {

// We serve from now on (READY=1 of sd_notify(3)): whoever started the unit goes on. Nothing happens where nobody asked
// to be told (NOTIFY_SOCKET), or does not listen.
void tell_ready();

}  // namespace mnd::kernel
