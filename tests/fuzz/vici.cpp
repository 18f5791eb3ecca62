// Fuzz target: the VICI decoder. What decodes can be encoded again, and decodes to an equal packet then.
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>

#include "ike-glue/vici.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto packet = ike::decode(std::span(data, size));
  if (!packet) {
    assert(packet.error().offset <= size);
    return 0;
  }
  const auto encoded = ike::encode(*packet);
  assert(encoded);
  const auto again = ike::decode(*encoded);
  assert(again);
  assert(*again == *packet);
  return 0;
}
