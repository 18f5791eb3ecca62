// Which link leads to the home agent: alone, and with the whole mobile node between several home agents and links.
#include "libmip6/node/link_health.hpp"

#include <deque>
#include <set>

#include "libmip6/node/mobile_node.hpp"
#include "tests/unit/libmip6/registration_harness.hpp"

using namespace mip6;
using namespace mip6::node;
using namespace mip6::node::test;

namespace {

const Ipv6Address kSecondAgent = address("2001:db8:1::2");

Candidate candidate(const Attachment& attachment, std::uint32_t metric) {
  Candidate result;
  result.interface = attachment.interface;
  result.interface_name = "w" + std::to_string(attachment.interface);
  result.link_up = true;
  result.address = attachment.at_home ? address("2001:db8:1::beef") : attachment.care_of;
  result.gateway = attachment.gateway;
  result.metric = metric;
  return result;
}

MovementPolicy movement() {
  MovementPolicy policy;
  policy.home_address = kHomeAddress;
  policy.home_prefix = Ipv6Prefix::parse("2001:db8:1::/64").value();
  policy.home_agent = kHomeAgent;
  return policy;
}

// kA1 is better than kA2.
struct Links {
  LinkHealth health;
  std::vector<Candidate> candidates{candidate(kA1, 1), candidate(kA2, 2)};
  BootTime now{100s};

  Attachment choose(const std::optional<Attachment>& current, bool unanswered = false) {
    return health.choose(candidates, movement(), current, unanswered, now).at(0).attachment;
  }
  // How long the silence of kA1 lasts that begins now.
  Duration silence() {
    CHECK(choose(kA1, true) == kA2);
    REQUIRE(health.next_deadline());
    const auto began = now;
    now = *health.next_deadline() - 1ns;
    CHECK(choose(kA2) == kA2);
    now += 1ns;
    CHECK(choose(kA2) == kA1);
    return now - began;
  }
};

}  // namespace

TEST_CASE("an attachment that the home agent does not answer is left for a while, longer each time another one works",
          "[link-health]") {
  Links links;
  CHECK(links.choose(std::nullopt) == kA1);
  CHECK(links.silence() == 30s);
  for (const auto expected : {60s, 120s, 240s, 480s, 600s, 600s}) {
    links.health.acknowledged(kA2);
    links.health.acknowledged(kA2);  // its refreshes count once
    CHECK(links.silence() == expected);
  }
  CHECK_FALSE(links.health.next_deadline());
  links.health.acknowledged(kA1);
  CHECK(links.silence() == 30s);
}

TEST_CASE("until another link is known to lead to the home agent no link is left longer", "[link-health]") {
  Links links;
  CHECK(links.silence() == 30s);
  CHECK(links.silence() == 30s);
}

TEST_CASE("all links are left longer where none leads to the home agent, as long as that lasts", "[link-health]") {
  Links links;
  CHECK(links.silence() == 30s);
  for (const auto expected : {60s, 120s, 240s, 480s, 600s, 600s}) {
    CHECK(links.choose(kA1, true) == kA2);
    CHECK(links.choose(kA2, true) == kA2);
    CHECK(links.choose(kA2, true) == kA2);  // it is asked again: the same round
    REQUIRE(links.health.next_deadline());
    links.now = *links.health.next_deadline();
    CHECK(links.silence() == expected);
  }
  links.health.acknowledged(kA1);
  CHECK(links.silence() == 30s);
}

TEST_CASE(
    "other addresses of the network that leads nowhere are not tried before another link, those of another network are",
    "[link-health]") {
  Links links;
  const Attachment privacy{kA1.interface, address("2001:db8:a1::9"), kA1.gateway, false};
  links.candidates.push_back(candidate(privacy, 1));
  CHECK(links.choose(kA1, true) == kA2);
  CHECK(links.choose(kA2) == kA2);
  links.candidates.erase(links.candidates.begin());
  CHECK(links.choose(kA2) == kA2);
  const Attachment renumbered{kA1.interface, address("2001:db8:a5::7"), kA1.gateway, false};
  links.candidates.push_back(candidate(renumbered, 1));
  CHECK(links.choose(kA2) == renumbered);
}

