// The Mobility Header around the messages (RFC 6275 sections 6.1.1 and 9.2), and messages without a file of their own.
#include "tests/catch.hpp"
#include "tests/unit/libmip6/wire_support.hpp"

using namespace mip6;
using mip6::test::address;
using mip6::test::bytes;
using mip6::test::failure_of;
using mip6::test::round_trip;

TEST_CASE("a message without next header 59 is refused at its Payload Proto field", "[wire]") {
  CHECK(failure_of("3a 00 00 00 0000 0000").offset == 0);
}

TEST_CASE("a Header Len that does not match the bytes is refused at that field", "[wire]") {
  CHECK(failure_of("3b 01 00 00 0000 0000") == ParseError{1, "Header Len does not match the number of bytes"});
  CHECK(failure_of("3b 00 00 00 0000 0000 0102 0000 0000 0000").offset == 1);
}

TEST_CASE("a message shorter than the fixed part of its type is refused at Header Len", "[wire]") {
  const std::string_view reason = "Header Len is too short for this type of message";
  CHECK(failure_of("3b 00 05 00 0000 0000") == ParseError{1, reason});
  CHECK(failure_of("3b 00 06 00 0000 0000") == ParseError{1, reason});
  CHECK(failure_of("3b 01 07 00 0000 0100 0000 0000 0000 0000") == ParseError{1, reason});
}

TEST_CASE("every message cut short anywhere is refused", "[wire]") {
  const std::vector<MobilityOption> options{AlternateCareOfAddress{address("2001:db8::1")},
                                            UnknownOption{200, bytes("010203")}};
  for (const Message& message :
       {Message{BindingUpdate{.options = options}}, Message{BindingAcknowledgement{.options = options}},
        Message{BindingError{.options = options}}, Message{BindingRefreshRequest{options}}}) {
    const auto whole = write_message(message);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      Bytes part{whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)};
      CHECK_FALSE(parse_message(part));
      // Also when Header Len tells the truth about what is left.
      if (size < 8 || size % 8 != 0 || size + 24 > whole.size()) continue;
      part[1] = static_cast<std::uint8_t>(size / 8 - 1);
      const auto parsed = parse_message(part);
      CHECK((!parsed || *parsed != message));
    }
  }
}

TEST_CASE("reserved fields are ignored, and written as zero", "[wire]") {
  const auto parsed = parse_message(bytes("3b 00 00 ff 1234 ffff"));
  REQUIRE(parsed);
  CHECK(*parsed == Message{BindingRefreshRequest{}});
  CHECK(write_message(*parsed) == bytes("3b 00 00 00 0000 0000"));
}

TEST_CASE("a message of another type is kept as bytes", "[wire]") {
  const auto home_test_init = bytes("3b 01 01 00 0000 0000 0102 0304 0506 0708");
  const auto parsed = parse_message(home_test_init);
  REQUIRE(parsed);
  CHECK(*parsed == Message{UnknownMessage{1, bytes("0000 0102 0304 0506 0708")}});
  CHECK(write_message(*parsed) == home_test_init);
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
