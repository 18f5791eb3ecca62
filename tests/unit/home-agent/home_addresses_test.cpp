// Which addresses nodes may have, and how a free one is found.
#include "examples/home-agent/home_addresses.hpp"

#include <random>

#include "tests/catch.hpp"

namespace mip6ha {
namespace {

using mip6::Ipv6Address;
using mip6::Ipv6Prefix;

Ipv6Address address(const char* text) { return Ipv6Address::parse(text).value(); }
Ipv6Prefix prefix(const char* text) { return Ipv6Prefix::parse(text).value(); }

struct Seeded final : mip6::Random {
  std::mt19937 engine{6275};
  std::uint32_t draw() override { return static_cast<std::uint32_t>(engine()); }
};

// Says the same interface identifier again and again, then others.
struct Scripted final : mip6::Random {
  std::uint32_t byte = 0;
  int left = 0;
  Seeded after;
  std::uint32_t draw() override { return left-- > 0 ? byte : after.draw(); }
};

TEST_CASE("addresses with another use are given to no node", "[home-addresses]") {
  const auto objection = [](const char* text) { return objection_to(prefix("2001:db8:1::/64"), address(text)); };
  CHECK(objection("2001:db8:1::").find("subnet-router") != std::string_view::npos);
  for (const char* anycast :
       {"2001:db8:1::fdff:ffff:ffff:ff80", "2001:db8:1::fdff:ffff:ffff:fffe", "2001:db8:1::fdff:ffff:ffff:ffff",
        "2001:db8:1:0:ffff:ffff:ffff:ff80", "2001:db8:1:0:ffff:ffff:ffff:ffff"})
    CHECK(objection(anycast).find("RFC 2526") != std::string_view::npos);
  for (const char* reserved :
       {"2001:db8:1::200:5eff:fe00:0", "2001:db8:1::200:5eff:fe00:5213", "2001:db8:1::200:5eff:feff:ffff"})
    CHECK(objection(reserved).find("RFC 5453") != std::string_view::npos);
  CHECK(objection("2001:db8:2::42").find("outside") != std::string_view::npos);
  for (const char* fine : {"2001:db8:1::1", "2001:db8:1::fdff:ffff:ffff:ff7f", "2001:db8:1:0:ffff:ffff:ffff:ff7f",
                           "2001:db8:1::200:5eff:fdff:ffff", "2001:db8:1::200:5eff:ff00:0"})
    CHECK(objection(fine).empty());
}

TEST_CASE("the anycast addresses of a prefix that is not 64 bits long are its last 128", "[home-addresses]") {
  CHECK_FALSE(objection_to(prefix("2001:db8::/112"), address("2001:db8::ff80")).empty());
  CHECK(objection_to(prefix("2001:db8::/112"), address("2001:db8::ff7f")).empty());
  CHECK_FALSE(objection_to(prefix("2001:db8::4:0/112"), address("2001:db8::4:0")).empty());
  // Reserved interface identifiers are those of 64 bits.
  CHECK(objection_to(prefix("2001:db8::/48"), address("2001:db8::200:5eff:fe00:0")).empty());
}

TEST_CASE("a free address is in the prefix, permitted and not taken", "[home-addresses]") {
  Seeded random;
  const auto home = prefix("2001:db8:1::/64");
  std::unordered_set<Ipv6Address> taken;
  for (int times = 0; times < 1000; ++times) {
    const auto chosen = free_address(home, taken, random);
    REQUIRE(chosen);
    CHECK(home.contains(*chosen));
    CHECK(objection_to(home, *chosen).empty());
    CHECK(taken.insert(*chosen).second);
  }
}

TEST_CASE("an anycast address that chance comes upon is passed over", "[home-addresses]") {
  for (const std::uint32_t byte : {0x00U, 0xffU}) {
    Scripted random;
    random.byte = byte;
    random.left = 8 * 3;
    const auto chosen = free_address(prefix("2001:db8:1::/64"), {}, random);
    REQUIRE(chosen);
    CHECK(objection_to(prefix("2001:db8:1::/64"), *chosen).empty());
  }
}

TEST_CASE("the last free address of a small prefix is found, and then there is none", "[home-addresses]") {
  Seeded random;
  const auto home = prefix("2001:db8:1::10/125");  // 8 addresses, one of them the routers'
  std::unordered_set<Ipv6Address> taken;
  for (int times = 0; times < 7; ++times) {
    const auto chosen = free_address(home, taken, random);
    REQUIRE(chosen);
    CHECK(home.contains(*chosen));
    CHECK(taken.insert(*chosen).second);
  }
  CHECK_FALSE(free_address(home, taken, random));
  // Each of the 65408 is found when it is the last one.
  const auto larger = prefix("2001:db8:1::/112");
  std::unordered_set<Ipv6Address> most;
  auto left = address("2001:db8:1::");
  for (unsigned number = 1; number < 0xff80; ++number) {
    left.bytes[14] = static_cast<std::uint8_t>(number >> 8);
    left.bytes[15] = static_cast<std::uint8_t>(number & 0xff);
    if (number != 0x1234) most.insert(left);
  }
  CHECK(free_address(larger, most, random) == address("2001:db8:1::1234"));
}

}  // namespace
}  // namespace mip6ha
