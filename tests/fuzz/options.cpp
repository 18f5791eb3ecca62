// Fuzz target: any bytes as the mobility options of a message. What parses is written, and that parses to equal
// options.
#include <cstdint>

#include "libmip6/wire/message.hpp"
#include "libmip6/wire/options.hpp"
#include "tests/fuzz/input.hpp"

using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mip6::Reader in{{data, size}};
  const auto options = mip6::parse_options(in);
  if (!in.ok()) {
    require(in.error()->offset <= size && !in.error()->reason.empty(), "an error says where and why");
    return 0;
  }
  // Options end where their message ends, which is a multiple of 8 octets long and not too long.
  if (size % 8 != 0 || size > mip6::kMaxMessageSize) return 0;
  mip6::Bytes written;
  mip6::Writer out{written};
  mip6::write_options(options, out);
  require(written.size() % 8 == 0 && written.size() <= mip6::kMaxMessageSize, "what is written fits in a message");
  mip6::Reader again{written};
  require(mip6::parse_options(again) == options && again.ok(), "what is written parses to the same options");
  return 0;
}
