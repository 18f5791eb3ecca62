// What all parts of the wire format share: bytes, lifetimes, and why bytes could not be parsed.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace mip6 {

using Bytes = std::vector<std::uint8_t>;

// What the RFC wants sent back for bytes that had to be dropped. A Parameter Problem (RFC 4443 section 3.4) goes to the
// source address of the packet; its Pointer is ParseError::offset plus where the header begins in the packet.
enum class Answer : std::uint8_t {
  kNone,
  kParameterProblem,                   // Code 0: erroneous header field
  kUnrecognizedOption,                 // Parameter Problem, Code 2
  kUnrecognizedOptionUnlessMulticast,  // the same, unless the packet went to a multicast address
  kUnknownBinding,                     // Binding Error, status 1
};

// Why bytes are no message: `offset` counts from the first byte of the header or message that was parsed.
struct ParseError {
  std::size_t offset = 0;
  std::string_view reason;  // static text
  Answer answer = Answer::kNone;
  bool operator==(const ParseError&) const = default;
};

// How long something holds. On the wire of Mobility Header messages 16 bits in units of 4 seconds, rounded down when
// written; in ICMPv6 messages 16 or 32 bits in seconds.
using Lifetime = std::chrono::seconds;
inline constexpr Lifetime kMaxLifetime{65535 * 4};  // of a binding

}  // namespace mip6
