// The Home Address option (RFC 6275 section 6.3) and the type 2 routing header (section 6.4).
#include "libmip6/wire/home_address_option.hpp"
#include "libmip6/wire/routing_header.hpp"
#include "tests/catch.hpp"
#include "tests/unit/libmip6/wire_support.hpp"

using namespace mip6;
using mip6::test::address;
using mip6::test::bytes;

namespace {

const std::string kHome = "20010db8000100000000000000000042";

ParseError options_failure(const std::string& hex) {
  const auto parsed = parse_destination_options(bytes(hex));
  return parsed ? ParseError{9999, "it parses"} : parsed.error();
}

ParseError routing_failure(const std::string& hex) {
  const auto parsed = parse_type2_routing_header(bytes(hex));
  return parsed ? ParseError{9999, "it parses"} : parsed.error();
}

}  // namespace

TEST_CASE("a Home Address option begins at 8n+6 of a header of 24 octets", "[wire][headers]") {
  const DestinationOptions header{.next_header = 135, .home_address = address("2001:db8:1::42")};
  const auto wire = bytes("87 02 0102 0000 c910" + kHome);
  CHECK(write_destination_options(header) == wire);
  CHECK(parse_destination_options(wire) == header);
}

TEST_CASE("a Destination Options header may have no Home Address option", "[wire][headers]") {
  const auto wire = bytes("3b 00 0104 00000000");
  CHECK(write_destination_options({}) == wire);
  CHECK(parse_destination_options(wire) == DestinationOptions{});
}

TEST_CASE("a Home Address option is found among others, wherever it begins", "[wire][headers]") {
  const auto parsed = parse_destination_options(bytes("32 03 0401 ff 00 c910" + kHome + "0500 0104 00000000"));
  REQUIRE(parsed);
  CHECK(*parsed == DestinationOptions{.next_header = 50, .home_address = address("2001:db8:1::42")});
}

TEST_CASE("a home address that is not unicast routable is refused, and a Binding Error is due", "[wire][headers]") {
  for (const std::string refused : {"ff020000000000000000000000000001", "fe800000000000000000000000000001",
                                    "00000000000000000000000000000001", "00000000000000000000000000000000"}) {
    CAPTURE(refused);
    CHECK(options_failure("87 02 0102 0000 c910" + refused) ==
          ParseError{8, "the home address is not unicast routable", Answer::kUnknownBinding});
  }
}

TEST_CASE("a second Home Address option is refused", "[wire][headers]") {
  CHECK(options_failure("87 05 0102 0000 c910" + kHome + "c910" + kHome + "0104 00000000") ==
        ParseError{24, "a second Home Address option"});
}

TEST_CASE("a Home Address option of another length is refused at its length", "[wire][headers]") {
  CHECK(options_failure("87 02 0102 0000 c90f" + kHome) == ParseError{7, "a Home Address option is not 16 octets"});
}

TEST_CASE("unknown destination options are skipped or refused as their type says", "[wire][headers]") {
  CHECK(parse_destination_options(bytes("3b 00 1e04 00000000")) == DestinationOptions{});
  const std::string_view reason = "an unknown destination option that must not be skipped";
  CHECK(options_failure("3b 00 5e04 00000000") == ParseError{2, reason});
  CHECK(options_failure("3b 00 9e04 00000000") == ParseError{2, reason, Answer::kUnrecognizedOption});
  CHECK(options_failure("3b 00 de04 00000000") == ParseError{2, reason, Answer::kUnrecognizedOptionUnlessMulticast});
}

TEST_CASE("a Destination Options header of another length than it tells is refused", "[wire][headers]") {
  CHECK(options_failure("3b 01 0104 00000000") == ParseError{1, "Hdr Ext Len does not match the number of bytes"});
  CHECK(options_failure("3b 00 0104 00000000 00").offset == 1);
  CHECK(options_failure("3b 00 0105 00000000") == ParseError{3, "an option goes beyond the end of the header"});
}

TEST_CASE("a type 2 routing header looks as RFC 6275 draws it", "[wire][headers]") {
  const Type2RoutingHeader header{.next_header = 135, .home_address = address("2001:db8:1::42")};
  const auto wire = bytes("87 02 02 01 00000000" + kHome);
  CHECK(write_type2_routing_header(header) == wire);
  CHECK(parse_type2_routing_header(wire) == header);
  CHECK(parse_type2_routing_header(bytes("87 02 02 01 ffffffff" + kHome)) == header);
}

TEST_CASE("a routing header with any other length, type or number of segments is refused in silence",
          "[wire][headers]") {
  CHECK(routing_failure("87 01 02 01 00000000" + kHome) == ParseError{1, "Hdr Ext Len is not 2"});
  CHECK(routing_failure("87 04 02 01 00000000" + kHome + kHome) == ParseError{1, "Hdr Ext Len is not 2"});
  CHECK(routing_failure("87 02 00 01 00000000" + kHome) == ParseError{2, "Routing Type is not 2"});
  CHECK(routing_failure("87 02 02 00 00000000" + kHome) == ParseError{3, "Segments Left is not 1"});
  CHECK(routing_failure("87 02 02 02 00000000" + kHome) == ParseError{3, "Segments Left is not 1"});
  CHECK(routing_failure("87 02 02 01 00000000" + kHome + "00") == ParseError{24, "more than one routing header"});
  CHECK(routing_failure("87 02 02 01 00000000 fe800000000000000000000000000001") ==
        ParseError{8, "the home address is not unicast routable"});
}
