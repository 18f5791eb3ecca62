// Mobility options (RFC 6275 section 6.2): fields, alignment, padding, and what is refused.
#include "tests/catch.hpp"
#include "tests/unit/libmip6/wire_support.hpp"

using namespace mip6;
using namespace std::chrono_literals;
using mip6::test::address;
using mip6::test::bytes;
using mip6::test::failure_of;
using mip6::test::round_trip;

namespace {

// Where an option of this type begins in the bytes of an update with these options before it.
std::size_t offset_after(MobilityOptions before, const MobilityOption& option, std::uint8_t type) {
  before.push_back(option);
  const auto wire = write_message(BindingUpdate{.options = before});
  for (std::size_t at = 12; at < wire.size(); at += wire[at] == 0 ? 1 : wire[at + 1] + 2U)
    if (wire[at] == type) return at;
  return 0;
}

MobilityOptions filler(std::size_t size) {
  MobilityOptions options;
  if (size >= 2) options.emplace_back(UnknownOption{100, Bytes(size - 2, 0xee)});
  return options;
}

}  // namespace

TEST_CASE("each option survives the wire", "[wire][options]") {
  const MobilityOptions options{BindingRefreshAdvice{400s},
                                AlternateCareOfAddress{address("2001:db8:a2::7")},
                                NonceIndices{0x1234, 0x5678},
                                UnknownOption{200, bytes("")},
                                MobileNodeIdentifier{1, bytes("61")},
                                MobileNodeIdentifier{7, {}},
                                MobileNodeIdentifier{1, Bytes(254)},
                                RestartCounter{0x12345678},
                                BindingIdentifier{7, 0, false, {}},
                                BindingIdentifier{8, 133, true, bytes("c0000201")},
                                BindingIdentifier{65535, 1, false, Bytes(16, 0x20)},
                                Ipv4HomeAddress{32, false, {192, 0, 2, 1}},
                                UnknownOption{201, Bytes(255, 0x11)},
                                BindingAuthorizationData{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}}};
  const BindingUpdate update{.options = options};
  CHECK(round_trip(update) == update);
}

TEST_CASE("options begin where their alignment wants them, whatever comes before", "[wire][options]") {
  for (std::size_t before = 0; before < 20; ++before) {
    if (before == 1) continue;
    CHECK(offset_after(filler(before), BindingRefreshAdvice{4s}, 2) % 2 == 0);
    CHECK(offset_after(filler(before), AlternateCareOfAddress{}, 3) % 8 == 6);
    CHECK(offset_after(filler(before), NonceIndices{}, 4) % 2 == 0);
    CHECK(offset_after(filler(before), BindingAuthorizationData{}, 5) % 8 == 2);
    CHECK(offset_after(filler(before), RestartCounter{}, 28) % 4 == 2);
    CHECK(offset_after(filler(before), MobileNodeIdentifier{}, 8) == 12 + before);
    CHECK(offset_after(filler(before), Ipv4HomeAddress{}, 29) % 4 == 0);
    CHECK(offset_after(filler(before), BindingIdentifier{}, 35) % 2 == 0);
    CHECK(offset_after(filler(before), BindingIdentifier{.care_of = Bytes(4)}, 35) % 8 == 2);
    CHECK(offset_after(filler(before), BindingIdentifier{.care_of = Bytes(16)}, 35) % 8 == 2);
  }
}

TEST_CASE("a Mobile Node Identifier is a subtype and the rest of its option", "[wire][options]") {
  const auto parsed = parse_message(bytes("3b 02 05 00 0000 0000 0000 0000 0805 01 6140622e 00 0202 0005"));
  REQUIRE(parsed);
  CHECK((std::get<BindingUpdate>(*parsed).options ==
         MobilityOptions{MobileNodeIdentifier{1, bytes("6140622e")}, BindingRefreshAdvice{20s}}));
}

TEST_CASE("what a revocation tells of bindings looks as RFCs 5648 and 5555 draw it", "[wire][options]") {
  const BindingRevocationIndication indication{
      .trigger = 1,
      .sequence = 0x1234,
      .scope = {.ipv4_binding_only = true},
      .options = {BindingIdentifier{0x0203, 5, true, {}}, Ipv4HomeAddress{24, true, {192, 0, 2, 1}}}};
  const auto wire = bytes("3b 03 10 00 0000 01 01 1234 40 00 2304 0203 05 80 0100 1d06 6200 c0000201 0102 0000");
  CHECK(write_message(indication) == wire);
  CHECK((parse_message(wire).value() == Message{indication}));
  // Reserved bits are ignored.
  const auto reserved = bytes("3b 03 10 00 0000 01 01 1234 40 00 2304 0203 05 ff 0100 1d06 63ff c0000201 0102 0000");
  CHECK((parse_message(reserved).value() == Message{indication}));
}

