// Known defects that can be planted, to show that the tests which should find them do. Only a build with MIP6_PLANTS
// has them (CMake option MND_PLANTS, and the simulation's second program); in any other build planted() is false at
// compile time and the code is as if it were not there.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#ifdef MIP6_PLANTS
#include <cstdio>
#include <cstdlib>
#endif

namespace mip6 {

enum class Defect : std::uint8_t {
  kNone,
  // home agent
  kWindowOffByOne,          // the last number itself is taken for a newer one
  kWindowTooWide,           // a number 2^15 or more ahead is taken for a newer one
  kNumberForgotten,         // the last number is forgotten with the end of the binding
  kAcknowledgedBeforeSync,  // the acknowledgement leaves before the record is durable
  kAcknowledgedUnstored,    // the acknowledgement leaves though the disk refused
  kAnyHomeAddress,          // any home address is served to whoever asks for it
  kPeerSelectorAny,         // key management gives a node security associations for any home address
  kDeregistrationKept,      // a de-registration is acknowledged, but the binding stays
  kStrangersRemembered,     // something is kept of each home address asked for, served or not
  kPeerKeysLeftBehind,      // K agreed, but the home agent's endpoint does not follow
  kKeysDroppedAtUpdate,     // K refused: the old IKE connection is dropped before its replacement is up
  kKeysDroppedUnused,       // K refused: it is dropped before the node has used the replacement
  // mobile node
  kNumberBeforeReservation,  // numbers are used before their block is durable
  kRestartInsideBlock,       // after a restart the numbers go on inside the last block
  kNoRenewalAtHalfSpace,     // more than 2^15 numbers are used under the same keys
  kJumpWithoutRenewal,       // after status 135 numbers go on under the same keys: used again, or too far ahead
  kNoBackoff,                // an unanswered update is repeated without a growing pause
  kNoRateLimit,              // more than MAX_UPDATE_RATE updates a second
  kOutstandingUnbounded,     // each update sent is remembered for ever
  kKeysLeftBehind,           // K agreed, but the node's endpoint does not follow
  kNoRefresh,                // the binding is not refreshed before it ends
  kUnknownAtHomeRefused,     // status 133 to a de-registration is taken for a refusal
  kBindingErrorObeyed,       // a Binding Error ends the registration
  kDeadlineStays,            // a deadline is told for an update that cannot leave before something else happens
  kKeyMobilityUnwritten,     // the K flag of an update is lost on its way to the bytes
};

struct DefectName {
  Defect defect;
  std::string_view name;       // as on command lines
  std::string_view invariant;  // the simulation's, that it breaks
  std::string_view another{};  // one more that it breaks, in some seeds before that one
};
inline constexpr std::array<DefectName, 25> kDefects{{
    {Defect::kWindowOffByOne, "window-off-by-one", "no-replay"},
    {Defect::kWindowTooWide, "window-too-wide", "no-replay"},
    {Defect::kNumberForgotten, "number-forgotten", "no-replay"},
    {Defect::kAcknowledgedBeforeSync, "acknowledged-before-sync", "durable-first"},
    {Defect::kAcknowledgedUnstored, "acknowledged-unstored", "durable-first"},
    {Defect::kAnyHomeAddress, "any-home-address", "own-address"},
    {Defect::kPeerSelectorAny, "peer-selector-any", "own-address"},
    {Defect::kDeregistrationKept, "deregistration-kept", "home-unbound"},
    {Defect::kStrangersRemembered, "strangers-remembered", "bounded-memory"},
    {Defect::kPeerKeysLeftBehind, "peer-keys-left-behind", "endpoints-agree"},
    {Defect::kKeysDroppedAtUpdate, "keys-dropped-at-update", "make-before-break"},
    {Defect::kKeysDroppedUnused, "keys-dropped-unused", "make-before-break"},
    {Defect::kNumberBeforeReservation, "number-before-reservation", "number-once"},
    {Defect::kRestartInsideBlock, "restart-inside-block", "number-once"},
    {Defect::kNoRenewalAtHalfSpace, "no-renewal-at-half-space", "half-space"},
    {Defect::kJumpWithoutRenewal, "jump-without-renewal", "number-once", "half-space"},
    {Defect::kNoBackoff, "no-backoff", "update-rate"},
    {Defect::kNoRateLimit, "no-rate-limit", "update-rate"},
    {Defect::kOutstandingUnbounded, "outstanding-unbounded", "bounded-memory"},
    {Defect::kKeysLeftBehind, "keys-left-behind", "endpoints-agree"},
    {Defect::kNoRefresh, "no-refresh", "stays-registered"},
    {Defect::kUnknownAtHomeRefused, "unknown-at-home-refused", "settles"},
    {Defect::kBindingErrorObeyed, "binding-error-obeyed", "stays-registered"},
    {Defect::kDeadlineStays, "deadline-stays", "deadlines-end"},
    {Defect::kKeyMobilityUnwritten, "key-mobility-unwritten", "readable"},
}};

#ifdef MIP6_PLANTS
// What the environment variable MIP6_PLANT names; an unknown name ends the program.
inline Defect defect_of_environment() {
  const char* const wanted = std::getenv("MIP6_PLANT");
  if (wanted == nullptr || *wanted == 0) return Defect::kNone;
  for (const auto& one : kDefects)
    if (one.name == wanted) return one.defect;
  std::fprintf(stderr, "MIP6_PLANT: there is no defect '%s' (libmip6/defect.hpp lists them)\n", wanted);
  std::abort();
}
// The one that is planted; set before any core exists.
inline Defect planted_defect = defect_of_environment();
inline bool planted(Defect defect) { return defect == planted_defect; }
#else
constexpr bool planted(Defect) { return false; }
#endif

}  // namespace mip6
