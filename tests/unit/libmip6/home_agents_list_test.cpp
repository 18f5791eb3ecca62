// The Home Agents List and address discovery (RFC 6275 sections 10.1 and 10.5.1).
#include "libmip6/agent/home_agents_list.hpp"

#include <algorithm>
#include <set>

#include "tests/catch.hpp"
#include "tests/unit/libmip6/agent_random.hpp"
#include "tests/unit/libmip6/wire_support.hpp"

using namespace mip6;
using namespace mip6::agent;
using namespace mip6::test;
using namespace std::chrono_literals;

namespace {

const Ipv6Address kOurs = address("2001:db8:1::1");
const Ipv6Address kRouter = address("fe80::2");
const Ipv6Address kOther = address("2001:db8:1::2");
const Ipv6Address kSeeker = address("2001:db8:a1::7");

PrefixInformation router_address(const Ipv6Address& of_router, Lifetime valid = kInfiniteLifetime) {
  return {.prefix = {of_router, 64}, .on_link = true, .router_address = true, .valid = valid, .preferred = valid};
}

RouterAdvertisementReceived advertisement(const Ipv6Address& source, const Ipv6Address& global,
                                          std::optional<HomeAgentInformation> information = {}) {
  return {{.home_agent = true,
           .router_lifetime = 1800s,
           .prefixes = {router_address(global)},
           .home_agent_information = information},
          source};
}

struct ListHarness {
  explicit ListHarness(std::uint16_t preference = 0)
      : core{{.link_local = address("fe80::1"), .addresses = {kOurs}, .preference = preference}, random} {}

  void hear(const RouterAdvertisementReceived& event) { CHECK(core.handle(event, now).empty()); }
  std::vector<Ipv6Address> ask() {
    const auto actions = core.handle(DiscoveryRequestReceived{{.identifier = 7}, kSeeker}, now);
    REQUIRE(actions.size() == 1);
    const auto& sent = std::get<SendDiscoveryReply>(actions[0]);
    CHECK(sent.reply.identifier == 7);
    CHECK(sent.source == kOurs);
    CHECK(sent.destination == kSeeker);
    return sent.reply.home_agents;
  }

  Drawn random;
  HomeAgentsList core;
  BootTime now{};
};

Ipv6Address numbered(const char* text, int number) {
  auto made = address(text);
  made.bytes[14] = static_cast<std::uint8_t>(number / 256);
  made.bytes[15] = static_cast<std::uint8_t>(number % 256);
  return made;
}

}  // namespace

TEST_CASE("a request is answered to its source with the identifier and our own address", "[agent]") {
  ListHarness list;
  CHECK(list.ask() == std::vector{kOurs});
}

TEST_CASE("a router with the H flag is listed, with the addresses that have the R flag", "[agent]") {
  ListHarness list{1};
  auto heard = advertisement(kRouter, kOther);
  heard.advertisement.prefixes.push_back({.prefix = *Ipv6Prefix::parse("2001:db8:5::/64"), .valid = kInfiniteLifetime});
  heard.advertisement.prefixes.push_back(router_address(address("fe80::2")));
  list.hear(heard);
  CHECK(list.ask() == std::vector{kOurs, kOther});
}

TEST_CASE("a router that clears the H flag is no home agent any more", "[agent]") {
  ListHarness list;
  list.hear(advertisement(kRouter, kOther));
  auto heard = advertisement(kRouter, kOther);
  heard.advertisement.home_agent = false;
  list.hear(heard);
  CHECK(list.core.agents().empty());
}

TEST_CASE("lifetime and preference come from the option, else from the router lifetime and zero", "[agent]") {
  ListHarness list;
  list.hear(advertisement(kRouter, kOther));
  CHECK(list.core.agents().at(kRouter).preference == 0);
  CHECK(list.core.agents().at(kRouter).until == BootTime{1800s});
  list.hear(advertisement(kRouter, kOther, HomeAgentInformation{.preference = 9, .lifetime = 60s}));
  CHECK(list.core.agents().at(kRouter).preference == 9);
  CHECK(list.core.agents().at(kRouter).until == BootTime{60s});
}

TEST_CASE("a lifetime of zero deletes an entry and makes none", "[agent]") {
  ListHarness list;
  const auto ends = advertisement(kRouter, kOther, HomeAgentInformation{.preference = 9, .lifetime = 0s});
  list.hear(ends);
  CHECK(list.core.agents().empty());
  list.hear(advertisement(kRouter, kOther));
  list.hear(ends);
  CHECK(list.core.agents().empty());
}

TEST_CASE("an entry is deleted when its lifetime ends", "[agent]") {
  ListHarness list;
  list.hear(advertisement(kRouter, kOther));
  REQUIRE(list.core.next_deadline() == BootTime{1800s});
  list.now = BootTime{1800s} - 1ns;
  list.core.handle(DeadlineReached{}, list.now);
  CHECK(list.core.agents().size() == 1);
  list.now = BootTime{1800s};
  CHECK(list.ask() == std::vector{kOurs});
  CHECK_FALSE(list.core.next_deadline());
}

