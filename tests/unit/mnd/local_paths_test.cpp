// From the kernel's links, addresses and routes to the routes that keep local connections local.
#include "mnd/local_paths.hpp"

#include <linux/if_addr.h>

#include <algorithm>

#include "tests/catch.hpp"

using namespace mnd::kernel;

namespace {

mip6::Ipv6Address address(const char* text) { return *mip6::Ipv6Address::parse(text); }
mip6::Ipv6Prefix prefix(const char* text) { return *mip6::Ipv6Prefix::parse(text); }

const auto kHome = address("2001:db8:1::42");
const auto kRouter = address("fe80::1");

// w1 (2) with a care-of address, a temporary and a deprecated one; wg0 (3), somebody's VPN.
NetworkState network() {
  NetworkState state;
  state.links[2] = Link{.index = 2, .name = "w1", .up = true, .running = true};
  state.links[3] = Link{.index = 3, .name = "wg0", .up = true, .running = true, .tunnel = true};
  state.addresses = {Address{.interface = 2, .address = address("2001:db8:a1::dead"), .flags = IFA_F_DEPRECATED},
                     Address{.interface = 2, .address = address("2001:db8:a1::e"), .flags = IFA_F_TEMPORARY},
                     Address{.interface = 2, .address = address("2001:db8:a1::7"), .flags = 0},
                     Address{.interface = 2, .address = address("fe80::7"), .flags = 0},
                     Address{.interface = 3, .address = address("fd00::7"), .flags = 0}};
  state.default_routes = {DefaultRoute{.interface = 2, .gateway = kRouter, .metric = 1024}};
  state.specific_routes = {
      SpecificRoute{.interface = 2, .prefix = prefix("2001:db8:a1::/64"), .gateway = {}, .metric = 256},
      SpecificRoute{.interface = 3, .prefix = prefix("fd11::/16"), .gateway = {}, .metric = 1024}};
  return state;
}

mip6::Attachment away(const char* care_of = "2001:db8:a1::7") { return {2, address(care_of), kRouter, false}; }

std::vector<mip6::Ipv6Address> sources(const LocalPaths& paths) {
  std::vector<mip6::Ipv6Address> found;
  for (const auto& path : paths.addresses) found.push_back(path.address);
  return found;
}

}  // namespace

TEST_CASE("every global address of a link with a router keeps to it, deprecated or not, and no other") {
  const auto paths = mnd::local_paths(network(), kHome, away());
  CHECK(sources(paths) == std::vector<mip6::Ipv6Address>{address("2001:db8:a1::dead"), address("2001:db8:a1::e"),
                                                         address("2001:db8:a1::7")});
  CHECK(std::ranges::all_of(paths.addresses,
                            [](const LocalPath& one) { return one.interface == 2 && one.gateway == kRouter; }));
  REQUIRE(paths.care_of);
  CHECK(paths.care_of->address == address("2001:db8:a1::7"));
}

TEST_CASE("an address that cannot send has no route") {
  auto state = network();
  SECTION("link down") { state.links[2].running = false; }
  SECTION("no router") { state.default_routes.clear(); }
  SECTION("tentative") {
    for (auto& one : state.addresses) one.flags = IFA_F_TENTATIVE;
  }
  SECTION("duplicate") {
    for (auto& one : state.addresses) one.flags = IFA_F_DADFAILED;
  }
  CHECK(mnd::local_paths(state, kHome, std::nullopt).addresses.empty());
}

TEST_CASE("a new connection by a specific route gets an address of its link, the care-of address before others") {
  const auto first = mnd::local_paths(network(), kHome, std::nullopt);
  REQUIRE(first.prefixes.size() == 2);
  CHECK(first.prefixes[0] == LocalPrefix{2, prefix("2001:db8:a1::/64"), {}, address("2001:db8:a1::7")});
  CHECK(first.prefixes[1] == LocalPrefix{3, prefix("fd11::/16"), {}, address("fd00::7")});
  CHECK_FALSE(first.care_of);
  const auto second = mnd::local_paths(network(), kHome, away("2001:db8:a1::e"));
  CHECK(second.prefixes[0].source == address("2001:db8:a1::e"));
}

TEST_CASE("of two routes to one prefix the one of the lower metric is it") {
  auto state = network();
  state.links[4] = Link{.index = 4, .name = "w2", .up = true, .running = true};
  state.addresses.push_back(Address{.interface = 4, .address = address("2001:db8:a1::8"), .flags = 0});
  state.specific_routes.push_back({.interface = 4, .prefix = prefix("2001:db8:a1::/64"), .gateway = {}, .metric = 100});
  const auto paths = mnd::local_paths(state, kHome, away());
  REQUIRE(paths.prefixes.size() == 2);
  CHECK(paths.prefixes[0].interface == 4);
}

TEST_CASE("at home nothing goes beside the home link's own routes") {
  const auto paths = mnd::local_paths(network(), kHome, mip6::Attachment{2, kHome, kRouter, true});
  CHECK_FALSE(paths.care_of);
  REQUIRE(paths.prefixes.size() == 1);
  CHECK(paths.prefixes[0].interface == 3);
}

TEST_CASE("there is a limit to the routes that are looked after") {
  auto state = network();
  for (std::uint8_t i = 0; i < 200; ++i) {
    auto one = prefix("2001:db8:b::/64");
    one.address.bytes[7] = i;
    state.specific_routes.push_back({.interface = 2, .prefix = one, .gateway = kRouter, .metric = 2000});
  }
  CHECK(mnd::local_paths(state, kHome, away()).prefixes.size() == mnd::kMaxLocalPrefixes);
}
