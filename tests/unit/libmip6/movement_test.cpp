// Which attachment wins.
#include "libmip6/node/movement.hpp"

#include "tests/catch.hpp"

using namespace mip6;

namespace {

Ipv6Address address(const char* text) { return Ipv6Address::parse(text).value(); }

MovementPolicy policy() {
  MovementPolicy result;
  result.home_address = address("2001:db8:1::42");
  result.home_prefix = Ipv6Prefix::parse("2001:db8:1::/64").value();
  result.home_agent = address("2001:db8:1::1");
  return result;
}

Candidate candidate(std::uint32_t interface, const char* name, const char* text) {
  Candidate result;
  result.interface = interface;
  result.interface_name = name;
  result.link_up = true;
  result.address = address(text);
  result.gateway = address("fe80::1");
  result.metric = 1024;
  return result;
}

std::vector<Choice> choose(const std::vector<Candidate>& candidates, const MovementPolicy& with = policy(),
                           const std::optional<Attachment>& current = std::nullopt) {
  return usable_attachments(candidates, with, current);
}

}  // namespace

TEST_CASE("an address that cannot serve is not used", "[movement]") {
  auto one = candidate(2, "w1", "2001:db8:a1::7");
  REQUIRE(choose({one}).size() == 1);
  auto with = policy();
  SECTION("link down") { one.link_up = false; }
  SECTION("no router") { one.gateway.reset(); }
  SECTION("tentative") { one.tentative = true; }
  SECTION("duplicate") { one.duplicate = true; }
  SECTION("deprecated") { one.deprecated = true; }
  SECTION("link-local") { one.address = address("fe80::7"); }
  SECTION("excluded interface") { with.exclude = {"docker*", "w?"}; }
  SECTION("the home address that we put on a device ourselves") {
    one.address = with.home_address;
    one.prefix_length = 128;
  }
  SECTION("unique local towards a global home agent") { one.address = address("fd00::7"); }
  CHECK(choose({one}, with).empty());
}

TEST_CASE("the user knows which link is home, whatever is advertised") {
  const std::vector<Candidate> both{candidate(2, "w1", "2001:db8:1::7"), candidate(3, "w2", "2001:db8:1::8")};
  auto with = policy();
  REQUIRE(choose(both, with).at(0).attachment.at_home);
  with.home = {"w2"};
  CHECK(choose(both, with).at(0).attachment.interface == 3);
  CHECK(choose({both[0]}, with).empty());
  with.home = {};
  with.not_home = {"w1"};
  CHECK(choose(both, with).at(0).attachment.interface == 3);
}

TEST_CASE("a unique local address serves a home agent that has one itself", "[movement]") {
  auto with = policy();
  with.home_agent = address("fd00:1::1");
  CHECK(choose({candidate(2, "w1", "fd00:2::7")}, with).size() == 1);
}

TEST_CASE("a pattern excludes only what it matches entirely", "[movement]") {
  auto with = policy();
  with.exclude = {"veth*x", "w", "??", "*0a"};
  CHECK(choose({candidate(2, "veth0", "2001:db8:a1::7")}, with).size() == 1);
  CHECK(choose({candidate(2, "wl1", "2001:db8:a1::7")}, with).size() == 1);
  CHECK(choose({candidate(2, "veth0x", "2001:db8:a1::7")}, with).empty());
  CHECK(choose({candidate(2, "w1", "2001:db8:a1::7")}, with).empty());
  CHECK(choose({candidate(2, "en00a", "2001:db8:a1::7")}, with).empty());
}

TEST_CASE("the home prefix on a link means home, and the care-of address is the home address", "[movement]") {
  const auto away = candidate(2, "w1", "2001:db8:a1::7");
  auto home = candidate(9, "w9", "2001:db8:1::beef");
  home.metric = 5000;
  SECTION("finished duplicate address detection") {}
  SECTION("duplicate address detection still running") { home.tentative = true; }
  SECTION("the kernel formed the home address itself") { home.address = policy().home_address; }
  auto with = policy();
  with.preference = {{"w1", 1}};
  const auto choices = choose({away, home}, with);
  REQUIRE(choices.size() == 2);
  CHECK(choices[0].attachment == Attachment{9, with.home_address, home.gateway, true});
  CHECK(choices[0].reason == "home link");
  CHECK_FALSE(choices[1].attachment.at_home);
}

TEST_CASE("a home link without a router or with an expired prefix is no home, nor a place to be away", "[movement]") {
  auto home = candidate(9, "w9", "2001:db8:1::beef");
  SECTION("no router") { home.gateway.reset(); }
  SECTION("deprecated") { home.deprecated = true; }
  CHECK(choose({home}).empty());
}

