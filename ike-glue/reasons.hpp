// Why charon has no keys for us: what its log says, as a reason, and the reason in words for either end. No I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ike-glue/keying.hpp"

namespace ike {

enum class Reason {
  kProposal,       // no proposal for IKE in common, or no connection for this pair of addresses at all
  kChildProposal,  // none for ESP
  kIdentity,       // nobody is expected under this name
  kMode,           // the other method: secret or certificate, main or aggressive mode
  kAggressive,     // charon does not do aggressive mode with a secret
  kSecret,         // not the same at both ends
  kNoSecret,       // charon has none for this pair
  kNoKey,          // charon has no private key for our certificate
  kNotTrusted,     // the certificate does not come from the root that is asked for
  kExpired,
  kNotYetValid,
  kNotValidNow,  // one of the two: the clock is not known
  kRevoked,
  kWeakSignature,  // made with a hash that is not accepted
  kHomeAddress,    // traffic selectors
  kRefused,        // the peer says no more than that it did not believe us
  kSilent,
};

// From a line of charon's log at level 1, of initiator or responder, IKEv1 or IKEv2. `unix_time`: the wall clock when
// it was logged; 0: not known. Empty: the line is about something else.
std::optional<Reason> read_reason(std::string_view line, std::int64_t unix_time);

// " (charon: ...)", to follow the words of a reason.
std::string in_charons_words(std::string_view line);

struct NodeSide {
  std::string home_agent;
  std::string home_address;
  const Credentials& credentials;
  std::int64_t unix_time = 0;
};
Trouble words_at_node(Reason reason, const NodeSide& side);

struct AgentSide {
  std::string peer;                          // "node laptop", "'x' (no node has this identity)"
  std::string from;                          // address
  const Credentials* credentials = nullptr;  // of the node, if it is one
};
Trouble words_at_agent(Reason reason, const AgentSide& side);

}  // namespace ike