TEST_CASE("what is known of an attachment ends with it", "[link-health]") {
  Links links;
  REQUIRE(links.choose(kA1, true) == kA2);
  const auto before = links.candidates;
  SECTION("the link was down") { links.candidates[0].link_up = false; }
  SECTION("its router was another one") { links.candidates[0].gateway = address("fe80::beef"); }
  SECTION("its prefix was another one") { links.candidates[0].address = address("2001:db8:a5::7"); }
  SECTION("it had no router") { links.candidates[0].gateway.reset(); }
  SECTION("there is another home agent, or the machine has slept") { links.health.forget(); }
  links.choose(kA2);
  links.candidates = before;
  CHECK(links.choose(kA2) == kA1);
}

TEST_CASE("the only attachment is not left, nor the last one that does not fail", "[link-health]") {
  Links links;
  SECTION("the only one") { links.candidates.pop_back(); }
  SECTION("the router of the other is unreachable") { links.candidates[1].router_unreachable = true; }
  CHECK(links.choose(kA1, true) == kA1);
  CHECK_FALSE(links.health.next_deadline());
  // As soon as there is another it is tried.
  links.candidates = {candidate(kA1, 1), candidate(kA2, 2)};
  CHECK(links.choose(kA1, true) == kA2);
  CHECK(links.choose(kA2, true) == kA2);
}

TEST_CASE("a link that claims to be home and leads nowhere is left for its other address, or another link",
          "[link-health]") {
  Links links;
  const Attachment claimed{kHome.interface, kHomeAddress, kHome.gateway, true};
  links.candidates.push_back(candidate(kHome, 1));
  CHECK(links.choose(kA1) == claimed);
  auto expected = kA1;
  SECTION("another link") {}
  SECTION("another address on it") {
    expected = {kHome.interface, address("2001:db8:bad::7"), kHome.gateway, false};
    links.candidates = {candidate(kHome, 1), candidate(expected, 1)};
  }
  SECTION("another link that claims it, too: the same care-of address") {
    expected = {9, kHomeAddress, address("fe80::9"), true};
    links.candidates.push_back(candidate(expected, 9));
  }
  CHECK(links.choose(claimed, true) == expected);
  CHECK(links.choose(expected) == expected);
}

namespace {

// The mobile node and its links, as a daemon composes them; keys come at once. kA1 is better than kA2.
struct Whole {
  struct Fixed : Random {
    std::uint32_t draw() override { return 7; }
  } random;
  MobileNode core;
  Links links;
  BootTime& now = links.now;
  std::set<std::pair<std::uint32_t, Ipv6Address>> ways;      // interface and home agent: updates are answered
  std::vector<std::pair<std::uint32_t, Ipv6Address>> asked;  // by each update
  std::vector<Attached> moves;
  std::deque<MobileEvent> pending;
  bool busy = false;

  static MobileNodePolicy policy(std::vector<Ipv6Address> agents) {
    MobileNodePolicy policy;
    policy.registration.home_address = kHomeAddress;
    policy.home_prefix = movement().home_prefix;
    policy.home_agents = std::move(agents);
    return policy;
  }
  explicit Whole(std::vector<Ipv6Address> agents)
      : core{policy(std::move(agents)), {SequenceNumber{1000}, SequenceNumber{1000}}, random} {}

