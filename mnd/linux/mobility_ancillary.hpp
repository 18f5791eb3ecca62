// What comes with a packet on the Mobility Header socket: its extension headers as ancillary data (RFC 3542).
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <span>

#include "libmip6/address.hpp"

namespace mnd::kernel {

struct MobilityAncillary {
  std::optional<mip6::Ipv6Address> destination;
  std::optional<mip6::Ipv6Address> home_address_option;  // its content: the kernel has swapped it with the IP source
  bool routing_header = false;                           // of type 2
};

// Malformed data is as good as none.
MobilityAncillary read_ancillary(const msghdr& message);

// The address in the home address option (RFC 6275 section 6.3) of a whole destination options header.
std::optional<mip6::Ipv6Address> home_address_option(std::span<const std::uint8_t> header);

}  // namespace mnd::kernel