TEST_CASE("an address is deleted when its prefix is valid no longer", "[agent]") {
  ListHarness list;
  auto heard = advertisement(kRouter, kOther);
  heard.advertisement.prefixes = {router_address(kOther, 100s)};
  list.hear(heard);
  REQUIRE(list.core.next_deadline() == BootTime{100s});
  list.now = BootTime{100s};
  CHECK(list.ask() == std::vector{kOurs});
  CHECK(list.core.agents().size() == 1);
  // Withdrawn before its time.
  list.hear(heard);
  heard.advertisement.prefixes = {router_address(kOther, 0s)};
  list.hear(heard);
  CHECK(list.core.agents().at(kRouter).addresses.empty());
}

TEST_CASE("addresses of several advertisements of one agent add up", "[agent]") {
  ListHarness list;
  list.hear(advertisement(kRouter, kOther));
  list.hear(advertisement(kRouter, address("2001:db8:2::2")));
  CHECK(list.core.agents().at(kRouter).addresses.size() == 2);
}

TEST_CASE("home agents stand in the order of their preference", "[agent]") {
  ListHarness list{5};
  list.hear(advertisement(address("fe80::a"), numbered("2001:db8:1::", 10), HomeAgentInformation{4, 60s}));
  list.hear(advertisement(address("fe80::b"), numbered("2001:db8:1::", 11), HomeAgentInformation{6, 60s}));
  list.hear(advertisement(address("fe80::c"), numbered("2001:db8:1::", 12)));
  for (int i = 0; i < 20; ++i)
    CHECK(list.ask() ==
          std::vector{numbered("2001:db8:1::", 11), kOurs, numbered("2001:db8:1::", 10), numbered("2001:db8:1::", 12)});
}

TEST_CASE("equally preferable home agents stand in another order each time", "[agent]") {
  ListHarness list;
  list.hear(advertisement(address("fe80::a"), numbered("2001:db8:1::", 10)));
  list.hear(advertisement(address("fe80::b"), numbered("2001:db8:1::", 11)));
  std::set<std::vector<Ipv6Address>> orders;
  for (int i = 0; i < 200; ++i) orders.insert(list.ask());
  CHECK(orders.size() == 6);
}

TEST_CASE("the addresses of one home agent stay together, in another order each time", "[agent]") {
  ListHarness list{1};
  auto heard = advertisement(kRouter, kOther);
  heard.advertisement.prefixes.push_back(router_address(address("2001:db8:2::2")));
  list.hear(heard);
  std::set<std::vector<Ipv6Address>> orders;
  for (int i = 0; i < 50; ++i) orders.insert(list.ask());
  CHECK(orders.size() == 2);
  CHECK(std::all_of(orders.begin(), orders.end(), [](const auto& order) { return order.front() == kOurs; }));
}

TEST_CASE("a reply fits into the minimum MTU and keeps the most preferable", "[agent]") {
  ListHarness list;
  for (int i = 1; i <= static_cast<int>(kMaxListedAgents); ++i) {
    auto heard = advertisement(numbered("fe80::", i), numbered("2001:db8:1::", 2 * i),
                               HomeAgentInformation{static_cast<std::uint16_t>(i), 60s});
    heard.advertisement.prefixes.push_back(router_address(numbered("2001:db8:1::", 2 * i + 1)));
    list.hear(heard);
  }
  const auto told = list.ask();
  REQUIRE(told.size() == 77);
  CHECK(40 + 8 + 16 * told.size() <= 1280);
  CHECK(std::count(told.begin(), told.end(), numbered("2001:db8:1::", 2 * 64)) == 1);
  CHECK(std::count(told.begin(), told.end(), numbered("2001:db8:1::", 2)) == 0);
}

TEST_CASE("whoever floods the link with advertisements fills the list only so far", "[agent]") {
  ListHarness list;
  for (int i = 1; i < 1000; ++i) list.hear(advertisement(numbered("fe80::", i), numbered("2001:db8:1::", i)));
  CHECK(list.core.agents().size() == kMaxListedAgents);
  for (int i = 1; i < 1000; ++i) list.hear(advertisement(numbered("fe80::", 2), numbered("2001:db8:2::", i)));
  CHECK(list.core.agents().at(numbered("fe80::", 2)).addresses.size() == kMaxListedAddresses);
}

TEST_CASE("our own advertisements, and those from no link-local address, are not listed", "[agent]") {
  ListHarness list;
  list.hear(advertisement(address("fe80::1"), kOther));
  list.hear(advertisement(address("2001:db8:1::9"), kOther));
  CHECK(list.core.agents().empty());
}

TEST_CASE("a request from no unicast address is not answered", "[agent]") {
  ListHarness list;
  for (const auto* source : {"::", "ff02::1", "::1"})
    CHECK(list.core.handle(DiscoveryRequestReceived{{1}, address(source)}, list.now).empty());
}
