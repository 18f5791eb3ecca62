// The checksum of the Mobility Header (RFC 6275 section 6.1.1, pseudo-header of RFC 8200 section 8.1).
#include "libmip6/wire/message.hpp"

namespace mip6 {
namespace {

constexpr std::uint32_t kMobilityHeaderProtocol = 135;

std::uint64_t sum_of(std::span<const std::uint8_t> bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += i % 2 == 0 ? bytes[i] * 256U : bytes[i];
  return sum;
}

}  // namespace

std::uint16_t checksum(std::span<const std::uint8_t> message, const Ipv6Address& source,
                       const Ipv6Address& destination) {
  const std::size_t length = message.size();
  std::uint64_t sum = sum_of(source.bytes) + sum_of(destination.bytes) + sum_of(message);
  sum += (length >> 16U) + (length & 0xffffU) + kMobilityHeaderProtocol;
  while (sum > 0xffff) sum = (sum >> 16U) + (sum & 0xffffU);
  return static_cast<std::uint16_t>(~sum);
}

}  // namespace mip6
