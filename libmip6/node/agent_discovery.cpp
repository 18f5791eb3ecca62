// Dynamic home agent address discovery by the mobile node: a request, its repetitions, and the reply to it.
#include "libmip6/node/agent_discovery.hpp"

#include <algorithm>

namespace mip6::node {

// RFC 2526 section 2: the last seven bits are the anycast identifier; all others of the interface identifier are ones,
// but for the universal/local bit where interface identifiers are EUI-64.
Ipv6Address home_agents_anycast(const Ipv6Prefix& subnet) {
  constexpr std::uint8_t kUniversalLocal = 0x02;
  constexpr std::uint8_t kHomeAgents = 126;
  Ipv6Address address;
  for (std::size_t bit = 0; bit < 128; ++bit) {
    const auto mask = static_cast<std::uint8_t>(0x80 >> (bit % 8));
    const auto of_subnet = static_cast<std::uint8_t>(subnet.address.bytes[bit / 8] & mask);
    address.bytes[bit / 8] |= bit < subnet.length ? of_subnet : mask;
  }
  if (subnet.length == 64) address.bytes[8] &= static_cast<std::uint8_t>(~kUniversalLocal);
  address.bytes[15] = static_cast<std::uint8_t>((address.bytes[15] & 0x80) | kHomeAgents);
  return address;
}

HomeAgentDiscovery::HomeAgentDiscovery(const Ipv6Prefix& home_prefix, Random& random)
    : destination_{home_agents_anycast(home_prefix)}, random_{&random} {}

std::optional<BootTime> HomeAgentDiscovery::next_deadline() const {
  return request_ ? std::optional{request_->ends} : std::nullopt;
}

std::vector<DiscoveryAction> HomeAgentDiscovery::handle(const DiscoveryEvent& event, BootTime now) {
  if (const auto* asked = std::get_if<DiscoveryAsked>(&event)) {
    request_ = Request{.identifier = static_cast<std::uint16_t>(random_->draw()),
                       .source = asked->source,
                       .timeout = kInitialDhaadTimeout,
                       .ends = now + kInitialDhaadTimeout};
    return {send()};
  }
  if (std::holds_alternative<DiscoveryCancelled>(event)) request_.reset();
  if (const auto* reply = std::get_if<AgentDiscoveryReplyReceived>(&event)) return on_reply(*reply);
  return on_deadline(now);
}

SendDiscoveryRequest HomeAgentDiscovery::send() const {
  return {HomeAgentAddressDiscoveryRequest{request_->identifier}, request_->source, destination_};
}

// Nothing protects a reply. Whoever forges one makes us try home agents that cannot authenticate themselves.
std::vector<DiscoveryAction> HomeAgentDiscovery::on_reply(const AgentDiscoveryReplyReceived& event) {
  if (!request_ || event.reply.identifier != request_->identifier) return {};
  HomeAgentsFound found;
  for (const auto& agent : event.reply.home_agents) {
    if (found.home_agents.size() == kMaxHomeAgents) break;
    const bool known = std::ranges::find(found.home_agents, agent) != found.home_agents.end();
    if (agent.is_global_unicast() && agent != destination_ && !known) found.home_agents.push_back(agent);
  }
  if (found.home_agents.empty()) return {};
  request_.reset();
  return {std::move(found)};
}

// RFC 6275 section 11.4.1: the same request again, each time after twice the time.
std::vector<DiscoveryAction> HomeAgentDiscovery::on_deadline(BootTime now) {
  if (!request_ || now < request_->ends) return {};
  if (request_->retries == kDhaadRetries) {
    request_.reset();
    return {DiscoveryFailed{}};
  }
  ++request_->retries;
  request_->timeout *= 2;
  request_->ends = now + request_->timeout;
  return {send()};
}

}  // namespace mip6::node
