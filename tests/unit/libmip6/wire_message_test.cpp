// The Mobility Header around the messages (RFC 6275 sections 6.1.1 and 9.2), and messages without a file of their own.
#include "tests/catch.hpp"
#include "tests/unit/libmip6/wire_support.hpp"

using namespace mip6;
using mip6::test::address;
using mip6::test::bytes;
using mip6::test::failure_of;
using mip6::test::round_trip;

TEST_CASE("a message without next header 59 is refused at its Payload Proto field, and the sender is told", "[wire]") {
  CHECK(failure_of("3a 00 00 00 0000 0000") ==
        ParseError{0, "Payload Proto is not 59 (no next header)", Answer::kParameterProblem});
}

TEST_CASE("a Header Len that does not match the bytes is refused at that field, in silence", "[wire]") {
  CHECK(failure_of("3b 01 00 00 0000 0000") == ParseError{1, "Header Len does not match the number of bytes"});
  CHECK(failure_of("3b 00 00 00 0000 0000 0102 0000 0000 0000").offset == 1);
}

TEST_CASE("a message shorter than the fixed part of its type is refused at Header Len, and the sender is told",
          "[wire]") {
  for (const Message& message :
       {Message{HomeTestInit{}}, Message{CareOfTestInit{}}, Message{HomeTest{}}, Message{CareOfTest{}},
        Message{BindingUpdate{}}, Message{BindingAcknowledgement{}}, Message{BindingError{}}, Message{Heartbeat{}},
        Message{BindingRevocationIndication{}}, Message{BindingRevocationAcknowledgement{}}}) {
    auto wire = write_message(message);
    wire.resize(wire.size() - 8);
    wire[1] = static_cast<std::uint8_t>(wire[1] - 1);
    const auto parsed = parse_message(wire);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error() ==
          ParseError{1, "Header Len is too short for this type of message", Answer::kParameterProblem});
  }
}

TEST_CASE("reserved fields are ignored, and written as zero", "[wire]") {
  const auto parsed = parse_message(bytes("3b 00 00 ff 1234 ffff"));
  REQUIRE(parsed);
  CHECK(*parsed == Message{BindingRefreshRequest{}});
  CHECK(write_message(*parsed) == bytes("3b 00 00 00 0000 0000"));
}

TEST_CASE("a message of another type is kept as bytes", "[wire]") {
  const auto wire = bytes("3b 01 2a 00 0000 0000 0102 0304 0506 0708");
  const auto parsed = parse_message(wire);
  REQUIRE(parsed);
  CHECK(*parsed == Message{UnknownMessage{42, bytes("0000 0102 0304 0506 0708")}});
  CHECK(write_message(*parsed) == wire);
}

TEST_CASE("a message of another type is filled up to 8 octets with zeros", "[wire]") {
  CHECK(write_message(UnknownMessage{99, bytes("ff")}) == bytes("3b 00 63 00 0000 ff00"));
}

TEST_CASE("a Binding Refresh Request without options is 8 octets", "[wire]") {
  CHECK(write_message(BindingRefreshRequest{}) == bytes("3b 00 00 00 0000 0000"));
  const BindingRefreshRequest request{{UnknownOption{77, bytes("aabb")}}};
  CHECK(round_trip(request) == request);
}

TEST_CASE("a Binding Error gives status and home address", "[wire]") {
  const auto wire = bytes("3b 02 07 00 0000 02 00 20010db8000100000000000000000042");
  const BindingError error{2, address("2001:db8:1::42"), {}};
  const auto parsed = parse_message(wire);
  REQUIRE(parsed);
  CHECK(*parsed == Message{error});
  CHECK(write_message(error) == wire);
}
