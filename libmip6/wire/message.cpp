// The Mobility Header around every message (RFC 6275 section 6.1.1), and the way to the families' files.
#include "libmip6/wire/message.hpp"

#include <cassert>

#include "libmip6/wire/codec.hpp"

namespace mip6 {
namespace {

constexpr std::uint8_t kNoNextHeader = 59;
constexpr std::size_t kHeaderSize = 6;  // up to and with the Checksum field
constexpr std::size_t kHeaderLengthOffset = 1;

Message parse_body(std::uint8_t type, Reader& in) {
  switch (static_cast<MhType>(type)) {
    case MhType::kBindingRefreshRequest:
      return parse_binding_refresh_request(in);
    case MhType::kBindingUpdate:
      return parse_binding_update(in);
    case MhType::kBindingAcknowledgement:
      return parse_binding_acknowledgement(in);
    case MhType::kBindingError:
      return parse_binding_error(in);
    default:
      break;
  }
  const auto data = in.take(in.remaining());
  return UnknownMessage{type, Bytes{data.begin(), data.end()}};
}

// Octets that the fixed part of a message takes: its least length (section 9.2).
std::size_t least_size(std::uint8_t type) {
  switch (static_cast<MhType>(type)) {
    case MhType::kBindingUpdate:
    case MhType::kBindingAcknowledgement:
      return 12;
    case MhType::kBindingError:
      return 24;
    default:
      return 8;
  }
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

tl::expected<Message, ParseError> parse_message(std::span<const std::uint8_t> bytes) {
  Reader in{bytes};
  const std::uint8_t payload = in.u8();
  const std::uint8_t header_length = in.u8();
  const std::uint8_t type = in.u8();
  in.skip(3);  // Reserved and Checksum
  if (!in.ok()) return tl::unexpected(*in.error());
  // Section 9.2, in its order.
  if (payload != kNoNextHeader) return tl::unexpected(ParseError{0, "Payload Proto is not 59 (no next header)"});
  const std::size_t announced = (header_length + 1U) * 8U;
  if (announced != bytes.size())
    return tl::unexpected(ParseError{kHeaderLengthOffset, "Header Len does not match the number of bytes"});
  if (announced < least_size(type))
    return tl::unexpected(ParseError{kHeaderLengthOffset, "Header Len is too short for this type of message"});
  Message message = parse_body(type, in);
  if (!in.ok()) return tl::unexpected(*in.error());
  return message;
}

Bytes write_message(const Message& message) {
  Writer out;
  out.u8(kNoNextHeader);
  out.u8(0);
  out.u8(std::visit([](const auto& m) { return type_of(m); }, message));
  out.u8(0);
  out.u16(0);
  assert(out.size() == kHeaderSize);
  std::visit([&out](const auto& m) { write(m, out); }, message);
  assert(out.size() % 8 == 0 && out.size() <= 2048);
  out.set(kHeaderLengthOffset, static_cast<std::uint8_t>(out.size() / 8 - 1));
  return std::move(out).finish();
}

}  // namespace mip6
