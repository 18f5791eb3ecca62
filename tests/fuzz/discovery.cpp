// Fuzz target: any bytes as an ICMPv6 message: home agent address discovery, mobile prefix discovery, and what is none.
#include "tests/fuzz/icmp.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::check_icmp_message({data, size});
  return 0;
}
