// ICMPv6 messages of Mobile IPv6 (RFC 6275 sections 6.5 to 6.8 and 7): bytes as the RFC draws them, and what is
// refused.
#include "libmip6/wire/icmp_message.hpp"
#include "tests/catch.hpp"
#include "tests/unit/libmip6/wire_support.hpp"

using namespace mip6;
using namespace std::chrono_literals;
using mip6::test::address;
using mip6::test::bytes;

namespace {

void check_both_ways(const std::string& hex, const IcmpMessage& message) {
  const auto wire = bytes(hex);
  const auto parsed = parse_icmp_message(wire);
  REQUIRE(parsed);
  CHECK((*parsed == message));
  CHECK(write_icmp_message(message) == wire);
}

ParseError icmp_failure(const std::string& hex) {
  const auto parsed = parse_icmp_message(bytes(hex));
  return parsed ? ParseError{9999, "it parses"} : parsed.error();
}

RouterAdvertisement advertisement_of(const std::string& hex) {
  const auto parsed = parse_icmp_message(bytes(hex));
  REQUIRE(parsed);
  return std::get<RouterAdvertisement>(*parsed);
}

const std::string kAdvertisement = "86 00 0000 00 20 0708 00000000 00000000";
const RouterAdvertisement kBare{.home_agent = true, .router_lifetime = 1800s};
const std::string kPrefix = "0304 40 c0 00015180 00003840 00000000 20010db8000100000000000000000000";
const PrefixInformation kPrefixValue{
    .prefix = {address("2001:db8:1::"), 64}, .on_link = true, .autonomous = true, .valid = 86400s, .preferred = 14400s};

}  // namespace

TEST_CASE("home agent address discovery asks with an identifier and is answered with addresses", "[wire][icmp]") {
  check_both_ways("90 00 0000 1234 0000", HomeAgentAddressDiscoveryRequest{0x1234});
  check_both_ways("91 00 0000 1234 0000", HomeAgentAddressDiscoveryReply{0x1234, {}});
  check_both_ways("91 00 0000 1234 0000 20010db8000000000000000000000001 20010db8000000000000000000000002",
                  HomeAgentAddressDiscoveryReply{0x1234, {address("2001:db8::1"), address("2001:db8::2")}});
}

TEST_CASE("a discovery reply that ends within an address is refused", "[wire][icmp]") {
  CHECK(icmp_failure("91 00 0000 1234 0000 20010db8000000000000000000000001 2001") ==
        ParseError{24, "the home agent addresses end within an address"});
}

TEST_CASE("mobile prefix discovery asks with an identifier and is answered with prefixes", "[wire][icmp]") {
  check_both_ways("92 00 0000 1234 0000", MobilePrefixSolicitation{0x1234});
  check_both_ways("93 00 0000 1234 8000 " + kPrefix,
                  MobilePrefixAdvertisement{.identifier = 0x1234, .managed = true, .prefixes = {kPrefixValue}});
  check_both_ways("93 00 0000 1234 4000", MobilePrefixAdvertisement{.identifier = 0x1234, .other = true});
}

TEST_CASE("options of a prefix solicitation are ignored, but must be well-formed", "[wire][icmp]") {
  CHECK(parse_icmp_message(bytes("92 00 0000 1234 0000 fe01 000000000000")) ==
        IcmpMessage{MobilePrefixSolicitation{0x1234}});
  CHECK(icmp_failure("92 00 0000 1234 0000 fe00 000000000000") == ParseError{9, "an option has length 0"});
}

TEST_CASE("a router address stands in full, other prefixes end at their length", "[wire][icmp]") {
  auto with_router = kPrefixValue;
  with_router.router_address = true;
  with_router.prefix.address = address("2001:db8:1::99");
  check_both_ways("93 00 0000 0000 0000 0304 40 e0 00015180 00003840 00000000 20010db8000100000000000000000099",
                  MobilePrefixAdvertisement{.prefixes = {with_router}});

  const auto parsed = parse_icmp_message(
      bytes("93 00 0000 0000 0000 0304 3f c0 00015180 00003840 00000000 20010db80001ffffffffffffffffffff"));
  REQUIRE(parsed);
  const auto& prefix = std::get<MobilePrefixAdvertisement>(*parsed).prefixes.at(0).prefix;
  CHECK(prefix == Ipv6Prefix{address("2001:db8:1:fffe::"), 63});
  const IcmpMessage not_cut = MobilePrefixAdvertisement{.prefixes = {{.prefix = {address("2001:db8:1::99"), 64}}}};
  CHECK(write_icmp_message(not_cut) ==
        bytes("93 00 0000 0000 0000 0304 40 00 00000000 00000000 00000000 20010db8000100000000000000000000"));
}

