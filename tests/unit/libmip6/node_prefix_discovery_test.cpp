// Mobile prefix discovery by the mobile node.
#include "libmip6/node/prefix_discovery.hpp"

#include "tests/catch.hpp"

using namespace mip6;
using namespace mip6::node;
using namespace std::chrono_literals;

namespace {

const Ipv6Address kAgent = Ipv6Address::parse("2001:db8:1::1").value();
const Ipv6Address kOther = Ipv6Address::parse("2001:db8:1::2").value();

struct Counting : Random {
  std::uint32_t draw() override { return ++last; }
  std::uint32_t last = 0x10006;
};

struct Solicitor {
  Counting random;
  PrefixDiscovery core{random};
  BootTime now{100s};

  std::vector<PrefixAction> give(const PrefixEvent& event) { return core.handle(event, now); }
  std::vector<PrefixAction> next() {
    now = core.next_deadline().value();
    return give(PrefixDeadlineReached{});
  }
  std::vector<PrefixAction> advertise(std::uint16_t identifier, const Ipv6Address& source = kAgent, bool ipsec = true) {
    return give(PrefixAdvertisementReceived{{.identifier = identifier}, source, ipsec});
  }
};

// The identifier of the only solicitation among `actions`.
std::uint16_t solicited(const std::vector<PrefixAction>& actions) {
  REQUIRE(actions.size() == 1);
  const auto& sent = std::get<SendPrefixSolicitation>(actions[0]);
  CHECK(sent.home_agent == kAgent);
  return sent.solicitation.identifier;
}

bool learned(const std::vector<PrefixAction>& actions) {
  return actions.size() == 1 && std::holds_alternative<PrefixesLearned>(actions[0]);
}

}  // namespace

TEST_CASE("prefixes are asked for as soon as a home agent serves the node", "[prefixes]") {
  Solicitor node;
  CHECK(node.give(PrefixesWanted{}).empty());
  CHECK(solicited(node.give(AgentServes{kAgent})) == 7);
  CHECK(node.core.next_deadline() == node.now + 3s);
}

TEST_CASE("an unanswered solicitation is repeated with a new identifier, ever more slowly, and given up",
          "[prefixes]") {
  Solicitor node;
  node.give(AgentServes{kAgent});
  std::uint16_t identifier = solicited(node.give(PrefixesWanted{}));
  std::vector<Duration> waits;
  for (;;) {
    const auto before = node.now;
    const auto actions = node.next();
    waits.push_back(node.now - before);
    if (actions.empty()) break;
    CHECK(solicited(actions) == ++identifier);
  }
  CHECK(waits == std::vector<Duration>{3s, 6s, 12s, 24s, 32s});
  CHECK_FALSE(node.core.next_deadline());
  CHECK(solicited(node.give(PrefixesWanted{})) == ++identifier);
}

TEST_CASE("the answer to the last solicitation counts, and only once", "[prefixes]") {
  Solicitor node;
  node.give(AgentServes{kAgent});
  const auto first = solicited(node.give(PrefixesWanted{}));
  const auto second = solicited(node.next());
  CHECK(node.advertise(first).empty());
  CHECK(learned(node.advertise(second)));
  CHECK_FALSE(node.core.next_deadline());
  CHECK_FALSE(learned(node.advertise(second)));
  CHECK(node.core.ignored() == 2);
}

TEST_CASE("an advertisement from another host or without IPsec is dropped in silence", "[prefixes]") {
  Solicitor node;
  CHECK(node.advertise(0).empty());  // no home agent at all has accepted us yet
  node.give(AgentServes{kAgent});
  const auto identifier = solicited(node.give(PrefixesWanted{}));
  CHECK(node.advertise(identifier, kOther).empty());
  CHECK(node.advertise(identifier, kAgent, false).empty());
  CHECK(node.core.ignored() == 3);
  CHECK(learned(node.advertise(identifier)));
}

TEST_CASE("an advertisement that nobody asked for is discarded and brings a solicitation, not too often",
          "[prefixes]") {
  Solicitor node;
  node.give(AgentServes{kAgent});
  const auto identifier = solicited(node.advertise(1234));
  CHECK(node.advertise(1235).empty());  // one is under way
  CHECK(learned(node.advertise(identifier)));
  CHECK(node.advertise(1236).empty());
  node.now += 10s;
  solicited(node.advertise(1237));
}

TEST_CASE("without a home agent that serves the node nothing is sent; later it is asked for again", "[prefixes]") {
  Solicitor node;
  node.give(AgentServes{kAgent});
  const auto identifier = solicited(node.give(PrefixesWanted{}));
  CHECK(node.give(AgentServesNot{}).empty());
  CHECK_FALSE(node.core.next_deadline());
  node.now += 1h;
  CHECK(node.give(PrefixDeadlineReached{}).empty());
  CHECK(solicited(node.give(AgentServes{kAgent})) != identifier);
}
