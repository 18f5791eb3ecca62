// Helpers of the wire tests: bytes from hexadecimal text, addresses from text.
#pragma once

#include <cassert>
#include <string_view>

#include "libmip6/wire/message.hpp"

namespace mip6::test {

inline Ipv6Address address(std::string_view text) {
  const auto parsed = Ipv6Address::parse(text);
  assert(parsed);
  return *parsed;
}

// "3b 01 05" or "3b0105"; spaces are ignored.
inline Bytes bytes(std::string_view hex) {
  Bytes result;
  int high = -1;
  for (const char c : hex) {
    if (c == ' ') continue;
    const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    assert(digit >= 0 && digit < 16);
    if (high < 0) {
      high = digit;
      continue;
    }
    result.push_back(static_cast<std::uint8_t>(high * 16 + digit));
    high = -1;
  }
  assert(high < 0);
  return result;
}

// What comes of writing a message and parsing the bytes.
template <class T>
T round_trip(const T& message) {
  const auto parsed = parse_message(write_message(message));
  assert(parsed);
  return std::get<T>(*parsed);
}

// The failure of bytes that must not parse.
inline ParseError failure_of(std::string_view hex) {
  const auto parsed = parse_message(bytes(hex));
  return parsed ? ParseError{9999, "it parses"} : parsed.error();
}

}  // namespace mip6::test
