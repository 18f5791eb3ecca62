// The sticky, bounds-checked reader.
#include "libmip6/wire/reader.hpp"

namespace mip6 {

void Reader::fail_at(std::size_t offset, std::string_view reason, Answer answer) {
  if (!error_) error_ = ParseError{offset, reason, answer};
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

Reader Reader::sub_reader(std::size_t count) {
  take(count);
  Reader part = *this;
  part.bytes_ = bytes_.first(offset_);
  part.offset_ = error_ ? offset_ : offset_ - count;
  return part;
}

std::uint8_t Reader::u8() {
  const auto field = take(1);
  return field.empty() ? std::uint8_t{0} : field[0];
}

std::uint16_t Reader::u16() {
  const auto field = take(2);
  return field.empty() ? std::uint16_t{0} : static_cast<std::uint16_t>(field[0] << 8 | field[1]);
}

std::uint32_t Reader::u32() {
  const std::uint32_t high = u16();
  return high << 16U | u16();
}

Ipv6Address Reader::address() { return {array<16>()}; }

}  // namespace mip6
