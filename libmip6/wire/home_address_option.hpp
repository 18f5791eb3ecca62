// The Destination Options header with the Home Address option (RFC 6275 section 6.3): value, bytes and back.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <tl/expected.hpp>

#include "libmip6/address.hpp"
#include "libmip6/wire/values.hpp"

namespace mip6 {

struct DestinationOptions {
  std::uint8_t next_header = 59;              // protocol number of what follows
  std::optional<Ipv6Address> home_address{};  // of the Home Address option; all other options are skipped
  bool operator==(const DestinationOptions&) const = default;
};

// Parses one whole Destination Options header, from its Next Header field on. Refuses a home address that is not
// unicast routable, a second Home Address option (section 6.3), and unknown options whose type asks for that (RFC 8200
// section 4.2); ParseError::answer says what to send back. A packet whose `next_header` is not ESP (50), AH (51) or
// Mobility Header (135) needs a binding of the home address besides: that check is the caller's (section 9.3.1).
tl::expected<DestinationOptions, ParseError> parse_destination_options(std::span<const std::uint8_t> bytes);

// The bytes of the header: 24 octets with a home address, 8 without. Never fails.
Bytes write_destination_options(const DestinationOptions& header);

}  // namespace mip6
