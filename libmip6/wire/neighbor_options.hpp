// Options of ICMPv6 messages (RFC 4861 section 4.6) to bytes and back.
#pragma once

#include <cstdint>
#include <optional>

#include "libmip6/wire/prefix_information.hpp"
#include "libmip6/wire/reader.hpp"
#include "libmip6/wire/writer.hpp"

namespace mip6 {

inline constexpr std::uint8_t kPrefixInformationType = 3;
inline constexpr std::uint8_t kAdvertisementIntervalType = 7;  // RFC 6275 section 7.3
inline constexpr std::uint8_t kHomeAgentInformationType = 8;   // RFC 6275 section 7.4

// Flags M and O where an advertisement has both (RFC 4861 section 4.2, RFC 6275 section 6.8).
inline constexpr std::uint8_t kManagedBit = 0x80;
inline constexpr std::uint8_t kOtherBit = 0x40;

// Octets of an option, with its type and length.
inline constexpr std::size_t kPrefixInformationSize = 32;
inline constexpr std::size_t kAdvertisementIntervalSize = 8;
inline constexpr std::size_t kHomeAgentInformationSize = 8;

struct NeighborOption {
  std::uint8_t type = 0;
  std::size_t size = 0;  // octets, with type and length
  Reader data;           // what follows them
  bool is(std::uint8_t expected_type, std::size_t expected_size) const {
    return type == expected_type && size == expected_size;
  }
};

// The option that begins here; empty at the end of the message, and when it is malformed (then `in` keeps the failure).
std::optional<NeighborOption> next_option(Reader& in);

// Empty if the prefix is longer than an address. Bits that are no part of the prefix become zero, but not with R.
std::optional<PrefixInformation> parse_prefix_information(Reader data);
void write(const PrefixInformation& prefix, Writer& out);

void write_option_head(std::uint8_t type, std::size_t size, Writer& out);

// Seconds as a field of this many bits: the nearest that it can hold.
std::uint16_t seconds16(Lifetime lifetime);
std::uint32_t seconds32(Lifetime lifetime);

}  // namespace mip6
