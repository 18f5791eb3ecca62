// The checksum over pseudo-header and message.
#include "libmip6/wire/checksum.hpp"

namespace mip6 {
namespace {

std::uint64_t sum_of(std::span<const std::uint8_t> bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += i % 2 == 0 ? bytes[i] * 256U : bytes[i];
  return sum;
}

}  // namespace

std::uint16_t checksum(std::span<const std::uint8_t> message, const Ipv6Address& source, const Ipv6Address& destination,
                       UpperLayer protocol) {
  const std::size_t length = message.size();
  std::uint64_t sum = sum_of(source.bytes) + sum_of(destination.bytes) + sum_of(message);
  sum += (length >> 16U) + (length & 0xffffU) + static_cast<std::uint8_t>(protocol);
  while (sum > 0xffff) sum = (sum >> 16U) + (sum & 0xffffU);
  return static_cast<std::uint16_t>(~sum);
}

bool verify_checksum(std::span<const std::uint8_t> message, const Ipv6Address& source, const Ipv6Address& destination,
                     UpperLayer protocol) {
  return checksum(message, source, destination, protocol) == 0;
}

}  // namespace mip6
