// Options of ICMPv6 messages.
#include "libmip6/wire/neighbor_options.hpp"

#include <algorithm>

namespace mip6 {
namespace {

constexpr std::uint8_t kOnLinkBit = 0x80;
constexpr std::uint8_t kAutonomousBit = 0x40;
constexpr std::uint8_t kRouterAddressBit = 0x20;

Ipv6Address first_bits(const Ipv6Address& address, std::uint8_t length) {
  Ipv6Address result;
  const std::size_t whole = length / 8;
  std::copy_n(address.bytes.begin(), whole, result.bytes.begin());
  if (length % 8 != 0)
    result.bytes[whole] = static_cast<std::uint8_t>(address.bytes[whole] & (0xff00U >> (length % 8U)));
  return result;
}

}  // namespace

std::optional<NeighborOption> next_option(Reader& in) {
  if (in.remaining() == 0) return std::nullopt;
  const std::size_t offset = in.offset();
  const std::uint8_t type = in.u8();
  const std::size_t size = in.u8() * 8U;
  // RFC 4861 section 6.1.2.
  if (size == 0) in.fail_at(offset + 1, "an option has length 0");
  if (in.ok() && size - 2 > in.remaining()) in.fail_at(offset + 1, "an option goes beyond the end of the message");
  if (!in.ok()) return std::nullopt;
  return NeighborOption{type, size, in.sub_reader(size - 2)};
}

std::optional<PrefixInformation> parse_prefix_information(Reader data) {
  PrefixInformation information;
  information.prefix.length = data.u8();
  if (information.prefix.length > 128) return std::nullopt;
  const std::uint8_t flags = data.u8();
  information.on_link = (flags & kOnLinkBit) != 0;
  information.autonomous = (flags & kAutonomousBit) != 0;
  information.router_address = (flags & kRouterAddressBit) != 0;
  information.valid = Lifetime{data.u32()};
  information.preferred = Lifetime{data.u32()};
  data.skip(4);
  const auto address = data.address();
  information.prefix.address = information.router_address ? address : first_bits(address, information.prefix.length);
  return information;
}

void write(const PrefixInformation& information, Writer& out) {
  const auto& prefix = information.prefix;
  write_option_head(kPrefixInformationType, kPrefixInformationSize, out);
  out.u8(prefix.length);
  std::uint8_t flags = 0;
  if (information.on_link) flags |= kOnLinkBit;
  if (information.autonomous) flags |= kAutonomousBit;
  if (information.router_address) flags |= kRouterAddressBit;
  out.u8(flags);
  out.u32(seconds32(information.valid));
  out.u32(seconds32(information.preferred));
  out.u32(0);
  out.address(information.router_address ? prefix.address : first_bits(prefix.address, prefix.length));
}

void write_option_head(std::uint8_t type, std::size_t size, Writer& out) {
  out.u8(type);
  out.u8(static_cast<std::uint8_t>(size / 8));
}

std::uint16_t seconds16(Lifetime lifetime) {
  return static_cast<std::uint16_t>(std::clamp(lifetime, Lifetime{0}, Lifetime{0xffff}).count());
}

std::uint32_t seconds32(Lifetime lifetime) {
  return static_cast<std::uint32_t>(std::clamp(lifetime, Lifetime{0}, kInfiniteLifetime).count());
}

}  // namespace mip6
