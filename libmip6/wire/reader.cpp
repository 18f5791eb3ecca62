// The sticky, bounds-checked reader.
#include "libmip6/wire/reader.hpp"

#include <algorithm>

namespace mip6 {

void Reader::fail_at(std::size_t offset, std::string_view reason) {
  if (!error_) error_ = ParseError{offset, reason};
}

std::span<const std::uint8_t> Reader::take(std::size_t count) {
  if (error_) return {};
  if (count > bytes_.size() - offset_) {
    fail("the message is cut short");
    return {};
  }
  const auto taken = bytes_.subspan(offset_, count);
  offset_ += count;
  return taken;
}

std::uint8_t Reader::u8() {
  const auto field = take(1);
  return field.empty() ? std::uint8_t{0} : field[0];
}

std::uint16_t Reader::u16() {
  const auto field = take(2);
  return field.empty() ? std::uint16_t{0} : static_cast<std::uint16_t>(field[0] << 8 | field[1]);
}

Ipv6Address Reader::address() {
  Ipv6Address address;
  const auto field = take(address.bytes.size());
  std::copy(field.begin(), field.end(), address.bytes.begin());
  return address;
}

}  // namespace mip6
