// Addresses, prefixes and the text of errors.
#include "libmip6/address.hpp"

#include <cerrno>
#include <unordered_set>

#include "libmip6/error.hpp"
#include "tests/catch.hpp"
#include "tests/unit/libmip6/wire_support.hpp"

using mip6::Error;
using mip6::Ipv6Address;
using mip6::Ipv6Prefix;
using mip6::test::address;

TEST_CASE("an address is read and written in its shortest form", "[address]") {
  CHECK(address("2001:0DB8:0:0:0:0:0:7").to_string() == "2001:db8::7");
  CHECK(address("::").to_string() == "::");
  CHECK(address("2001:db8:0:1:1:1:1:1").to_string() == "2001:db8:0:1:1:1:1:1");
  CHECK(address("2001:db8::1").bytes[0] == 0x20);
  CHECK(address("2001:db8::1").bytes[15] == 1);
}

TEST_CASE("text that is no address gives none", "[address]") {
  for (const auto* text : {"", "2001:db8::1::2", "192.0.2.1", "2001:db8::1 ", " ::1", "fe80::1%lo", "12345::", "::g",
                           "2001:db8:1111:2222:3333:4444:5555:6666:7777:8888:9999"})
    CHECK_FALSE(Ipv6Address::parse(text));
  using namespace std::string_view_literals;
  CHECK_FALSE(Ipv6Address::parse("::1\0::2"sv));
}

TEST_CASE("an address knows its class", "[address]") {
  CHECK(address("::").is_unspecified());
  CHECK(address("::1").is_loopback());
  CHECK(address("ff02::1").is_multicast());
  CHECK(address("fe80::1").is_link_local());
  CHECK(address("febf::1").is_link_local());
  CHECK_FALSE(address("fec0::1").is_link_local());
  CHECK(address("fd00::1").is_unique_local());
  CHECK(address("fc00::1").is_unique_local());
  CHECK_FALSE(address("fe00::1").is_unique_local());
}

TEST_CASE("global unicast is what is nothing else, unique local addresses included", "[address]") {
  CHECK(address("2001:db8::1").is_global_unicast());
  CHECK(address("fd00::1").is_global_unicast());
  for (const auto* text : {"::", "::1", "ff0e::1", "fe80::1"}) CHECK_FALSE(address(text).is_global_unicast());
}

TEST_CASE("a prefix contains the addresses that share its first bits", "[address]") {
  const auto sixty_four = Ipv6Prefix::parse("2001:db8:1::/64");
  REQUIRE(sixty_four);
  CHECK(sixty_four->contains(address("2001:db8:1::42")));
  CHECK_FALSE(sixty_four->contains(address("2001:db8:1:1::42")));
  const auto odd = Ipv6Prefix::parse("2001:db8:8000::/33");
  CHECK(odd->contains(address("2001:db8:ffff::")));
  CHECK_FALSE(odd->contains(address("2001:db8:7fff::")));
  CHECK(Ipv6Prefix::parse("::/0")->contains(address("ff02::1")));
  const auto host = Ipv6Prefix::parse("2001:db8::1/128");
  CHECK(host->contains(address("2001:db8::1")));
  CHECK_FALSE(host->contains(address("2001:db8::")));
}

TEST_CASE("bits beyond a prefix's length are kept, and not compared", "[address]") {
  const auto prefix = Ipv6Prefix::parse("2001:db8:1::42/64");
  REQUIRE(prefix);
  CHECK(prefix->to_string() == "2001:db8:1::42/64");
  CHECK(prefix->contains(address("2001:db8:1::1")));
}

TEST_CASE("text that is no prefix gives none", "[address]") {
  for (const auto* text : {"2001:db8::", "2001:db8::/", "2001:db8::/129", "2001:db8::/-1", "2001:db8::/64x", "/64",
                           "2001:db8::/+6", "2001:db8::/64/64", "2001:db8::/99999999999"})
    CHECK_FALSE(Ipv6Prefix::parse(text));
}

TEST_CASE("neighbouring addresses have different hashes", "[address]") {
  std::unordered_set<std::size_t> hashes;
  Ipv6Address one = address("2001:db8::");
  for (unsigned i = 0; i < 256; ++i) {
    one.bytes[15] = static_cast<std::uint8_t>(i);
    hashes.insert(std::hash<Ipv6Address>{}(one));
  }
  CHECK(hashes.size() == 256);
}

TEST_CASE("an error says what was tried, on what, why, and what to do", "[error]") {
  const Error whole{.tried = "install the ESP policy",
                    .on = "2001:db8::1",
                    .reason = "refused",
                    .remedy = "start mnd as root",
                    .os_error = EPERM};
  CHECK(whole.to_string() ==
        "cannot install the ESP policy on 2001:db8::1: refused: Operation not permitted (start mnd as root)");
  CHECK(Error{.tried = "stop", .on = "", .reason = "", .remedy = ""}.to_string() == "cannot stop");
  CHECK(Error{.tried = "open", .on = "", .reason = "", .remedy = "", .os_error = ENOENT}.to_string() ==
        "cannot open: No such file or directory");
}
