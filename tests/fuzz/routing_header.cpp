// Fuzz target: any bytes as a type 2 routing header. What parses is written to the same bytes, reserved ones apart.
#include "libmip6/wire/routing_header.hpp"

#include "tests/fuzz/input.hpp"

using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto header = mip6::parse_type2_routing_header({data, size});
  if (!header) {
    require(header.error().offset <= size && !header.error().reason.empty(), "an error says where and why");
    return 0;
  }
  const auto written = mip6::write_type2_routing_header(*header);
  require(written.size() == size, "the header has one size");
  const auto again = mip6::parse_type2_routing_header(written);
  require(again && *again == *header, "what is written parses to an equal header");
  return 0;
}
