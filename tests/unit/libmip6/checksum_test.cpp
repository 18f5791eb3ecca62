// The checksum of the Mobility Header against sums made by hand.
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

TEST_CASE("the checksum differs with the address it is made over", "[wire][checksum]") {
  const auto message = write_message(BindingRefreshRequest{});
  CHECK(checksum(message, address("2001:db8:1::42"), address("2001:db8::1")) !=
        checksum(message, address("2001:db8:a2::7"), address("2001:db8::1")));
}
