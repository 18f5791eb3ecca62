// Reads fields of a message in network byte order. Bounds-checked and sticky: after its first failure it gives zeros
// and keeps that failure, so a parser reads all its fields and asks once.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "libmip6/address.hpp"
#include "libmip6/wire/values.hpp"

namespace mip6 {

class Reader {
 public:
  // Offsets of errors count from the first of `bytes`, which must outlive the reader.
  explicit Reader(std::span<const std::uint8_t> bytes) : bytes_{bytes} {}

  std::uint8_t u8();
  std::uint16_t u16();
  std::uint32_t u32();
  Ipv6Address address();
  template <std::size_t size>
  std::array<std::uint8_t, size> array() {
    std::array<std::uint8_t, size> octets{};
    const auto field = take(size);
    std::copy(field.begin(), field.end(), octets.begin());
    return octets;
  }
  // The next `count` bytes; empty on failure.
  std::span<const std::uint8_t> take(std::size_t count);
  void skip(std::size_t count) { take(count); }
  // A reader of the next `count` bytes alone, which this one skips. Offsets count from the same place.
  Reader sub_reader(std::size_t count);

  std::size_t offset() const { return offset_; }
  std::size_t remaining() const { return error_ ? 0 : bytes_.size() - offset_; }

  // Keeps this failure, unless there is an earlier one. `reason` is static text.
  void fail(std::string_view reason) { fail_at(offset_, reason); }
  void fail_at(std::size_t offset, std::string_view reason, Answer answer = Answer::kNone);
  bool ok() const { return !error_; }
  const std::optional<ParseError>& error() const { return error_; }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t offset_ = 0;
  std::optional<ParseError> error_;
};

}  // namespace mip6
