// A daemon that ends and one that starts in its place: what reload and restart wait for.
#pragma once

#include "mnd/ctl/commands.hpp"

namespace mip6ctl {

// Asks for `command`, and waits until the daemon that answers is another one, if its answer says that one takes over or
// starts anew; not where control-socket has changed. `done`: what is told at the end; empty: nothing.
int have_started(const Options& options, std::string_view command, std::string (*done)(const json& answer));

}  // namespace mip6ctl
