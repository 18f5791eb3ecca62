// See home_agents_list.hpp.
#include "libmip6/agent/home_agents_list.hpp"

#include <algorithm>
#include <utility>

namespace mip6::agent {
namespace {

BootTime end_of(Lifetime lifetime, BootTime now) { return lifetime >= kInfiniteLifetime ? kForever : now + lifetime; }

}  // namespace

HomeAgentsList::HomeAgentsList(const DiscoveryPolicy& policy, Random& random) : policy_{policy}, random_{random} {}

std::vector<DiscoveryAction> HomeAgentsList::handle(const DiscoveryEvent& event, BootTime now) {
  Actions out;
  // What has ended is gone before anything is answered from the list.
  on(DeadlineReached{}, now, out);
  if (!std::holds_alternative<DeadlineReached>(event)) std::visit([&](const auto& e) { on(e, now, out); }, event);
  return out;
}

std::optional<BootTime> HomeAgentsList::next_deadline() const {
  BootTime next = kForever;
  for (const auto& [link_local, agent] : agents_) {
    next = std::min(next, agent.until);
    for (const auto& [address, until] : agent.addresses) next = std::min(next, until);
  }
  if (next == kForever) return std::nullopt;
  return next;
}

// Section 10.5.1, in its order.
void HomeAgentsList::on(const RouterAdvertisementReceived& event, BootTime now, Actions&) {
  if (!event.source.is_link_local() || event.source == policy_.link_local) return;
  const auto& advertisement = event.advertisement;
  if (!advertisement.home_agent) {
    agents_.erase(event.source);
    return;
  }
  const HomeAgentInformation information = advertisement.home_agent_information.value_or(
      HomeAgentInformation{.preference = 0, .lifetime = advertisement.router_lifetime});
  if (information.lifetime <= Lifetime{0}) {
    agents_.erase(event.source);
    return;
  }
  if (!agents_.contains(event.source) && agents_.size() >= kMaxListedAgents) return;
  Agent& agent = agents_[event.source];
  agent.preference = information.preference;
  agent.until = now + information.lifetime;
  learn_addresses(agent, advertisement, now);
}

void HomeAgentsList::learn_addresses(Agent& agent, const RouterAdvertisement& advertisement, BootTime now) const {
  for (const auto& option : advertisement.prefixes) {
    const Ipv6Address& address = option.prefix.address;
    if (!option.router_address || !address.is_global_unicast()) continue;
    if (option.valid <= Lifetime{0}) {
      agent.addresses.erase(address);
      continue;
    }
    if (!agent.addresses.contains(address) && agent.addresses.size() >= kMaxListedAddresses) continue;
    agent.addresses[address] = end_of(option.valid, now);
  }
}

void HomeAgentsList::on(const DiscoveryRequestReceived& event, BootTime, Actions& out) {
  if (!event.source.is_global_unicast() || policy_.addresses.empty()) return;
  out.push_back(SendDiscoveryReply{{.identifier = event.request.identifier, .home_agents = by_preference()},
                                   policy_.addresses.front(),
                                   event.source});
}

void HomeAgentsList::on(const DeadlineReached&, BootTime now, Actions&) {
  std::erase_if(agents_, [&](const auto& listed) { return listed.second.until <= now; });
  for (auto& [link_local, agent] : agents_)
    std::erase_if(agent.addresses, [&](const auto& address) { return address.second <= now; });
}

// Section 10.5.1: who is equally preferable stands in another order each time, and so do the addresses of one agent.
std::vector<Ipv6Address> HomeAgentsList::by_preference() {
  using Listed = std::pair<std::uint16_t, std::vector<Ipv6Address>>;
  std::vector<Listed> agents{{policy_.preference, policy_.addresses}};
  for (const auto& [link_local, agent] : agents_) {
    Listed listed{agent.preference, {}};
    for (const auto& [address, until] : agent.addresses) listed.second.push_back(address);
    agents.push_back(std::move(listed));
  }
  shuffle(agents);
  std::stable_sort(agents.begin(), agents.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<Ipv6Address> addresses;
  for (auto& [preference, of_agent] : agents) {
    shuffle(of_agent);
    addresses.insert(addresses.end(), of_agent.begin(), of_agent.end());
  }
  if (addresses.size() > kMaxReplyAddresses) addresses.resize(kMaxReplyAddresses);
  return addresses;
}

void HomeAgentsList::shuffle(auto& values) {
  for (std::size_t left = values.size(); left > 1; --left) std::swap(values[left - 1], values[random_.draw() % left]);
}

}  // namespace mip6::agent
