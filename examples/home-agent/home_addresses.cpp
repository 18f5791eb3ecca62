// See home_addresses.hpp.
#include "examples/home-agent/home_addresses.hpp"

#include <cstdint>

namespace mip6ha {
namespace {

using mip6::Ipv6Address;
using mip6::Ipv6Prefix;

constexpr int kTries = 1000;           // at random; a prefix with more than a thousandth free gives one by then
constexpr unsigned kCountedBits = 16;  // of a smaller link's addresses each is looked at

unsigned host_bits(const Ipv6Prefix& prefix) { return 128U - prefix.length; }

// The last 64 bits.
std::uint64_t interface_identifier(const Ipv6Address& address) {
  std::uint64_t value = 0;
  for (std::size_t at = 8; at < 16; ++at) value = value << 8 | address.bytes[at];
  return value;
}

// The address of the prefix whose bits after it come from `take`, byte by byte from the end.
template <typename Take>
Ipv6Address host(const Ipv6Prefix& prefix, Take&& take) {
  Ipv6Address address = prefix.address;
  unsigned left = host_bits(prefix);
  for (std::size_t at = 15; left > 0; --at) {
    const unsigned bits = left < 8 ? left : 8;
    const auto mask = static_cast<std::uint8_t>((1U << bits) - 1U);
    address.bytes[at] = static_cast<std::uint8_t>((address.bytes[at] & ~mask) | (take() & mask));
    left -= bits;
  }
  return address;
}

}  // namespace

std::string_view objection_to(const Ipv6Prefix& prefix, const Ipv6Address& address) {
  if (!prefix.contains(address)) return "is outside the prefix of the home link";
  if (address == host(prefix, [] { return 0U; }))
    return "is the subnet-router anycast address (RFC 4291 section 2.6.1)";
  constexpr std::string_view kAnycast = "is reserved for anycast (RFC 2526)";
  // The last 128 addresses, however long the prefix is; with 64 bits the identifier has its local bit clear.
  if (prefix.length < 121 && address >= host(prefix, [first = true]() mutable {
                               const unsigned byte = first ? 0x80U : 0xffU;
                               first = false;
                               return byte;
                             }))
    return kAnycast;
  if (prefix.length != 64) return {};
  const auto identifier = interface_identifier(address);
  if (identifier >= 0xfdffffffffffff80 && identifier <= 0xfdffffffffffffff) return kAnycast;
  if (identifier >= 0x02005efffe000000 && identifier <= 0x02005efffeffffff)
    return "has a reserved interface identifier (RFC 5453)";
  return {};
}

std::optional<Ipv6Address> free_address(const Ipv6Prefix& prefix, const std::unordered_set<Ipv6Address>& taken,
                                        mip6::Random& random) {
  const auto permitted = [&](const Ipv6Address& address) {
    return objection_to(prefix, address).empty() && !taken.contains(address);
  };
  for (int tries = 0; tries < kTries; ++tries) {
    const auto address = host(prefix, [&] { return random.draw(); });
    if (permitted(address)) return address;
  }
  if (host_bits(prefix) > kCountedBits) return std::nullopt;
  for (unsigned number = 0; number < 1U << host_bits(prefix); ++number) {
    const auto address = host(prefix, [rest = number]() mutable {
      const unsigned byte = rest & 0xffU;
      rest >>= 8;
      return byte;
    });
    if (permitted(address)) return address;
  }
  return std::nullopt;
}

}  // namespace mip6ha
