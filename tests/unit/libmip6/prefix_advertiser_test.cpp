// Mobile Prefix Advertisements and their schedule (RFC 6275 sections 6.8, 10.6.2 and 10.6.3).
#include "libmip6/agent/prefix_advertiser.hpp"

#include <set>

#include "tests/catch.hpp"
#include "tests/unit/libmip6/agent_random.hpp"
#include "tests/unit/libmip6/wire_support.hpp"

using namespace mip6;
using namespace mip6::agent;
using namespace mip6::test;
using namespace std::chrono_literals;

namespace {

const Ipv6Address kAgent = address("2001:db8:1::1");
const Ipv6Address kHomeOfNode = address("2001:db8:1::42");
const Ipv6Address kAway = address("2001:db8:a1::7");
const Ipv6Address kAwayElsewhere = address("2001:db8:a2::7");
const HomePrefix kFirst{.prefix = *Ipv6Prefix::parse("2001:db8:1::/64")};
const HomePrefix kSecond{.prefix = *Ipv6Prefix::parse("2001:db8:2::/64")};

PrefixAdvertiserPolicy default_prefixes() { return {.address = kAgent, .home_prefixes = {kFirst}}; }

struct AdvertiserHarness {
  explicit AdvertiserHarness(const PrefixAdvertiserPolicy& policy = default_prefixes()) : core{policy, nodes, random} {}

  std::vector<SendPrefixAdvertisement> run(const PrefixEvent& event) {
    std::vector<SendPrefixAdvertisement> sent;
    for (const auto& action : core.handle(event, now)) sent.push_back(std::get<SendPrefixAdvertisement>(action));
    return sent;
  }
  // Time goes on to the next deadline first.
  std::vector<SendPrefixAdvertisement> run_deadline() {
    now = core.next_deadline().value();
    return run(DeadlineReached{});
  }
  std::vector<SendPrefixAdvertisement> solicit(std::uint16_t identifier, const Ipv6Address& source = kAway) {
    return run(PrefixSolicitationReceived{{identifier}, kHomeOfNode, source});
  }

  ServedNodes nodes{{{kHomeOfNode, true}}};
  Drawn random;
  PrefixAdvertiser core;
  BootTime now{1000s};
};

}  // namespace

TEST_CASE("a solicitation is answered right away, to its source, with its identifier", "[agent]") {
  AdvertiserHarness agent;
  const auto sent = agent.solicit(77, kAwayElsewhere);
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].advertisement.identifier == 77);
  CHECK(sent[0].source == kAgent);
  CHECK(sent[0].home_address == kHomeOfNode);
  CHECK(sent[0].care_of == kAwayElsewhere);
}

TEST_CASE("an advertisement lists each prefix with its flags and what is left of it", "[agent]") {
  auto policy = default_prefixes();
  policy.home_prefixes = {{.prefix = {kAgent, 64},
                           .valid_until = BootTime{1100s},
                           .preferred_until = BootTime{900s},
                           .on_link = true,
                           .autonomous = false,
                           .router_address = true},
                          kSecond};
  AdvertiserHarness agent{policy};
  const auto sent = agent.solicit(1);
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].advertisement.prefixes == std::vector<PrefixInformation>{{.prefix = {kAgent, 64},
                                                                          .on_link = true,
                                                                          .autonomous = false,
                                                                          .router_address = true,
                                                                          .valid = 100s,
                                                                          .preferred = 0s},
                                                                         {.prefix = kSecond.prefix,
                                                                          .on_link = true,
                                                                          .autonomous = true,
                                                                          .valid = kInfiniteLifetime,
                                                                          .preferred = kInfiniteLifetime}});
}

TEST_CASE("M and O are clear unless the policy sets them", "[agent]") {
  AdvertiserHarness without;
  CHECK_FALSE(without.solicit(1).at(0).advertisement.managed);
  CHECK_FALSE(without.solicit(1).size() == 1);
  auto policy = default_prefixes();
  policy.managed = policy.other = true;
  AdvertiserHarness with{policy};
  const auto sent = with.solicit(1);
  CHECK((sent.at(0).advertisement.managed && sent.at(0).advertisement.other));
}

TEST_CASE("a node gets one advertisement a second at most", "[agent]") {
  AdvertiserHarness agent;
  CHECK(agent.solicit(1).size() == 1);
  for (std::uint16_t identifier = 2; identifier < 100; ++identifier) CHECK(agent.solicit(identifier).empty());
  REQUIRE(agent.core.next_deadline() == agent.now + kPrefixAdvPause);
  const auto sent = agent.run_deadline();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].advertisement.identifier == 99);
}

TEST_CASE("who is not served gets no answer and is not remembered", "[agent]") {
  AdvertiserHarness agent;
  CHECK(agent.run(PrefixSolicitationReceived{{1}, address("2001:db8:1::99"), kAway}).empty());
  CHECK(agent.core.remembered() == 0);
}

TEST_CASE("what is disabled sends nothing", "[agent]") {
  auto policy = default_prefixes();
  policy.enabled = false;
  AdvertiserHarness agent{policy};
  CHECK(agent.solicit(1).empty());
  agent.run(BindingInstalled{kHomeOfNode, kAway});
  CHECK_FALSE(agent.core.next_deadline());
}

TEST_CASE("after a registration the prefixes are told within the configured interval, at random", "[agent]") {
  auto policy = default_prefixes();
  policy.min_interval = 100s;
  policy.max_interval = 200s;
  AdvertiserHarness agent{policy};
  std::set<Duration> delays;
  for (int i = 0; i < 500; ++i) {
    agent.run(BindingInstalled{kHomeOfNode, kAway});
    const auto delay = agent.core.next_deadline().value() - agent.now;
    CHECK((delay >= 100s && delay < 200s));
    delays.insert(delay);
    agent.run(BindingRemoved{kHomeOfNode});
  }
  CHECK(delays.size() > 50);
}