  void give(const MobileEvent& event) {
    pending.push_back(event);
    if (std::exchange(busy, true)) return;
    while (!pending.empty()) {
      const auto next = std::exchange(pending.front(), {});
      pending.pop_front();
      for (const auto& action : core.handle(next, now)) perform(action);
    }
    busy = false;
  }
  void perform(const MobileAction& action) {
    const auto here = core.registration().attachment();
    if (const auto* reserve = std::get_if<ReserveSequence>(&action)) give(SequenceReserved{reserve->end});
    if (const auto* need = std::get_if<NeedKeys>(&action)) give(KeysUsable{true, true, need->attachment.care_of});
    if (const auto* registered = std::get_if<Registered>(&action)) links.health.acknowledged(registered->attachment);
    if (std::holds_alternative<Unanswered>(action)) look();
    if (std::holds_alternative<UseHomeAgent>(action)) {
      links.health.forget();
      look();
    }
    const auto* sent = std::get_if<SendUpdate>(&action);
    if (!sent) return;
    asked.emplace_back(here->interface, core.home_agent());
    if (ways.contains(asked.back()))
      give(AcknowledgementReceived{{Status::kAccepted, true, sent->update.sequence, 420s, {}}});
  }
  void look() {
    const auto current = core.registration().attachment();
    const auto usable = links.health.choose(links.candidates, movement(), current, core.unanswered(), now);
    if (usable.empty() || usable[0].attachment == current) return;
    const bool soft = std::ranges::any_of(
        usable, [&](const Choice& choice) { return choice.attachment == current && !choice.failing; });
    moves.push_back({usable[0].attachment, soft});
    give(moves.back());
  }
  void wait(Duration time) {
    const auto end = now + time;
    const auto next = [&] {
      const auto a = core.next_deadline();
      const auto b = links.health.next_deadline();
      return !a ? b : !b ? a : std::min(a, b);
    };
    while (next() && *next() <= end) {
      now = std::max(now, *next());
      look();
      give(DeadlineReached{});
    }
    now = end;
  }
  // "2a 2a 3a": interface and home agent, changes only.
  std::string tried() const {
    std::string text;
    for (const auto& [interface, agent] : asked) {
      const auto one = std::to_string(interface) + (agent == kHomeAgent ? "a" : "b");
      if (text.size() < 2 || text.substr(text.size() - 2) != one) text += (text.empty() ? "" : " ") + one;
    }
    return text;
  }
};

}  // namespace

TEST_CASE("a link without way to the home agent is left within three updates, and used again when it has healed",
          "[link-health]") {
  Whole node{{kHomeAgent}};
  node.ways = {{2, kHomeAgent}, {3, kHomeAgent}};
  node.look();
  REQUIRE(node.core.registration().registered_at() == kA1);
  node.ways.erase({2, kHomeAgent});
  node.give(RefreshAsked{});
  node.wait(4s);
  CHECK(node.core.registration().registered_at() == kA2);
  REQUIRE(node.moves.size() == 2);
  CHECK_FALSE(node.moves[1].previous_usable);

  SECTION("it is tried softly, in vain, and left again") {
    node.wait(29s);
    REQUIRE(node.moves.size() == 3);
    node.wait(6s);
    REQUIRE(node.moves.size() == 3);
    node.wait(2s);
    REQUIRE(node.moves.size() == 4);
    CHECK(node.moves[2].previous_usable);
    CHECK_FALSE(node.moves[3].previous_usable);
    CHECK(node.core.registration().registered_at() == kA2);
  }
  SECTION("healed") {
    node.ways.insert({2, kHomeAgent});
    node.wait(27s);
    CHECK(node.core.registration().registered_at() == kA2);
    node.wait(3s);
    CHECK(node.core.registration().registered_at() == kA1);
    CHECK(node.moves.back().previous_usable);
    CHECK_FALSE(node.links.health.next_deadline());
  }
}

