// How a registration ended, for who asked for that (mip6ctl home) and for the journal.
#pragma once

#include <string>

#include "libmip6/node/events.hpp"
#include "libmip6/time.hpp"

namespace mnd {

std::string words_for(mip6::node::Farewell farewell);
// A line of the control socket: done, with "was_registered" false where nothing was; or the error. What may be
// registered still ends after `lifetime` at the latest.
std::string answer_to_home(mip6::node::Farewell farewell, mip6::Lifetime lifetime);

}  // namespace mnd
