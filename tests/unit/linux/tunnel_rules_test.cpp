// The node's rules among those of others, as the kernel would have them: a list kept in the order of priority, then
// age.
#include "mnd/linux/tunnel_rules.hpp"

#include <netinet/in.h>

#include <algorithm>

#include "mnd/linux/kernel.hpp"
#include "tests/catch.hpp"
#include "tests/unit/linux/golden.hpp"

using namespace mnd::kernel;
using golden::address;

namespace {

const auto kHome = address("2001:db8:1::42");
const auto kAgent = address("2001:db8:1::1");

DumpedRule of_others(std::uint32_t priority) {
  DumpedRule rule;
  rule.rule.priority = priority;
  return rule;
}

struct Rules {
  std::vector<DumpedRule> all{of_others(0), of_others(32766)};

  void add(const DumpedRule& added) {
    const auto behind = [&](const DumpedRule& one) { return one.rule.priority > added.rule.priority; };
    all.insert(std::ranges::find_if(all, behind), added);
  }
  void foreign(std::uint32_t priority) { add(of_others(priority)); }
  void remove(const Rule& rule) {
    std::erase_if(all, [&](const DumpedRule& one) { return one.ours && one.rule == rule; });
  }
  RuleChanges apply() {
    auto changes = rule_changes(all, kHome, kAgent);
    for (const auto& message : changes.out_of_order) remove(parse_rule(message)->rule);
    for (const auto& message : changes.added) add(*parse_rule(message));
    for (const auto& message : changes.former) remove(parse_rule(message)->rule);
    return changes;
  }
  std::vector<Rule> ours() const {
    std::vector<Rule> found;
    for (const auto& one : all)
      if (one.ours) found.push_back(one.rule);
    return found;
  }
  bool right() const { return ours() == wanted_rules(all, kHome, kAgent); }
};

}  // namespace

TEST_CASE("rules are added once, and come before those of others but those of priority 0", "[tunnel]") {
  Rules rules;
  rules.foreign(220);
  rules.foreign(0);
  rules.apply();
  REQUIRE(rules.ours().size() == 6);
  CHECK(rules.right());
  CHECK(rules.ours()[0].protocol == IPPROTO_TCP);
  CHECK(rules.ours()[0].priority == 218);
  CHECK(rules.ours()[1].priority == 219);
  CHECK(rules.ours()[2].destination == kAgent);
  const auto again = rules.apply();
  CHECK(again.out_of_order.empty());
  CHECK(again.added.empty());
  CHECK(again.former.empty());
}

TEST_CASE("rules go before those of a VPN that comes, and back when it goes", "[tunnel]") {
  Rules rules;
  rules.apply();
  CHECK(rules.ours()[1].priority == kRulePriority);
  rules.foreign(kRulePriority - 2);
  rules.foreign(kRulePriority - 3);
  rules.apply();
  CHECK(rules.right());
  CHECK(rules.ours()[1].priority == kRulePriority - 4);
  std::erase_if(rules.all, [](const auto& one) { return !one.ours && one.rule.priority == kRulePriority - 3; });
  std::erase_if(rules.all, [](const auto& one) { return !one.ours && one.rule.priority == kRulePriority - 2; });
  rules.apply();
  CHECK(rules.right());
  CHECK(rules.ours()[1].priority == kRulePriority);
}

TEST_CASE("whichever rule somebody removed is back in its place, and those from before are gone", "[tunnel]") {
  Rules rules;
  rules.apply();
  const auto all = rules.ours();
  for (const Rule& lost : all) {
    rules.remove(lost);
    rules.apply();
    CHECK(rules.ours() == all);
  }
  Rule former = all[1];
  former.source = address("2001:db8:1::41");
  rules.add({.rule = former, .ours = true});
  rules.apply();
  CHECK(rules.ours() == all);
}

TEST_CASE("packets from the home address are never without their rule", "[tunnel]") {
  Rules rules;
  rules.apply();
  rules.foreign(100);
  const auto changes = rule_changes(rules.all, kHome, kAgent);
  for (const auto& message : changes.out_of_order) CHECK(parse_rule(message)->rule != rules.ours()[1]);
  REQUIRE(changes.former.size() == 3);  // after the new ones are there
}
