// The type 2 routing header.
#include "libmip6/wire/routing_header.hpp"

#include "libmip6/wire/reader.hpp"
#include "libmip6/wire/writer.hpp"

namespace mip6 {
namespace {

constexpr std::uint8_t kHeaderLength = 2;
constexpr std::uint8_t kRoutingType = 2;
constexpr std::uint8_t kSegmentsLeft = 1;
constexpr std::size_t kAddressOffset = 8;

}  // namespace

tl::expected<Type2RoutingHeader, ParseError> parse_type2_routing_header(std::span<const std::uint8_t> bytes) {
  Reader in{bytes};
  Type2RoutingHeader header;
  header.next_header = in.u8();
  // Section 11.3.3, in its order.
  if (in.u8() != kHeaderLength) in.fail_at(1, "Hdr Ext Len is not 2");
  if (in.u8() != kRoutingType) in.fail_at(2, "Routing Type is not 2");
  if (in.u8() != kSegmentsLeft) in.fail_at(3, "Segments Left is not 1");
  in.skip(4);  // Reserved
  header.home_address = in.address();
  if (in.ok() && !header.home_address.is_global_unicast())
    in.fail_at(kAddressOffset, "the home address is not unicast routable");
  if (in.remaining() > 0) in.fail("more than one routing header");
  if (!in.ok()) return tl::unexpected(*in.error());
  return header;
}

Bytes write_type2_routing_header(const Type2RoutingHeader& header) {
  Bytes bytes;
  Writer out{bytes};
  out.u8(header.next_header);
  out.u8(kHeaderLength);
  out.u8(kRoutingType);
  out.u8(kSegmentsLeft);
  out.u32(0);
  out.address(header.home_address);
  return bytes;
}

}  // namespace mip6
