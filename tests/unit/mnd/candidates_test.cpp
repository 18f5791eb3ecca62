// From the kernel's links, addresses and routes to candidates for a care-of address.
#include "mnd/candidates.hpp"

#include <linux/if_addr.h>

#include "tests/catch.hpp"

using mnd::kernel::Address;
using mnd::kernel::DefaultRoute;
using mnd::kernel::Link;
using mnd::kernel::NetworkState;

namespace {

mip6::Ipv6Address address(const char* text) { return *mip6::Ipv6Address::parse(text); }

NetworkState network() {
  NetworkState state;
  state.links[2] = Link{.index = 2, .name = "w1", .up = true, .running = true};
  state.addresses = {Address{.interface = 2, .address = address("2001:db8:a1::7"), .prefix_length = 64, .flags = 0}};
  state.default_routes = {DefaultRoute{.interface = 2, .gateway = address("fe80::1"), .metric = 1024}};
  return state;
}

mip6::Candidate only_candidate(const NetworkState& state) {
  const auto found = mnd::candidates(state);
  REQUIRE(found.size() == 1);
  return found.front();
}

}  // namespace

TEST_CASE("an address becomes a candidate with its link and router") {
  const auto candidate = only_candidate(network());
  CHECK(candidate.interface_name == "w1");
  CHECK(candidate.link_up);
  CHECK(candidate.address == address("2001:db8:a1::7"));
  CHECK(candidate.gateway == address("fe80::1"));
  CHECK(candidate.metric == 1024);
  CHECK_FALSE(candidate.tentative);
}

TEST_CASE("the default route of the lowest metric gives the router") {
  auto state = network();
  state.default_routes.push_back({.interface = 2, .gateway = address("fe80::2"), .metric = 100});
  state.default_routes.push_back({.interface = 3, .gateway = address("fe80::3"), .metric = 1});
  CHECK(only_candidate(state).gateway == address("fe80::2"));
}

TEST_CASE("of the routers on a link the reachable one wins, then the more preferred one, then the lower metric") {
  auto state = network();
  const auto gateway = [&] { return only_candidate(state).gateway.value(); };
  state.default_routes.push_back({.interface = 2, .gateway = address("fe80::2"), .metric = 2048, .preference = 1});
  CHECK(gateway() == address("fe80::2"));
  CHECK(only_candidate(state).metric == 2048);
  state.default_routes.push_back({.interface = 2, .gateway = address("fe80::3"), .metric = 100, .preference = 1});
  CHECK(gateway() == address("fe80::3"));
  state.unreachable_routers = {{2, address("fe80::3")}, {3, address("fe80::2")}};
  CHECK(gateway() == address("fe80::2"));
  CHECK_FALSE(only_candidate(state).router_unreachable);
  state.unreachable_routers = {{2, address("fe80::1")}, {2, address("fe80::2")}, {2, address("fe80::3")}};
  CHECK(gateway() == address("fe80::3"));
  CHECK(only_candidate(state).router_unreachable);
}

TEST_CASE("a default route without a gateway will do on a link without neighbours, as modems have") {
  auto state = network();
  state.default_routes[0].gateway = {};
  CHECK_FALSE(only_candidate(state).gateway);
  state.links[2].no_neighbours = true;
  CHECK(only_candidate(state).gateway == mip6::Ipv6Address{});
}

TEST_CASE("a tentative address is one unless it is optimistic") {
  auto state = network();
  state.addresses[0].flags = IFA_F_TENTATIVE;
  CHECK(only_candidate(state).tentative);
  state.addresses[0].flags = IFA_F_TENTATIVE | IFA_F_OPTIMISTIC;
  CHECK_FALSE(only_candidate(state).tentative);
}

TEST_CASE("a failed duplicate detection, deprecation and privacy are told") {
  auto state = network();
  state.addresses[0].flags = IFA_F_DADFAILED | IFA_F_DEPRECATED | IFA_F_TEMPORARY;
  const auto candidate = only_candidate(state);
  CHECK(candidate.duplicate);
  CHECK(candidate.deprecated);
  CHECK(candidate.temporary);
}

TEST_CASE("a link without carrier is not up") {
  auto state = network();
  state.links[2].running = false;
  CHECK_FALSE(only_candidate(state).link_up);
}

TEST_CASE("addresses of loopback, tunnels and our own device are no candidates") {
  auto state = network();
  const auto mark = GENERATE(0, 1, 2);
  state.links[2].loopback = mark == 0;
  state.links[2].tunnel = mark == 1;
  state.links[2].ours = mark == 2;
  CHECK(mnd::candidates(state).empty());
}

TEST_CASE("the home address that we put on the home link is no candidate, and no sign of being there") {
  auto state = network();
  state.addresses[0].ours = true;
  CHECK(mnd::candidates(state).empty());
}

TEST_CASE("an address whose link is not known yet is no candidate") {
  auto state = network();
  state.links.clear();
  CHECK(mnd::candidates(state).empty());
}
