// Dynamic home agent address discovery by the mobile node.
#include "libmip6/node/agent_discovery.hpp"

#include "tests/catch.hpp"

using namespace mip6;
using namespace mip6::node;
using namespace std::chrono_literals;

namespace {

Ipv6Address address(const std::string& text) { return Ipv6Address::parse(text).value(); }
const Ipv6Prefix kHomePrefix = Ipv6Prefix::parse("2001:db8:1::/64").value();
const Ipv6Address kCareOf = address("2001:db8:a1::7");
const Ipv6Address kFirst = address("2001:db8:1::1");
const Ipv6Address kSecond = address("2001:db8:1::2");
constexpr BootTime kStart{100s};

struct Counting : Random {
  std::uint32_t draw() override { return ++last; }
  std::uint32_t last = 0x10007;  // more than an identifier's 16 bits
};

struct Asked {
  Counting random;
  HomeAgentDiscovery core{kHomePrefix, random};
  SendDiscoveryRequest request = std::get<SendDiscoveryRequest>(core.handle(DiscoveryAsked{kCareOf}, kStart).at(0));

  std::vector<DiscoveryAction> reply(std::vector<Ipv6Address> agents, std::uint16_t identifier) {
    return core.handle(AgentDiscoveryReplyReceived{{identifier, std::move(agents)}, kFirst}, kStart + 1s);
  }
};

}  // namespace

TEST_CASE("the anycast address of the home agents is that of RFC 2526", "[discovery]") {
  const auto anycast = [](const char* prefix) { return home_agents_anycast(Ipv6Prefix::parse(prefix).value()); };
  CHECK(anycast("2001:db8:1::/64") == address("2001:db8:1:0:fdff:ffff:ffff:fffe"));
  CHECK(anycast("2001:db8:1::42/64") == address("2001:db8:1:0:fdff:ffff:ffff:fffe"));
  CHECK(anycast("2001:db8:1::/48") == address("2001:db8:1:ffff:ffff:ffff:ffff:fffe"));
  CHECK(anycast("2001:db8:1::/120") == address("2001:db8:1::fe"));
}

TEST_CASE("a request goes from the care-of address to the anycast address, with a random identifier", "[discovery]") {
  Asked node;
  CHECK(node.request.source == kCareOf);
  CHECK(node.request.destination == address("2001:db8:1:0:fdff:ffff:ffff:fffe"));
  CHECK(node.request.request.identifier == 8);
  CHECK(node.core.next_deadline() == kStart + 3s);
}

TEST_CASE("a request is repeated four times, each after twice the time, and then given up", "[discovery]") {
  Asked node;
  std::vector<Duration> waits;
  BootTime now = kStart;
  for (;;) {
    const auto deadline = node.core.next_deadline().value();
    CHECK(node.core.handle(DiscoveryDeadlineReached{}, deadline - 1ns).empty());
    const auto actions = node.core.handle(DiscoveryDeadlineReached{}, deadline);
    REQUIRE(actions.size() == 1);
    waits.push_back(deadline - now);
    now = deadline;
    if (std::holds_alternative<DiscoveryFailed>(actions[0])) break;
    CHECK(std::get<SendDiscoveryRequest>(actions[0]).request == node.request.request);
    CHECK(std::get<SendDiscoveryRequest>(actions[0]).destination == node.request.destination);
  }
  CHECK(waits == std::vector<Duration>{3s, 6s, 12s, 24s, 48s});
  CHECK_FALSE(node.core.next_deadline());
  CHECK_FALSE(node.core.running());
}

TEST_CASE("a reply gives the home agents in its order, and ends the request", "[discovery]") {
  Asked node;
  const auto actions = node.reply({kSecond, kFirst, kSecond}, 8);
  REQUIRE(actions.size() == 1);
  CHECK(std::get<HomeAgentsFound>(actions[0]).home_agents == std::vector{kSecond, kFirst});
  CHECK_FALSE(node.core.running());
  CHECK(node.reply({kFirst}, 8).empty());
}

TEST_CASE("a reply to something else, or without a usable address, does not end the request", "[discovery]") {
  Asked node;
  CHECK(node.reply({kFirst}, 9).empty());
  CHECK(node.reply({}, 8).empty());
  CHECK(node.reply({address("ff02::1"), address("fe80::1"), address("::"), node.request.destination}, 8).empty());
  CHECK(node.core.running());
}

TEST_CASE("of a reply no more than sixteen home agents are kept", "[discovery]") {
  Asked node;
  std::vector<Ipv6Address> many(1000, kFirst);
  for (std::size_t i = 0; i < many.size(); ++i) many[i].bytes[14] = static_cast<std::uint8_t>(i % 256);
  CHECK(std::get<HomeAgentsFound>(node.reply(many, 8).at(0)).home_agents.size() == kMaxHomeAgents);
}

TEST_CASE("a discovery that nobody waits for any more ends in silence", "[discovery]") {
  Asked node;
  CHECK(node.core.handle(DiscoveryCancelled{}, kStart).empty());
  CHECK_FALSE(node.core.next_deadline());
  CHECK(node.reply({kFirst}, 8).empty());
}
