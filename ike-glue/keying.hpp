// What both keying cores share: the vocabulary between a core and whoever talks VICI and to the kernel for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "ike-glue/children.hpp"
#include "ike-glue/credentials.hpp"
#include "ike-glue/session.hpp"
#include "ike-glue/vici.hpp"
#include "libmip6/address.hpp"
#include "libmip6/error.hpp"
#include "libmip6/time.hpp"

namespace ike {

// --- events of both cores ---
struct CharonConnected {};  // a new connection: charon may know nothing of us
struct CharonDisconnected {
  mip6::Error why;
};
struct Answered {  // answers the Request with this id
  std::uint64_t id = 0;
  tl::expected<Response, mip6::Error> response;
};
struct CharonEvent {  // ike-updown, child-updown, ike-rekey, child-rekey, log
  std::string name;
  Section message;
  std::int64_t unix_time = 0;  // the wall clock, 0 if not known: certificates are valid by it
};
struct StopAsked {};  // take everything of ours out of charon, then Stopped
struct DeadlineReached {};

// --- actions of both cores ---
struct Request {  // a VICI command; answered by Answered
  std::uint64_t id = 0;
  std::string command;
  Section message;
  std::string stream;  // event of a streamed command
  std::chrono::milliseconds deadline{};
  bool slow = false;  // `initiate`, `terminate`: on a connection of its own
};
struct Trouble {
  std::string what;
  std::string remedy;
  ChildKind child = ChildKind::kMobility;  // whose absence it is about, if it is about one
};
struct Step {  // something a user may want to follow: "IKE established from 2001:db8:a1::7"
  std::string what;
};
struct Stopped {};

}  // namespace ike
