// Fuzz target: any bytes as a Router Advertisement.
#include <vector>

#include "tests/fuzz/icmp.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint8_t> bytes(data, data + size);
  if (!bytes.empty()) bytes[0] = mip6::RouterAdvertisement::kType;
  fuzz::check_icmp_message(bytes);
  return 0;
}
