// Checksums against sums made by hand and by a kernel.
#include "libmip6/wire/checksum.hpp"
#include "libmip6/wire/home_address_option.hpp"
#include "libmip6/wire/routing_header.hpp"
#include "tests/catch.hpp"
#include "tests/unit/libmip6/wire_support.hpp"

using namespace mip6;
using mip6::test::address;
using mip6::test::bytes;

TEST_CASE("the checksum covers pseudo-header and message", "[wire][checksum]") {
  // One's complement sum by hand: 2001+0db8+0042 + 2001+0db8+0001 + 0010 + 0087 (135) + 3b01+0500+a0f8+d000+000f+0102
  // = 0x20e56, folded 0x0e58, complemented 0xf1a7.
  const auto message = bytes("3b01 0500 0000 a0f8 d000 000f 0102 0000");
  CHECK(checksum(message, address("2001:db8::42"), address("2001:db8::1")) == 0xf1a7);
}

TEST_CASE("a message with its checksum in place sums to zero", "[wire][checksum]") {
  auto message = write_message(BindingUpdate{.sequence = SequenceNumber{7},
                                             .acknowledge = true,
                                             .options = {AlternateCareOfAddress{address("2001:db8:a2::7")}}});
  const auto source = address("2001:db8:1::42");
  const auto destination = address("2001:db8:1::1");
  const auto sum = checksum(message, source, destination);
  message[4] = static_cast<std::uint8_t>(sum >> 8);
  message[5] = static_cast<std::uint8_t>(sum & 0xff);
  CHECK(checksum(message, source, destination) == 0);
}

// Taken out of ESP in the lab; a Linux kernel filled in the checksums.
TEST_CASE("the checksum of a captured Binding Update is made over the home address of its option", "[wire][checksum]") {
  const auto options = bytes("870201020000c91020010db8000100000000000000000042");
  const auto update = bytes("3b03050049440000d00000690100031020010db800a1000034e0ccfffee416c1");
  const auto care_of = address("2001:db8:a1:0:34e0:ccff:fee4:16c1");
  const auto header = parse_destination_options(options);
  REQUIRE(header);
  CHECK(header->home_address == address("2001:db8:1::42"));
  CHECK(verify_checksum(update, *header->home_address, address("2001:db8:1::1")));
  CHECK_FALSE(verify_checksum(update, care_of, address("2001:db8:1::1")));
  const auto parsed = parse_message(update);
  REQUIRE(parsed);
  CHECK(find_option<AlternateCareOfAddress>(std::get<BindingUpdate>(*parsed).options)->care_of == care_of);
}

TEST_CASE("the checksum of a captured Binding Acknowledgement is made over the home address of its routing header",
          "[wire][checksum]") {
  const auto routing = bytes("870202010000000020010db8000100000000000000000042");
  const auto acknowledgement = bytes("3b01060060c500800000006901020000");
  const auto header = parse_type2_routing_header(routing);
  REQUIRE(header);
  CHECK(header->home_address == address("2001:db8:1::42"));
  CHECK(verify_checksum(acknowledgement, address("2001:db8:1::1"), header->home_address));
  CHECK_FALSE(verify_checksum(acknowledgement, address("2001:db8:1::1"), address("2001:db8:a1:0:34e0:ccff:fee4:16c1")));
  REQUIRE(parse_message(acknowledgement));
}

TEST_CASE("the checksum of an ICMPv6 message is made with its own protocol number", "[wire][checksum]") {
  // By hand: 2001+0db8+0001 + 2001+0db8+0002 + 0008 + 003a (58) + 9000+1234 = 0xfdeb, complemented 0x0214.
  CHECK(checksum(bytes("9000 0000 1234 0000"), address("2001:db8::1"), address("2001:db8::2"), UpperLayer::kIcmp) ==
        0x0214);
  CHECK(
      verify_checksum(bytes("9000 0214 1234 0000"), address("2001:db8::1"), address("2001:db8::2"), UpperLayer::kIcmp));
}

TEST_CASE("the checksum differs with the address it is made over", "[wire][checksum]") {
  const auto message = write_message(BindingRefreshRequest{});
  CHECK(checksum(message, address("2001:db8:1::42"), address("2001:db8::1")) !=
        checksum(message, address("2001:db8:a2::7"), address("2001:db8::1")));
}
