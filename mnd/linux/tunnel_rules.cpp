#include "mnd/linux/tunnel_rules.hpp"

#include <netinet/in.h>

#include <algorithm>

#include "mnd/linux/kernel.hpp"

namespace mnd::kernel {

// Rules without a priority of their own, which a VPN's are, come before all others but those of priority 0, which stay
// what they are: the order among others' is theirs.
std::vector<Rule> wanted_rules(const std::vector<DumpedRule>& present, const mip6::Ipv6Address& home_address,
                               const mip6::Ipv6Address& home_agent) {
  std::uint32_t first = kRulePriority;
  for (const DumpedRule& one : present)
    if (!one.ours && one.rule.priority > 2) first = std::min(first, one.rule.priority - 1);
  Rule from_home;
  from_home.priority = first;
  from_home.table = kHomeTable;
  from_home.source = home_address;
  Rule tcp_from_home = from_home;
  tcp_from_home.priority = first - 1;
  tcp_from_home.table = kTcpTable;
  tcp_from_home.protocol = IPPROTO_TCP;
  Rule to_agent;
  to_agent.priority = first;
  to_agent.destination = home_agent;
  Rule specific;
  specific.priority = kNewConnectionPriority;
  specific.no_default = true;
  Rule without_source = from_home;
  Rule tcp_without_source = tcp_from_home;
  without_source.priority = tcp_without_source.priority = kNewConnectionPriority;
  without_source.chooses_source = tcp_without_source.chooses_source = true;
  return {tcp_from_home, from_home, to_agent, specific, tcp_without_source, without_source};
}

RuleChanges rule_changes(const std::vector<DumpedRule>& present, const mip6::Ipv6Address& home_address,
                         const mip6::Ipv6Address& home_agent) {
  const auto wanted = wanted_rules(present, home_address, home_agent);
  std::vector<Rule> ours;
  for (const DumpedRule& one : present)
    if (one.ours) ours.push_back(one.rule);
  RuleChanges changes;
  if (ours == wanted) return changes;
  // Of equal priority the older one comes first, so all are made anew but that one which never goes before there is
  // another: without it packets from the home address would leave by the main table.
  for (const Rule& rule : wanted) {
    const bool stays = rule.source == home_address && rule.protocol == 0 && !rule.chooses_source;
    if (!stays && std::ranges::find(ours, rule) != ours.end()) changes.out_of_order.push_back(delete_rule(rule));
    if (!stays || std::ranges::find(ours, rule) == ours.end()) changes.added.push_back(add_rule(rule));
  }
  for (const Rule& rule : ours)
    if (std::ranges::find(wanted, rule) == wanted.end()) changes.former.push_back(delete_rule(rule));
  return changes;
}

}  // namespace mnd::kernel
