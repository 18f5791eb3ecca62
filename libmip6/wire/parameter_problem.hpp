// The ICMPv6 Parameter Problem message (RFC 4443 section 3.4) as far as a mobile node reads it: what it complains of,
// and which packet it quotes. Never written here.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <tl/expected.hpp>

#include "libmip6/address.hpp"
#include "libmip6/wire/values.hpp"

namespace mip6 {

struct ParameterProblem {
  std::uint8_t code = 0;
  std::uint32_t pointer = 0;  // offset in the quoted packet
  // Of the quoted packet, as it was on the wire:
  Ipv6Address source{};
  Ipv6Address destination{};
  std::uint8_t protocol = 0;                  // behind a Destination Options header, if there is one
  std::optional<Ipv6Address> home_address{};  // of the Home Address option
  bool operator==(const ParameterProblem&) const = default;
};

// Parses one ICMPv6 message, from its Type field on; another type, or a quotation that is shorter than its headers, is
// an error. Anybody can send one, and quote what was never sent. Does not check the checksum (the kernel has).
tl::expected<ParameterProblem, ParseError> parse_parameter_problem(std::span<const std::uint8_t> bytes);

}  // namespace mip6