TEST_CASE("two addresses of the home prefix are one attachment", "[movement]") {
  CHECK(choose({candidate(9, "w9", "2001:db8:1::beef"), candidate(9, "w9", "2001:db8:1::cafe")}).size() == 1);
}

TEST_CASE("a stable address comes before preference by name, that before metric, that before what is in use",
          "[movement]") {
  auto first = candidate(8, "w8", "2001:db8:a8::7");
  auto second = candidate(2, "w2", "2001:db8:a2::7");
  auto with = policy();
  std::optional<Attachment> current{Attachment{2, second.address, second.gateway, false}};
  std::string reason;
  SECTION("preference") {
    with.preference = {{"eth*", 3}, {"w8", 2}, {"w*", 1}};
    reason = "preferred interface w8";
  }
  SECTION("stable address") {
    with.preference = {{"w2", 2}};
    second.temporary = true;
    second.metric = 1;
    reason = "stable address";
  }
  SECTION("metric") {
    first.metric = 600;
    reason = "lower route metric of w8";
  }
  SECTION("in use") {
    current->interface = 8;
    current->care_of = first.address;
    reason = "already in use";
  }
  const auto choices = choose({second, first}, with, current);
  REQUIRE(choices.size() == 2);
  CHECK(choices[0].attachment.care_of == first.address);
  CHECK(choices[0].reason == reason);
}

TEST_CASE("the first pattern that matches gives the preference, and one below 0 comes after all others", "[movement]") {
  auto with = policy();
  with.preference = {{"w2", -1}, {"w*", 5}};
  const auto choices = choose({candidate(2, "w2", "2001:db8:a2::7"), candidate(3, "eth0", "2001:db8:a3::7"),
                               candidate(8, "w8", "2001:db8:a8::7")},
                              with);
  REQUIRE(choices.size() == 3);
  CHECK(choices[0].attachment.interface == 8);
  CHECK(choices[1].attachment.interface == 3);
  CHECK(choices[2].attachment.interface == 2);
}

TEST_CASE("what is in use stays in use whatever order the kernel lists", "[movement]") {
  const auto a = candidate(2, "w2", "2001:db8:a2::7");
  const auto b = candidate(2, "w2", "2001:db8:a2::9");
  const Attachment in_use{2, b.address, address("fe80::99"), false};
  CHECK(choose({a, b}, policy(), in_use)[0].attachment.care_of == b.address);
  CHECK(choose({b, a}, policy(), in_use)[0].attachment.care_of == b.address);
  CHECK(choose({b, a})[0].attachment.care_of == a.address);
}

TEST_CASE("the same address on two interfaces is one attachment, the better", "[movement]") {
  auto worse = candidate(2, "w2", "2001:db8:a2::7");
  auto better = candidate(3, "w3", "2001:db8:a2::7");
  better.metric = 1;
  const auto choices = choose({worse, better});
  REQUIRE(choices.size() == 1);
  CHECK(choices[0].attachment.interface == 3);
  CHECK(choices[0].reason == "only usable address");
}

TEST_CASE("what fails comes after all that does not, and the reason says what failed", "[movement]") {
  auto preferred = candidate(2, "w1", "2001:db8:a1::7");
  auto other = candidate(3, "w2", "2001:db8:a2::7");
  auto third = candidate(4, "w3", "2001:db8:a3::7");
  auto with = policy();
  with.preference = {{"w1", 2}, {"w2", 1}};
  std::vector<Attachment> silent;
  std::string reason;
  SECTION("its router is unreachable") {
    preferred.router_unreachable = true;
    reason = "the router of w1 does not answer";
  }
  SECTION("the home agent is not heard from there") {
    silent = {{2, preferred.address, preferred.gateway, false}};
    reason = "w1 does not lead to the home agent";
  }
  SECTION("nor from another address on the same link") {
    other.interface = 2;
    other.interface_name = "w1";
    preferred.metric = 1;
    silent = {{2, preferred.address, preferred.gateway, false}};
    reason = "2001:db8:a1::7 on w1 does not lead to the home agent";
  }
  SECTION("the home link") {
    preferred.address = address("2001:db8:1::beef");
    silent = {{2, with.home_address, preferred.gateway, true}};
    reason = "the home link w1 does not lead to the home agent";
  }
  const auto choices = usable_attachments(std::vector{third, preferred, other}, with, std::nullopt, silent);
  REQUIRE(choices.size() == 3);
  CHECK(choices[0].attachment.care_of == other.address);
  CHECK(choices[0].reason == reason);
  CHECK_FALSE(choices[0].failing);
  CHECK(choices[1].attachment.care_of == third.address);
  CHECK(choices[2].attachment.interface == 2);
  CHECK(choices[2].failing);
}