TEST_CASE("a preferred lifetime shorter than the longest interval hastens an advertisement", "[agent]") {
  auto policy = default_prefixes();
  policy.home_prefixes = {{.prefix = kFirst.prefix, .preferred_until = BootTime{1000s} + 700s}};
  AdvertiserHarness agent{policy};
  for (int i = 0; i < 100; ++i) {
    agent.run(BindingInstalled{kHomeOfNode, kAway});
    CHECK(agent.core.next_deadline().value() < agent.now + 700s);
    agent.run(BindingRemoved{kHomeOfNode});
  }
}

TEST_CASE("a node that was told is told again after the longest interval, not before", "[agent]") {
  AdvertiserHarness agent;
  agent.run(BindingInstalled{kHomeOfNode, kAway});
  agent.solicit(1);
  agent.run(BindingInstalled{kHomeOfNode, kAway});
  CHECK(agent.core.next_deadline().value() >= agent.now + 86400s + 600s);
  const auto sent = agent.run_deadline();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].care_of == kAway);
}

TEST_CASE("an unsolicited advertisement is sent again after 3, 6 and 12 s, then no more", "[agent]") {
  AdvertiserHarness agent;
  agent.run(BindingInstalled{kHomeOfNode, kAway});
  CHECK(agent.run_deadline().size() == 1);
  for (const auto wait : {3s, 6s, 12s}) {
    const auto before = agent.now;
    CHECK(agent.run_deadline().size() == 1);
    CHECK(agent.now == before + wait);
  }
  CHECK(agent.core.next_deadline().value() > agent.now + 86400s);
}

TEST_CASE("a solicitation acknowledges what was told unsolicited", "[agent]") {
  AdvertiserHarness agent;
  agent.run(BindingInstalled{kHomeOfNode, kAway});
  agent.run_deadline();
  agent.now += 2s;
  CHECK(agent.solicit(5).size() == 1);
  CHECK(agent.core.next_deadline().value() > agent.now + 86400s);
}

TEST_CASE("the end of a binding ends what was going to be sent", "[agent]") {
  AdvertiserHarness scheduled;
  scheduled.run(BindingInstalled{kHomeOfNode, kAway});
  scheduled.run(BindingRemoved{kHomeOfNode});
  CHECK_FALSE(scheduled.core.next_deadline());
  AdvertiserHarness unacknowledged;
  unacknowledged.run(BindingInstalled{kHomeOfNode, kAway});
  unacknowledged.run_deadline();
  unacknowledged.run(BindingRemoved{kHomeOfNode});
  CHECK_FALSE(unacknowledged.core.next_deadline());
}

TEST_CASE("a further registration begins an unacknowledged advertisement again, to the new address", "[agent]") {
  AdvertiserHarness agent;
  agent.run(BindingInstalled{kHomeOfNode, kAway});
  for (int i = 0; i < 4; ++i) agent.run_deadline();
  agent.now += 60s;
  const auto sent = agent.run(BindingInstalled{kHomeOfNode, kAwayElsewhere});
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].care_of == kAwayElsewhere);
  CHECK(agent.core.next_deadline() == agent.now + kPrefixAdvTimeout);
}

TEST_CASE("a change of the prefixes is told to nodes that are away, once", "[agent]") {
  AdvertiserHarness agent;
  agent.run(BindingInstalled{kHomeOfNode, kAway});
  agent.solicit(1);
  HomePrefix deprecated = kFirst;
  deprecated.preferred_until = agent.now;
  HomePrefix other_flags = kFirst;
  other_flags.autonomous = false;
  const auto change = GENERATE_COPY(HomePrefixes{deprecated}, HomePrefixes{other_flags}, HomePrefixes{kFirst, kSecond});
  CHECK(agent.run(HomePrefixesChanged{change}).empty());
  const auto due = agent.core.next_deadline().value();
  CHECK(due <= agent.now + 86400s);
  // Told again, or of one more, it leaves at the same time with the newest content.
  agent.run(HomePrefixesChanged{change});
  CHECK(agent.core.next_deadline() == due);
  agent.run(HomePrefixesChanged{{kSecond}});
  CHECK(agent.core.next_deadline() == due);
  const auto sent = agent.run_deadline();
  REQUIRE(sent.size() == 1);
  REQUIRE(sent[0].advertisement.prefixes.size() == 1);
  CHECK(sent[0].advertisement.prefixes[0].prefix == kSecond.prefix);
}

TEST_CASE("prefixes that did not change are not told again", "[agent]") {
  AdvertiserHarness agent;
  agent.run(BindingInstalled{kHomeOfNode, kAway});
  agent.solicit(1);
  const auto due = agent.core.next_deadline();
  agent.run(HomePrefixesChanged{{kFirst}});
  CHECK(agent.core.next_deadline() == due);
}

TEST_CASE("a change replaces an advertisement that is not acknowledged yet", "[agent]") {
  AdvertiserHarness agent;
  agent.run(BindingInstalled{kHomeOfNode, kAway});
  agent.run_deadline();
  agent.run(HomePrefixesChanged{{kFirst, kSecond}});
  CHECK(agent.core.next_deadline().value() >= agent.now + 600s);
  const auto sent = agent.run_deadline();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].advertisement.prefixes.size() == 2);
  CHECK(agent.core.next_deadline() == agent.now + kPrefixAdvTimeout);
}

TEST_CASE("a node without binding is told nothing unsolicited", "[agent]") {
  AdvertiserHarness agent;
  agent.solicit(1);
  agent.run(HomePrefixesChanged{{kFirst, kSecond}});
  CHECK_FALSE(agent.core.next_deadline());
}
