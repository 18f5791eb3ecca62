// The Destination Options header with the Home Address option.
#include "libmip6/wire/home_address_option.hpp"

#include "libmip6/wire/reader.hpp"
#include "libmip6/wire/writer.hpp"

namespace mip6 {
namespace {

constexpr std::uint8_t kHomeAddressType = 201;
constexpr std::uint8_t kHomeAddressLength = 16;
constexpr Alignment kHomeAddressAlignment{8, 6};

// What the two highest bits of an unknown option's type ask for (RFC 8200 section 4.2).
void skip_unknown(std::size_t offset, std::uint8_t type, Reader& in) {
  const std::string_view reason = "an unknown destination option that must not be skipped";
  switch (type >> 6U) {
    case 0:
      return;
    case 1:
      return in.fail_at(offset, reason);
    case 2:
      return in.fail_at(offset, reason, Answer::kUnrecognizedOption);
    default:
      return in.fail_at(offset, reason, Answer::kUnrecognizedOptionUnlessMulticast);
  }
}

void parse_home_address(std::size_t offset, Reader& data, DestinationOptions& header, Reader& in) {
  if (data.remaining() != kHomeAddressLength) return in.fail_at(offset + 1, "a Home Address option is not 16 octets");
  if (header.home_address) return in.fail_at(offset, "a second Home Address option");
  header.home_address = data.address();
  if (!header.home_address->is_global_unicast())
    in.fail_at(offset + 2, "the home address is not unicast routable", Answer::kUnknownBinding);  // section 9.3.1
}

}  // namespace

tl::expected<DestinationOptions, ParseError> parse_destination_options(std::span<const std::uint8_t> bytes) {
  Reader in{bytes};
  DestinationOptions header;
  header.next_header = in.u8();
  const std::size_t announced = (in.u8() + 1U) * 8U;
  if (in.ok() && announced != bytes.size()) in.fail_at(1, "Hdr Ext Len does not match the number of bytes");
  while (in.remaining() > 0) {
    const std::size_t offset = in.offset();
    const std::uint8_t type = in.u8();
    if (type == kPad1Type) continue;
    const std::uint8_t length = in.u8();
    if (length > in.remaining()) in.fail_at(offset + 1, "an option goes beyond the end of the header");
    Reader data = in.sub_reader(length);
    if (!in.ok() || type == kPadNType) continue;
    if (type == kHomeAddressType)
      parse_home_address(offset, data, header, in);
    else
      skip_unknown(offset, type, in);
  }
  if (!in.ok()) return tl::unexpected(*in.error());
  return header;
}

Bytes write_destination_options(const DestinationOptions& header) {
  Bytes bytes;
  Writer out{bytes};
  out.u8(header.next_header);
  out.u8(0);
  if (header.home_address) {
    out.pad_to(kHomeAddressAlignment);
    out.u8(kHomeAddressType);
    out.u8(kHomeAddressLength);
    out.address(*header.home_address);
  }
  out.pad_to({8, 0});
  out.set(1, static_cast<std::uint8_t>(out.size() / 8 - 1));
  return bytes;
}

}  // namespace mip6
