// The bytes of a fuzz input as a source of choices, for targets that make structured things of them. Where the bytes
// are used up everything drawn is zero.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <iostream>
#include <span>
#include <string>

#include "libmip6/address.hpp"
#include "libmip6/time.hpp"

namespace fuzz {

// States what must hold; a target that breaks it ends with a finding.
inline void require(bool condition, const char* what) {
  if (condition) return;
  std::cerr << "broken: " << what << std::endl;
  std::abort();
}

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_{data, size} {}

  bool empty() const { return rest_.empty(); }
  std::span<const std::uint8_t> bytes(std::size_t count) {
    const auto taken = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  std::uint8_t u8() {
    const auto taken = bytes(1);
    return taken.empty() ? std::uint8_t{0} : taken[0];
  }
  std::uint16_t u16() {
    const unsigned high = u8();
    return static_cast<std::uint16_t>(high << 8 | u8());
  }
  std::uint32_t u32() {
    const std::uint32_t high = u16();
    return high << 16 | u16();
  }
  bool flag() { return (u8() & 1) != 0; }
  // 0 to `count` - 1; `count` is 1 to 256.
  std::size_t below(std::size_t count) { return u8() % count; }
  template <class Values>
  const auto& one_of(const Values& values) {
    return *(std::begin(values) + static_cast<std::ptrdiff_t>(below(std::size(values))));
  }
  std::string text(std::size_t longest) {
    const auto taken = bytes(below(longest + 1));
    return {taken.begin(), taken.end()};
  }
  mip6::Ipv6Address any_address() {
    mip6::Ipv6Address address;
    const auto taken = bytes(address.bytes.size());
    std::copy(taken.begin(), taken.end(), address.bytes.begin());
    return address;
  }
  // Nothing, some milliseconds, seconds or hours.
  mip6::Duration pause() {
    using namespace std::chrono;
    const std::array<mip6::Duration, 4> units{nanoseconds{0}, milliseconds{10}, seconds{1}, hours{1}};
    const auto unit = one_of(units);
    return unit == nanoseconds{0} ? unit : unit * u8();
  }

 private:
  std::span<const std::uint8_t> rest_;
};

inline mip6::Ipv6Address address(const char* text) { return mip6::Ipv6Address::parse(text).value(); }

}  // namespace fuzz
