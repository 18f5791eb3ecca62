// The tests that a Binding Update must pass before the home agent acts on it, in the order of RFC 6275.
#pragma once

#include <optional>

#include "libmip6/agent/home_agent.hpp"

namespace mip6::agent {

// Where the answer to an update goes through (section 9.5.4): the address on the wire, with a type 2 routing header;
// empty: straight to the home address.
std::optional<Ipv6Address> reply_through(const UpdateReceived& event);

// Sections 9.5.1 and 10.3.1. `known`: what is remembered of this home address, nullptr if nothing. `served`: the nodes
// that we are the home agent of. Whether there is a binding to be ended is for the caller to know.
Verdict validate(const UpdateReceived& event, const Policy& policy, const ServedNodes& served,
                 const BindingRecord* known);

}  // namespace mip6::agent
