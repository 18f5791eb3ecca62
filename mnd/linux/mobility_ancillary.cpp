// See mobility_ancillary.hpp.
#include "mnd/linux/mobility_ancillary.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace mnd::kernel {

namespace {

constexpr std::uint8_t kPad1 = 0;
constexpr std::uint8_t kHomeAddressOption = 201;
constexpr std::uint8_t kRoutingType2 = 2;

}  // namespace

std::optional<mip6::Ipv6Address> home_address_option(std::span<const std::uint8_t> header) {
  if (header.size() < 2) return std::nullopt;
  const std::size_t told = (header[1] + 1u) * 8u;
  auto left = header.first(std::min(told, header.size())).subspan(2);
  while (!left.empty()) {
    if (left[0] == kPad1) {
      left = left.subspan(1);
      continue;
    }
    if (left.size() < 2 || left.size() < 2u + left[1]) return std::nullopt;
    const auto data = left.subspan(2, left[1]);
    mip6::Ipv6Address address;
    if (left[0] == kHomeAddressOption && data.size() == address.bytes.size()) {
      std::copy(data.begin(), data.end(), address.bytes.begin());
      return address;
    }
    left = left.subspan(2 + data.size());
  }
  return std::nullopt;
}

MobilityAncillary read_ancillary(const msghdr& message) {
  MobilityAncillary found;
  auto* header = const_cast<msghdr*>(&message);  // the macros want it so, and read only
  for (auto* item = CMSG_FIRSTHDR(header); item; item = CMSG_NXTHDR(header, item)) {
    if (item->cmsg_level != IPPROTO_IPV6 || item->cmsg_len < CMSG_LEN(0)) continue;
    const std::span data{CMSG_DATA(item), item->cmsg_len - CMSG_LEN(0)};
    if (item->cmsg_type == IPV6_PKTINFO && data.size() >= sizeof(in6_pktinfo)) {
      in6_pktinfo info{};
      std::memcpy(&info, data.data(), sizeof info);
      found.destination.emplace();
      std::memcpy(found.destination->bytes.data(), &info.ipi6_addr, found.destination->bytes.size());
    } else if (item->cmsg_type == IPV6_DSTOPTS) {
      if (const auto address = home_address_option(data)) found.home_address_option = address;
    } else if (item->cmsg_type == IPV6_RTHDR && data.size() >= 4) {
      found.routing_header |= data[2] == kRoutingType2;
    }
  }
  return found;
}

}  // namespace mnd::kernel