TEST_CASE("if all fail the order is as without, and another router is another attachment", "[movement]") {
  auto first = candidate(2, "w1", "2001:db8:a1::7");
  auto second = candidate(3, "w2", "2001:db8:a2::7");
  second.metric = 2000;
  second.router_unreachable = true;
  const std::vector<Attachment> silent{{2, first.address, first.gateway, false}};
  CHECK(usable_attachments(std::vector{second, first}, policy(), std::nullopt, silent)[0].attachment.interface == 2);
  first.gateway = address("fe80::beef");
  CHECK_FALSE(usable_attachments(std::vector{first}, policy(), std::nullopt, silent)[0].failing);
}

TEST_CASE("each candidate is told why it is used or not, the chosen one with the reason of the choice", "[movement]") {
  auto with = policy();
  with.preference = {{"w1", 2}, {"w2", 1}};
  with.exclude = {"docker*"};
  const auto second = candidate(3, "w2", "2001:db8:a2::7");
  auto down = candidate(4, "w3", "2001:db8:a3::7");
  down.link_up = false;
  auto stuck = candidate(5, "w4", "2001:db8:a4::7");
  stuck.gateway.reset();
  const auto foreign = candidate(6, "docker0", "2001:db8:a5::7");
  auto old = candidate(2, "w1", "2001:db8:a6::7");
  old.deprecated = true;
  const auto first = candidate(2, "w1", "2001:db8:a1::7");
  const std::vector all{second, down, stuck, foreign, old, first};
  const auto verdicts = explain(all, with, std::nullopt);
  REQUIRE(verdicts.size() == all.size());
  using Use = Verdict::Use;
  const auto is = [&](std::size_t place, const Candidate& one, Use use, const char* why) {
    INFO(place << ": " << verdicts[place].why);
    CHECK(verdicts[place].candidate.address == one.address);
    CHECK(verdicts[place].use == use);
    CHECK(verdicts[place].why == why);
  };
  is(0, first, Use::kChosen, "preferred interface w1");
  CHECK(verdicts[0].why == choose(all, with).front().reason);
  is(1, second, Use::kUsable, "w1 is preferred (2, not 1)");
  is(2, down, Use::kUnusable, "the link is down");
  is(3, stuck, Use::kUnusable, "no router");
  is(4, foreign, Use::kUnusable, "the interface is excluded");
  is(5, old, Use::kUnusable, "the address is deprecated");
}

TEST_CASE("what is told of a candidate is what decides", "[movement]") {
  const auto first = candidate(2, "w1", "2001:db8:a1::7");
  const auto why = [&](const Candidate& other, const std::vector<Attachment>& silent = {}) {
    const auto verdicts = explain(std::vector{other, first}, policy(), std::nullopt, silent);
    REQUIRE(verdicts.size() == 2);
    CHECK(verdicts[0].candidate.address == first.address);
    return verdicts[1].why;
  };
  auto other = candidate(3, "w2", "2001:db8:a2::7");
  CHECK(why(other) == "as good as w1, which comes first");
  CHECK(why(other, {Attachment{3, other.address, other.gateway, false}}) == "w2 does not lead to the home agent");
  other.metric = 2000;
  CHECK(why(other) == "w1 has the lower route metric (1024, not 2000)");
  other.temporary = true;
  CHECK(why(other) == "a temporary address, w1 is not");
  other.router_unreachable = true;
  CHECK(why(other) == "the router of w2 does not answer");
  other.leaving = true;
  CHECK(why(other) == "w2 is about to go");
  CHECK(why(candidate(3, "w2", "fd00::7")) == "a unique local address, to which the home agent has no way");
  CHECK(why(candidate(3, "w2", "fe80::7")) == "not a global address");
  other = candidate(3, "w2", "2001:db8:a2::7");
  other.tentative = true;
  CHECK(why(other) == "duplicate address detection has not finished");
  other.duplicate = true;
  CHECK(why(other) == "another host has this address");
}

TEST_CASE("a node that is to stay on an interface uses no other, better or not", "[movement]") {
  auto with = policy();
  with.preference = {{"w1", 2}};
  const auto first = candidate(2, "w1", "2001:db8:a1::7");
  const auto second = candidate(3, "w2", "2001:db8:a2::7");
  with.only = "w2";
  const auto choices = choose({first, second}, with);
  REQUIRE(choices.size() == 1);
  CHECK(choices.front().attachment.care_of == second.address);
  CHECK(explain(std::vector{first, second}, with, std::nullopt)[1].why == "the node is to stay on another interface");
  CHECK(choose({first}, with).empty());
}
