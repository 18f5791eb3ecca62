// What holds for each ICMPv6 message of Mobile IPv6, for the fuzz targets of its families.
#pragma once

#include <span>

#include "libmip6/wire/icmp_message.hpp"
#include "tests/fuzz/input.hpp"

namespace fuzz {

// Parses; what parses is written, and that parses to an equal message. Bytes may differ: unknown options are not kept.
inline void check_icmp_message(std::span<const std::uint8_t> bytes) {
  const auto message = mip6::parse_icmp_message(bytes);
  if (!message) {
    require(message.error().offset <= bytes.size() && !message.error().reason.empty(), "an error says where and why");
    return;
  }
  const auto written = mip6::write_icmp_message(*message);
  require(written.size() <= bytes.size(), "what is kept is not longer than what came");
  const auto again = mip6::parse_icmp_message(written);
  require(again && *again == *message, "what is written parses to an equal message");
  require(mip6::write_icmp_message(*again) == written, "and is written again to the same bytes");
}

}  // namespace fuzz
