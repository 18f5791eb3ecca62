// The writer and its padding.
#include "libmip6/wire/writer.hpp"

namespace mip6 {

void Writer::u16(std::uint16_t value) {
  u8(static_cast<std::uint8_t>(value >> 8));
  u8(static_cast<std::uint8_t>(value & 0xff));
}

void Writer::u32(std::uint32_t value) {
  u16(static_cast<std::uint16_t>(value >> 16));
  u16(static_cast<std::uint16_t>(value & 0xffff));
}

void Writer::pad_to(Alignment alignment) {
  const std::size_t missing =
      (alignment.rest + alignment.multiple - bytes_.size() % alignment.multiple) % alignment.multiple;
  if (missing == 0) return;
  if (missing == 1) {
    u8(kPad1Type);
    return;
  }
  u8(kPadNType);
  u8(static_cast<std::uint8_t>(missing - 2));
  bytes_.resize(bytes_.size() + missing - 2, 0);
}

}  // namespace mip6
