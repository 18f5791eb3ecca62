// Dynamic home agent address discovery by the mobile node (RFC 6275 section 11.4.1), as a core without I/O: who on the
// home link serves as a home agent?
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "libmip6/address.hpp"
#include "libmip6/random.hpp"
#include "libmip6/time.hpp"
#include "libmip6/wire/agent_discovery.hpp"

namespace mip6::node {

inline constexpr Duration kInitialDhaadTimeout = std::chrono::seconds{3};
inline constexpr int kDhaadRetries = 4;
inline constexpr std::size_t kMaxHomeAgents = 16;  // kept of a reply, which nothing protects

// The Mobile IPv6 Home-Agents anycast address of a subnet (RFC 2526: anycast identifier 126). The prefix is at most 121
// bits long.
Ipv6Address home_agents_anycast(const Ipv6Prefix& subnet);

// --- events ---
struct DiscoveryAsked {  // from this care-of address; begins anew
  Ipv6Address source;
};
struct DiscoveryCancelled {};  // nobody waits for it any more
struct AgentDiscoveryReplyReceived {
  HomeAgentAddressDiscoveryReply reply;
  Ipv6Address source;
};
struct DiscoveryDeadlineReached {};  // early or late is harmless
using DiscoveryEvent =
    std::variant<DiscoveryAsked, DiscoveryCancelled, AgentDiscoveryReplyReceived, DiscoveryDeadlineReached>;

// --- actions ---
struct SendDiscoveryRequest {
  HomeAgentAddressDiscoveryRequest request;
  Ipv6Address source;
  Ipv6Address destination;  // an anycast address
};
struct HomeAgentsFound {
  std::vector<Ipv6Address> home_agents;  // the most preferable first, each once, unicast; never empty
};
struct DiscoveryFailed {};  // nobody answered
using DiscoveryAction = std::variant<SendDiscoveryRequest, HomeAgentsFound, DiscoveryFailed>;

class HomeAgentDiscovery {
 public:
  HomeAgentDiscovery(const Ipv6Prefix& home_prefix, Random& random);  // `random` outlives this

  std::vector<DiscoveryAction> handle(const DiscoveryEvent& event, BootTime now);
  std::optional<BootTime> next_deadline() const;  // empty: nothing to wait for
  bool running() const { return request_.has_value(); }

 private:
  struct Request {
    std::uint16_t identifier = 0;
    Ipv6Address source;
    Duration timeout{};
    BootTime ends;
    int retries = 0;
  };
  SendDiscoveryRequest send() const;
  std::vector<DiscoveryAction> on_reply(const AgentDiscoveryReplyReceived& event);
  std::vector<DiscoveryAction> on_deadline(BootTime now);

  Ipv6Address destination_;
  Random* random_;
  std::optional<Request> request_;
};

}  // namespace mip6::node
