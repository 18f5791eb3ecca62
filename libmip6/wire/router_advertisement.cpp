// Router Advertisements (RFC 4861 section 4.2, RFC 6275 sections 7.1 to 7.4).
#include "libmip6/wire/router_advertisement.hpp"

#include <algorithm>

#include "libmip6/wire/icmp_codec.hpp"
#include "libmip6/wire/neighbor_options.hpp"

namespace mip6 {
namespace {

constexpr std::uint8_t kHomeAgentBit = 0x20;

HomeAgentInformation parse_home_agent_information(Reader data) {
  HomeAgentInformation information;
  data.skip(2);
  information.preference = data.u16();
  information.lifetime = Lifetime{data.u16()};
  return information;
}

std::chrono::milliseconds parse_advertisement_interval(Reader data) {
  data.skip(2);
  return std::chrono::milliseconds{data.u32()};
}

void write(const HomeAgentInformation& information, Writer& out) {
  write_option_head(kHomeAgentInformationType, kHomeAgentInformationSize, out);
  out.u16(0);
  out.u16(information.preference);
  out.u16(seconds16(information.lifetime));
}

void write(std::chrono::milliseconds interval, Writer& out) {
  using Milliseconds = std::chrono::milliseconds;
  write_option_head(kAdvertisementIntervalType, kAdvertisementIntervalSize, out);
  out.u16(0);
  out.u32(static_cast<std::uint32_t>(std::clamp(interval, Milliseconds{0}, Milliseconds{0xffffffff}).count()));
}

}  // namespace

IcmpMessage parse_router_advertisement(Reader& in) {
  RouterAdvertisement advertisement;
  in.skip(1);  // Cur Hop Limit
  const std::uint8_t flags = in.u8();
  advertisement.managed = (flags & kManagedBit) != 0;
  advertisement.other = (flags & kOtherBit) != 0;
  advertisement.home_agent = (flags & kHomeAgentBit) != 0;
  advertisement.router_lifetime = Lifetime{in.u16()};
  in.skip(8);  // Reachable Time, Retrans Timer
  while (const auto option = next_option(in)) {
    if (option->is(kPrefixInformationType, kPrefixInformationSize)) {
      if (const auto prefix = parse_prefix_information(option->data)) advertisement.prefixes.push_back(*prefix);
    } else if (option->is(kHomeAgentInformationType, kHomeAgentInformationSize)) {
      advertisement.home_agent_information = parse_home_agent_information(option->data);
    } else if (option->is(kAdvertisementIntervalType, kAdvertisementIntervalSize)) {
      advertisement.advertisement_interval = parse_advertisement_interval(option->data);
    }
  }
  return advertisement;
}

void write(const RouterAdvertisement& advertisement, Writer& out) {
  out.u8(0);
  std::uint8_t flags = 0;
  if (advertisement.managed) flags |= kManagedBit;
  if (advertisement.other) flags |= kOtherBit;
  if (advertisement.home_agent) flags |= kHomeAgentBit;
  out.u8(flags);
  out.u16(seconds16(advertisement.router_lifetime));
  out.u32(0);
  out.u32(0);
  for (const auto& prefix : advertisement.prefixes) write(prefix, out);
  if (advertisement.advertisement_interval) write(*advertisement.advertisement_interval, out);
  if (advertisement.home_agent_information) write(*advertisement.home_agent_information, out);
}

}  // namespace mip6