TEST_CASE("one octet is padded with Pad1, more with PadN", "[wire][options]") {
  CHECK(write_message(BindingUpdate{.options = {UnknownOption{100, bytes("aa")}}}) ==
        bytes("3b 01 05 00 0000 0000 0000 0000 6401 aa00"));
  CHECK(write_message(BindingUpdate{.options = {UnknownOption{100, {}}}}) ==
        bytes("3b 01 05 00 0000 0000 0000 0000 6400 0100"));
}

TEST_CASE("nothing follows the authorization data", "[wire][options]") {
  for (std::size_t before = 0; before < 20; ++before) {
    if (before == 1) continue;
    auto options = filler(before);
    options.emplace_back(BindingAuthorizationData{{9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9}});
    const auto wire = write_message(BindingUpdate{.options = options});
    CHECK(wire.size() % 8 == 0);
    CHECK(wire.back() == 9);
  }
}

TEST_CASE("padding of any content is skipped", "[wire][options]") {
  const auto parsed = parse_message(bytes("3b 02 05 00 0000 0000 0000 0000 00 0102ffff 00 00 0202 0005 00"));
  REQUIRE(parsed);
  CHECK(std::get<BindingUpdate>(*parsed).options == MobilityOptions{BindingRefreshAdvice{20s}});
}

TEST_CASE("an unknown option is skipped, and the ones behind it are read", "[wire][options]") {
  const auto parsed = parse_message(bytes("3b 02 05 00 0000 0000 0000 0000 c803aabbcc 00 0202 0005 0100"));
  REQUIRE(parsed);
  CHECK(std::get<BindingUpdate>(*parsed).options ==
        MobilityOptions{UnknownOption{200, bytes("aabbcc")}, BindingRefreshAdvice{20s}});
}

TEST_CASE("an option beyond the end is refused at its length", "[wire][options]") {
  const ParseError expected{13, "an option goes beyond the end of the message"};
  CHECK(failure_of("3b 01 05 00 0000 0000 0000 0000 c803aabb") == expected);
  CHECK(failure_of("3b 01 05 00 0000 0000 0000 0000 0103 0000") == expected);
  CHECK(failure_of("3b 01 05 00 0000 0000 0000 0000 0310 0000") == expected);
}

TEST_CASE("an option without its length octet is refused", "[wire][options]") {
  CHECK(failure_of("3b 01 05 00 0000 0000 0000 0000 000000c8") == ParseError{16, "the message is cut short"});
}

TEST_CASE("an option with another length than its type has is refused", "[wire][options]") {
  const ParseError expected{13, "an option has the wrong length for its type"};
  CHECK(failure_of("3b 02 05 00 0000 0000 0000 0000 0204 00000000 010400000000") == expected);
  CHECK(failure_of("3b 01 05 00 0000 0000 0000 0000 0302 0000") == expected);
  CHECK(failure_of("3b 01 05 00 0000 0000 0000 0000 0402 0000") == expected);
  CHECK(failure_of("3b 01 05 00 0000 0000 0000 0000 0502 0000") == expected);
  CHECK(failure_of("3b 01 05 00 0000 0000 0000 0000 0800 0000") == expected);
  CHECK(failure_of("3b 01 05 00 0000 0000 0000 0000 1c02 0000") == expected);
  CHECK(failure_of("3b 01 05 00 0000 0000 0000 0000 1d02 0000") == expected);
  CHECK(failure_of("3b 01 05 00 0000 0000 0000 0000 2302 0000") == expected);
  CHECK(failure_of("3b 02 05 00 0000 0000 0000 0000 2306 000100000000 01020000") == expected);
}

TEST_CASE("authorization data that is not last, or has padding behind it, is refused", "[wire][options]") {
  const ParseError expected{26, "something follows the Binding Authorization Data option"};
  CHECK(failure_of("3b 03 05 00 0000 0000 0000 0000 050c000000000000000000000000 c8020000 0000") == expected);
  CHECK(failure_of("3b 03 05 00 0000 0000 0000 0000 050c000000000000000000000000 000000000000") == expected);
}

TEST_CASE("options packed tighter than they should be are written back so, where alignment has no room",
          "[wire][options]") {
  // 2,048 octets, the most that there can be, full of misaligned alternate care-of addresses.
  Bytes wire = bytes("3b ff 05 00 0000 0007 c000 0069");
  for (int i = 0; i < 112; ++i) {
    const auto option = bytes("0310 20202020202020202020202020202020");
    wire.insert(wire.end(), option.begin(), option.end());
  }
  const auto end = GENERATE(bytes("0112 000000000000000000000000000000000000"),
                            bytes("0104 00000000 050c 0102030405060708090a0b0c"));
  wire.insert(wire.end(), end.begin(), end.end());
  const auto parsed = parse_message(wire);
  REQUIRE(parsed);
  const auto again = parse_message(write_message(*parsed));
  REQUIRE(again);
  CHECK(*again == *parsed);
}