TEST_CASE("prefixes of 0 and of 128 bits are prefixes, of 129 none", "[wire][icmp]") {
  const std::string rest = " 00 00000000 00000000 00000000 20010db8000100000000000000000099";
  const auto prefixes = [&](const std::string& length) {
    const auto parsed = parse_icmp_message(bytes("93 00 0000 0000 0000 0304" + length + rest));
    REQUIRE(parsed);
    return std::get<MobilePrefixAdvertisement>(*parsed).prefixes;
  };
  CHECK(prefixes("00").at(0).prefix == Ipv6Prefix{});
  CHECK(prefixes("80").at(0).prefix == Ipv6Prefix{address("2001:db8:1::99"), 128});
  CHECK(prefixes("81").empty());
}

TEST_CASE("a lifetime of all ones is infinite, and what is longer is written so", "[wire][icmp]") {
  auto forever = kPrefixValue;
  forever.valid = forever.preferred = kInfiniteLifetime;
  const auto wire = "93 00 0000 0000 0000 0304 40 c0 ffffffff ffffffff 00000000 20010db8000100000000000000000000";
  check_both_ways(wire, MobilePrefixAdvertisement{.prefixes = {forever}});
  forever.valid = kInfiniteLifetime + 1s;
  CHECK(write_icmp_message(MobilePrefixAdvertisement{.prefixes = {forever}}) == bytes(wire));
  forever.valid = -1s;
  CHECK(write_icmp_message(MobilePrefixAdvertisement{.prefixes = {forever}}).at(12) == 0);
}

TEST_CASE("a Router Advertisement has its flags and its lifetime", "[wire][icmp]") {
  check_both_ways(kAdvertisement, kBare);
  check_both_ways("86 00 0000 00 80 0000 00000000 00000000", RouterAdvertisement{.managed = true});
  check_both_ways("86 00 0000 00 40 ffff 00000000 00000000",
                  RouterAdvertisement{.other = true, .router_lifetime = 65535s});
}

TEST_CASE("a Router Advertisement has prefixes, an interval and home agent information", "[wire][icmp]") {
  auto full = kBare;
  full.prefixes = {kPrefixValue};
  full.advertisement_interval = 70ms;
  full.home_agent_information = HomeAgentInformation{.preference = 0xfff0, .lifetime = 900s};
  check_both_ways(kAdvertisement + kPrefix + "0701 0000 00000046" + "0801 0000 fff0 0384", full);
}

TEST_CASE("what a Router Advertisement has besides is skipped", "[wire][icmp]") {
  const auto parsed = advertisement_of("86 00 abcd 40 3f 0708 00007530 000003e8 0101 020000000001 0501 0000000005dc" +
                                       kPrefix + "fe02 0000000000000000000000000000");
  CHECK(parsed.prefixes == std::vector<PrefixInformation>{kPrefixValue});
  CHECK(parsed.home_agent);
  CHECK_FALSE(parsed.managed);
}

TEST_CASE("an option of another length than its type has is skipped", "[wire][icmp]") {
  CHECK(advertisement_of(kAdvertisement + "0802 0000 fff0 0384 0000000000000000") == kBare);
  CHECK(advertisement_of(kAdvertisement + "0702 0000 00000046 0000000000000000") == kBare);
  CHECK(advertisement_of(kAdvertisement + "0301 40 c0 00000000") == kBare);
}

TEST_CASE("an option of length 0 or beyond the end refuses the message", "[wire][icmp]") {
  CHECK(icmp_failure(kAdvertisement + "0100 020000000001") == ParseError{17, "an option has length 0"});
  CHECK(icmp_failure(kAdvertisement + "0102 020000000001") ==
        ParseError{17, "an option goes beyond the end of the message"});
  CHECK(icmp_failure(kAdvertisement + "01") == ParseError{17, "the message is cut short"});
}

TEST_CASE("a Code that is not zero, and a type of another protocol, are refused", "[wire][icmp]") {
  for (const std::string type : {"86", "90", "91", "92", "93"})
    CHECK(icmp_failure(type + "01 0000 0000 0000 00000000 00000000") == ParseError{1, "Code is not 0"});
  CHECK(icmp_failure("88 00 0000 0000 0000") == ParseError{0, "this ICMPv6 type is none of Mobile IPv6"});
}

TEST_CASE("times that the wire cannot hold become the nearest that it can", "[wire][icmp]") {
  auto long_lived = kBare;
  long_lived.router_lifetime = 65536s;
  long_lived.advertisement_interval = std::chrono::milliseconds{0x100000000};
  long_lived.home_agent_information = HomeAgentInformation{.lifetime = 70000s};
  CHECK(write_icmp_message(long_lived) == bytes("86 00 0000 00 20 ffff 00000000 00000000 0701 0000 ffffffff"
                                                "0801 0000 0000 ffff"));
}
