// Fuzz target: any bytes as a Destination Options header with or without a Home Address option.
#include "libmip6/wire/home_address_option.hpp"

#include "tests/fuzz/input.hpp"

using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto header = mip6::parse_destination_options({data, size});
  if (!header) {
    require(header.error().offset <= size && !header.error().reason.empty(), "an error says where and why");
    return 0;
  }
  const auto written = mip6::write_destination_options(*header);
  require(written.size() == (header->home_address ? 24U : 8U), "what is written is as short as it can be");
  const auto again = mip6::parse_destination_options(written);
  require(again && *again == *header, "what is written parses to an equal header");
  require(mip6::write_destination_options(*again) == written, "and is written again to the same bytes");
  return 0;
}
