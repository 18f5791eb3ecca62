// How long both ends' key management waits for charon; of NodeKeying and AgentKeying alike.
#pragma once

#include <chrono>

namespace ike {

inline constexpr std::chrono::milliseconds kDeadline{3000};             // of a request to charon
inline constexpr std::chrono::milliseconds kStopRequestDeadline{1000};  // the same on the way out
inline constexpr std::chrono::milliseconds kStopPatience{1500};         // for all that a stop asks of charon
inline constexpr std::chrono::milliseconds kStopPlainPatience{1000};    // then charon is to do it without the peer
inline constexpr std::chrono::milliseconds kVerifyAfter{200};           // from an event to a look at what charon has
inline constexpr std::chrono::milliseconds kVerifyAgainAfter{800};      // and to the next one
// from the log's reason to the end of charon's own work on it
inline constexpr std::chrono::milliseconds kAfterReason{200};

}  // namespace ike
