// Writes fields of a message in network byte order, and the padding of options (RFC 6275 sections 6.2.2, 6.2.3).
#pragma once

#include <cstdint>
#include <span>

#include "libmip6/address.hpp"
#include "libmip6/wire/values.hpp"

namespace mip6 {

// Padding looks the same among mobility options and destination options (RFC 8200 section 4.2).
inline constexpr std::uint8_t kPad1Type = 0;
inline constexpr std::uint8_t kPadNType = 1;

// Where an option must begin: at `multiple` * n + `rest` octets from the start of the header.
struct Alignment {
  std::size_t multiple = 1;
  std::size_t rest = 0;
};

class Writer {
 public:
  // Writes over the content of `out` and uses its capacity; `out` must outlive the writer.
  explicit Writer(Bytes& out) : bytes_{out} { bytes_.clear(); }

  void u8(std::uint8_t value) { bytes_.push_back(value); }
  void u16(std::uint16_t value);
  void u32(std::uint32_t value);
  void address(const Ipv6Address& address) { append(address.bytes); }
  void append(std::span<const std::uint8_t> bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }

  // Pads with Pad1 or PadN until the next byte is aligned so.
  void pad_to(Alignment alignment);

  std::size_t size() const { return bytes_.size(); }
  void truncate(std::size_t size) { bytes_.resize(size); }
  void set(std::size_t offset, std::uint8_t value) { bytes_[offset] = value; }

 private:
  Bytes& bytes_;
};

}  // namespace mip6