TEST_CASE("each home agent is tried by each link: neither's failure is taken for the other's", "[link-health]") {
  Whole node{{kHomeAgent, kSecondAgent}};
  SECTION("the first home agent is down") {
    node.ways = {{2, kSecondAgent}, {3, kSecondAgent}};
    node.look();
    node.wait(60s);
    CHECK(node.tried() == "2a 3a 2b");
    CHECK(node.core.registration().registered_at() == kA1);
  }
  SECTION("the better link is dead") {
    node.ways = {{3, kHomeAgent}, {3, kSecondAgent}};
    node.look();
    node.wait(20s);
    CHECK(node.tried() == "2a 3a");
    CHECK(node.core.home_agent() == kHomeAgent);
  }
  SECTION("only the second home agent, only by the other link") {
    node.ways = {{3, kSecondAgent}};
    node.look();
    node.wait(60s);
    CHECK(node.core.registration().registered_at() == kA2);
    CHECK(node.core.home_agent() == kSecondAgent);
  }
  SECTION("only the first home agent, only by the other link, after a while in which nothing worked") {
    node.look();
    node.wait(300s);
    node.ways = {{3, kHomeAgent}};
    node.wait(150s);
    CHECK(node.core.registration().registered_at() == kA2);
    CHECK(node.core.home_agent() == kHomeAgent);
  }
}

TEST_CASE("one home agent that was away for long: the links are tried in turn, and it is found by the better one",
          "[link-health]") {
  Whole node{{kHomeAgent}};
  node.look();
  node.wait(3600s);
  CHECK(node.tried().find("2a 3a 2a 3a") == 0);
  const auto before = node.asked.size();
  node.wait(3600s);
  CHECK(node.asked.size() - before <= 3 * 60);  // with one link it is two a minute
  node.ways = {{2, kHomeAgent}, {3, kHomeAgent}};
  node.wait(64s);
  CHECK(node.core.registration().registered_at());
  node.wait(600s);
  CHECK(node.core.registration().registered_at() == kA1);
}

TEST_CASE("a link that is about to go is left while it works, and is not chosen as long as there is another",
          "[link-health]") {
  Links links;
  links.health.leaves(kA1.interface, links.now);
  const auto chosen = links.health.choose(links.candidates, movement(), kA1, false, links.now);
  REQUIRE(chosen.size() == 2);
  CHECK(chosen[0].attachment == kA2);
  CHECK(chosen[0].reason == "w" + std::to_string(kA1.interface) + " is about to go");
  CHECK(chosen[1].leaving);
  CHECK_FALSE(chosen[1].failing);  // packets still come in there
  SECTION("until it is said to stay") { links.health.stays(kA1.interface); }
  SECTION("until it was down") {
    links.candidates[0].link_up = false;
    CHECK(links.choose(kA2) == kA2);
    links.candidates[0].link_up = true;
  }
  SECTION("until it had no address") {
    const auto before = links.candidates;
    links.candidates.erase(links.candidates.begin());
    CHECK(links.choose(kA2) == kA2);
    links.candidates = before;
  }
  SECTION("for a minute if nothing comes of it") {
    CHECK(links.health.next_deadline() == links.now + kLongestLeaving);
    links.now += kLongestLeaving - 1ns;
    CHECK(links.choose(kA2) == kA2);
    links.now += 1ns;
  }
  CHECK(links.choose(kA2) == kA1);
  CHECK_FALSE(links.health.next_deadline());
}

TEST_CASE("the only link is used until it goes", "[link-health]") {
  Links links;
  links.health.leaves(kA1.interface, links.now);
  links.candidates.pop_back();
  CHECK(links.choose(kA1) == kA1);
}

TEST_CASE("a link that is about to go is no other one where the home agent is silent", "[link-health]") {
  Links links;
  links.health.leaves(kA1.interface, links.now);
  CHECK(links.choose(kA2, true) == kA2);
  links.health.stays(kA1.interface);
  CHECK(links.choose(kA2) == kA1);  // kA2 was not found silent, kA1 is the better one
  links.candidates[0].metric = 3;
  CHECK(links.choose(kA2) == kA2);
}
