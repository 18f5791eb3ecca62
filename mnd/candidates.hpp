// From what the kernel has to what the movement rules choose among.
#pragma once

#include <vector>

#include "libmip6/node/movement.hpp"
#include "mnd/linux/link_monitor.hpp"

namespace mnd {

// Every address that we did not put there ourselves, of a link that is not loopback, not a tunnel and not ours, with
// the state of its link.
std::vector<mip6::Candidate> candidates(const kernel::NetworkState& network);

}  // namespace mnd
