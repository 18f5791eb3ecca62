// The tests that a Binding Update must pass before the home agent acts on it, in the order of RFC 6275.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "libmip6/agent/authorisation.hpp"
#include "libmip6/agent/home_agent_events.hpp"
#include "libmip6/agent/policy.hpp"

namespace mip6::agent {

inline constexpr Lifetime kMinLifetime{4};  // one unit on the wire

// Why an update is dropped without an answer (section 9.5.1), in words for a Report and a counter: a literal.
struct Dropped {
  std::string_view why;
};
inline constexpr std::string_view kCareOfNotRoutable = "the care-of address is not unicast routable";
// The way back to who sent an update (section 9.5.4).
struct ReplyPath {
  std::optional<Ipv6Address> through{};  // with a type 2 routing header; empty: straight to the home address
  bool on_home_link = false;             // where the update came from (section 10.3.2)
};
// An update that passed the tests that need no state but the last number.
struct Request {
  Ipv6Address home_address{};
  Ipv6Address care_of{};  // the home address itself when the node is at home
  ReplyPath reply{};
  SequenceNumber sequence{};
  bool deregistration = false;
  bool key_mobility = false;  // K asked
  bool link_local = false;    // L asked
  bool dynamic_keys = false;  // the node's keys are made by key management
  Lifetime lifetime{};        // asked
  std::int64_t unix_time = 0;
};
// The update is answered with this status. `sequence`: of the update, or the last accepted one for status 135.
struct Refused {
  Status status = Status::kReasonUnspecified;
  SequenceNumber sequence{};
};
using Verdict = std::variant<Dropped, Refused, Request>;

ReplyPath reply_path(const UpdateReceived& event, const HomePrefixes& prefixes, BootTime now);

// Sections 9.5.1 and 10.3.1. `known`: what is remembered of this home address, nullptr if nothing. Whether there is a
// binding to be ended is for the caller to know.
Verdict validate(const UpdateReceived& event, const Policy& policy, const Authorisation& authorisation,
                 const BindingRecord* known, BootTime now);

}  // namespace mip6::agent
