// Rules of RFC 6275 section 6 that hold for many messages alike, checked for each of them; CONFORMANCE.md names them.
#include "libmip6/wire/icmp_message.hpp"
#include "tests/catch.hpp"
#include "tests/unit/libmip6/wire_support.hpp"

using namespace mip6;
using mip6::test::address;
using mip6::test::bytes;

namespace {

struct ReservedBits {
  std::size_t offset;
  std::uint8_t bits;
};

struct MessageWithReserved {
  Message message;
  std::vector<ReservedBits> reserved;  // besides the octet after MH Type, which all have
};

std::vector<MessageWithReserved> messages() {
  return {
      {BindingRefreshRequest{}, {{6, 0xff}, {7, 0xff}}},
      {HomeTestInit{}, {{6, 0xff}, {7, 0xff}}},
      {CareOfTestInit{}, {{6, 0xff}, {7, 0xff}}},
      {HomeTest{}, {}},
      {CareOfTest{}, {}},
      {BindingUpdate{}, {{8, 0x0f}, {9, 0xff}}},
      {BindingAcknowledgement{}, {{7, 0x7f}}},
      {BindingError{}, {{7, 0xff}}},
  };
}

struct IcmpMessageWithReserved {
  IcmpMessage message;
  std::vector<ReservedBits> reserved;
};

std::vector<IcmpMessageWithReserved> icmp_messages() {
  return {
      {HomeAgentAddressDiscoveryRequest{}, {{6, 0xff}, {7, 0xff}}},
      {HomeAgentAddressDiscoveryReply{}, {{6, 0xff}, {7, 0xff}}},
      {MobilePrefixSolicitation{}, {{6, 0xff}, {7, 0xff}}},
      {MobilePrefixAdvertisement{}, {{6, 0x3f}, {7, 0xff}}},
  };
}

// That these bits are written as zero; then the same bytes with them set.
Bytes with_bits_set(Bytes wire, const std::vector<ReservedBits>& reserved) {
  for (const auto& [offset, bits] : reserved) {
    CAPTURE(offset);
    CHECK((wire.at(offset) & bits) == 0);
    wire.at(offset) |= bits;
  }
  return wire;
}

MobilityOptions options_of(const Message& message) {
  return std::visit(
      [](const auto& one) -> MobilityOptions {
        if constexpr (requires { one.options; })
          return one.options;
        else
          return {};
      },
      message);
}

PrefixInformation home_prefix() {
  return {.prefix = {address("2001:db8:1::1"), 64},
          .on_link = true,
          .autonomous = true,
          .router_address = true,
          .valid = Lifetime{7200},
          .preferred = Lifetime{3600}};
}

Bytes concatenated(Bytes front, const Bytes& back) {
  front.insert(front.end(), back.begin(), back.end());
  return front;
}

}  // namespace

TEST_CASE("reserved bits of every message are written as zero and ignored", "[wire][conformance]") {
  for (auto& [message, reserved] : messages()) {
    CAPTURE(message.index());
    auto all = reserved;
    all.push_back({3, 0xff});
    const auto parsed = parse_message(with_bits_set(write_message(message), all));
    REQUIRE(parsed);
    CHECK((*parsed == message));
  }
}

TEST_CASE("in every message an unknown option is skipped and the ones behind it are read", "[wire][conformance]") {
  const auto options = bytes("c8 03 aabbcc 01 00 00 02 02 0005 00 01 01 00");  // unknown, PadN, Pad1, advice, padding
  for (const auto& [message, reserved] : messages()) {
    CAPTURE(message.index());
    auto wire = write_message(message);
    // The four octets of padding that a Binding Update and Acknowledgement end with stay in front.
    wire = concatenated(wire, options);
    wire[1] = static_cast<std::uint8_t>(wire.size() / 8 - 1);
    const auto parsed = parse_message(wire);
    REQUIRE(parsed);
    const auto read = options_of(*parsed);
    const auto* advice = find_option<BindingRefreshAdvice>(read);
    REQUIRE(advice != nullptr);
    CHECK(advice->interval == Lifetime{20});
  }
}

TEST_CASE("reserved bits of every ICMPv6 message are written as zero and ignored", "[wire][conformance]") {
  for (const auto& [message, reserved] : icmp_messages()) {
    CAPTURE(message.index());
    const auto parsed = parse_icmp_message(with_bits_set(write_icmp_message(message), reserved));
    REQUIRE(parsed);
    CHECK((*parsed == message));
  }
}

TEST_CASE("an unknown option of a prefix message is skipped and the prefixes behind it are read",
          "[wire][conformance]") {
  const auto unknown = bytes("fa 01 0102 0304 0506");
  MobilePrefixAdvertisement advertisement{.identifier = 7, .managed = true, .other = false, .prefixes = {}};
  auto wire = concatenated(write_icmp_message(advertisement), unknown);
  const auto with_prefix = MobilePrefixAdvertisement{7, true, false, {home_prefix()}};
  const auto whole = write_icmp_message(with_prefix);
  wire = concatenated(wire, Bytes{whole.begin() + 8, whole.end()});
  const auto parsed = parse_icmp_message(wire);
  REQUIRE(parsed);
  CHECK((*parsed == IcmpMessage{with_prefix}));

  const MobilePrefixSolicitation solicitation{7};
  const auto asked = parse_icmp_message(concatenated(write_icmp_message(solicitation), unknown));
  REQUIRE(asked);
  CHECK((*asked == IcmpMessage{solicitation}));
}
