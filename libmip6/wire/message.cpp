// The Mobility Header around every message (RFC 6275 section 6.1.1), and the way to the families' files.
#include "libmip6/wire/message.hpp"

#include <algorithm>
#include <array>
#include <cassert>

#include "libmip6/wire/codec.hpp"

namespace mip6 {
namespace {

constexpr std::uint8_t kNoNextHeader = 59;
constexpr std::size_t kHeaderSize = 6;  // up to and with the Checksum field
constexpr std::size_t kHeaderLengthOffset = 1;
constexpr std::size_t kLeastSize = 8;

struct MessageKind {
  MhType type;
  std::size_t least_size;  // octets that the fixed part takes
  Message (*parse)(Reader& in);
};

constexpr std::array kKinds{
    MessageKind{MhType::kBindingRefreshRequest, 8, parse_binding_refresh_request},
    MessageKind{MhType::kHomeTestInit, 16, parse_home_test_init},
    MessageKind{MhType::kCareOfTestInit, 16, parse_care_of_test_init},
    MessageKind{MhType::kHomeTest, 24, parse_home_test},
    MessageKind{MhType::kCareOfTest, 24, parse_care_of_test},
    MessageKind{MhType::kBindingUpdate, 12, parse_binding_update},
    MessageKind{MhType::kBindingAcknowledgement, 12, parse_binding_acknowledgement},
    MessageKind{MhType::kBindingError, 24, parse_binding_error},
    MessageKind{MhType::kHomeAgentSwitch, 8, parse_home_agent_switch},
    MessageKind{MhType::kHeartbeat, 12, parse_heartbeat},
    MessageKind{MhType::kBindingRevocation, 12, parse_revocation},
};

const MessageKind* kind_of(std::uint8_t type) {
  const auto kind = std::find_if(kKinds.begin(), kKinds.end(),
                                 [type](const auto& k) { return static_cast<std::uint8_t>(k.type) == type; });
  return kind == kKinds.end() ? nullptr : &*kind;
}

Message parse_unknown(std::uint8_t type, Reader& in) {
  const auto data = in.take(in.remaining());
  return UnknownMessage{type, Bytes{data.begin(), data.end()}};
}

template <class T>
std::uint8_t type_of(const T&) {
  return static_cast<std::uint8_t>(T::kType);
}
std::uint8_t type_of(const UnknownMessage& message) { return message.type; }

void write(const UnknownMessage& message, Writer& out) {
  out.append(message.data);
  while (out.size() % 8 != 0) out.u8(0);
}

}  // namespace

std::uint8_t mh_type(const Message& message) {
  return std::visit([](const auto& m) { return type_of(m); }, message);
}

tl::expected<Message, ParseError> parse_message(std::span<const std::uint8_t> bytes) {
  Reader in{bytes};
  const std::uint8_t payload = in.u8();
  const std::uint8_t header_length = in.u8();
  const std::uint8_t type = in.u8();
  in.skip(3);  // Reserved and Checksum
  if (!in.ok()) return tl::unexpected(*in.error());
  // Section 9.2.
  if (payload != kNoNextHeader)
    return tl::unexpected(ParseError{0, "Payload Proto is not 59 (no next header)", Answer::kParameterProblem});
  const MessageKind* kind = kind_of(type);
  const std::size_t announced = (header_length + 1U) * 8U;
  if (announced < (kind != nullptr ? kind->least_size : kLeastSize))
    return tl::unexpected(
        ParseError{kHeaderLengthOffset, "Header Len is too short for this type of message", Answer::kParameterProblem});
  if (announced != bytes.size())
    return tl::unexpected(ParseError{kHeaderLengthOffset, "Header Len does not match the number of bytes"});
  Message message = kind != nullptr ? kind->parse(in) : parse_unknown(type, in);
  if (!in.ok()) return tl::unexpected(*in.error());
  return message;
}

void write_message(const Message& message, Bytes& out) {
  Writer writer{out};
  writer.u8(kNoNextHeader);
  writer.u8(0);
  writer.u8(mh_type(message));
  writer.u8(0);
  writer.u16(0);
  assert(writer.size() == kHeaderSize);
  std::visit([&writer](const auto& m) { write(m, writer); }, message);
  assert(writer.size() % 8 == 0 && writer.size() <= kMaxMessageSize);
  writer.set(kHeaderLengthOffset, static_cast<std::uint8_t>(writer.size() / 8 - 1));
}

Bytes write_message(const Message& message) {
  Bytes bytes;
  write_message(message, bytes);
  return bytes;
}

}  // namespace mip6
