// Mobility Header messages (RFC 6275 section 6.1) as one value, and their way to bytes and back.
#pragma once

#include <cstdint>
#include <span>
#include <tl/expected.hpp>
#include <variant>

#include "libmip6/wire/binding.hpp"
#include "libmip6/wire/checksum.hpp"
#include "libmip6/wire/heartbeat.hpp"
#include "libmip6/wire/home_agent_switch.hpp"
#include "libmip6/wire/mh_type.hpp"
#include "libmip6/wire/mobility_option.hpp"
#include "libmip6/wire/return_routability.hpp"
#include "libmip6/wire/revocation.hpp"
#include "libmip6/wire/values.hpp"

namespace mip6 {

// Octets of the longest Mobility Header: its length is 8 bits in units of 8 octets, not counting the first 8
// (section 6.1.1).
inline constexpr std::size_t kMaxMessageSize = 256 * 8;

// Any other type: kept as the bytes after the Checksum field.
struct UnknownMessage {
  std::uint8_t type = 0;
  Bytes data{};
  bool operator==(const UnknownMessage&) const = default;
};

using Message = std::variant<BindingRefreshRequest, HomeTestInit, CareOfTestInit, HomeTest, CareOfTest, BindingUpdate,
                             BindingAcknowledgement, BindingError, HomeAgentSwitch, Heartbeat,
                             BindingRevocationIndication, BindingRevocationAcknowledgement, UnknownMessage>;

// The MH Type of a message; a program that has no use for one answers it like an unknown one.
std::uint8_t mh_type(const Message& message);

// Parses one whole Mobility Header, from its Payload Proto field on. Checks Payload Proto (59), Header Len against the
// type and the number of bytes, and each option (section 9.2); does not check the checksum (the kernel has; see
// verify_checksum()). An UnknownMessage has to be answered by a Binding Error with status 2.
tl::expected<Message, ParseError> parse_message(std::span<const std::uint8_t> bytes);

// The bytes of a message, options aligned and padded (section 6.2), checksum field zero (a Linux raw socket of protocol
// 135 fills it in). Never fails; a message must fit into kMaxMessageSize.
Bytes write_message(const Message& message);

// The same into `out`, whose former content is lost and whose capacity is used again: where that is large enough,
// nothing is allocated.
void write_message(const Message& message, Bytes& out);

}  // namespace mip6
