// The home agents of the home link, as their router advertisements tell, and the answer to who looks for one: dynamic
// home agent address discovery (RFC 6275 sections 10.1 and 10.5.1) as a core without I/O. One for each link.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "libmip6/address.hpp"
#include "libmip6/agent/home_agent_events.hpp"
#include "libmip6/random.hpp"
#include "libmip6/time.hpp"
#include "libmip6/wire/agent_discovery.hpp"
#include "libmip6/wire/router_advertisement.hpp"

namespace mip6::agent {

// Anybody on the home link can advertise itself: so many other agents are listed, with so many addresses each. What
// comes beyond that is ignored.
inline constexpr std::size_t kMaxListedAgents = 64;
inline constexpr std::size_t kMaxListedAddresses = 16;
// A reply must fit into the minimum MTU of IPv6, 1280 octets, together with the headers of IPv6 and ICMPv6.
inline constexpr std::size_t kMaxReplyAddresses = (1280 - 40 - 8) / 16;

struct DiscoveryPolicy {
  Ipv6Address link_local{};              // ours on this link: our own advertisements are not listed
  std::vector<Ipv6Address> addresses{};  // ours, global, on this link; the first is the source of replies
  std::uint16_t preference = 0;          // ours, as in our advertisements (section 8.4); more is better
};

// The caller has checked what RFC 4861 section 6.1.2 asks of the packet: hop limit 255 and the checksum.
struct RouterAdvertisementReceived {
  RouterAdvertisement advertisement{};
  Ipv6Address source{};
};
// To be passed on only if it was sent to the Mobile IPv6 Home-Agents anycast address of a prefix of this link.
struct DiscoveryRequestReceived {
  HomeAgentAddressDiscoveryRequest request{};
  Ipv6Address source{};
};
using DiscoveryEvent = std::variant<RouterAdvertisementReceived, DiscoveryRequestReceived, DeadlineReached>;

struct SendDiscoveryReply {
  HomeAgentAddressDiscoveryReply reply{};
  Ipv6Address source{};
  Ipv6Address destination{};
};
using DiscoveryAction = std::variant<SendDiscoveryReply>;

class HomeAgentsList {
 public:
  struct Agent {
    std::uint16_t preference = 0;
    BootTime until{};                             // of the entry
    std::map<Ipv6Address, BootTime> addresses{};  // global ones, each until its prefix is valid no longer
  };

  // `random` shuffles what is equally preferable; it must outlive this.
  HomeAgentsList(const DiscoveryPolicy& policy, Random& random);

  std::vector<DiscoveryAction> handle(const DiscoveryEvent& event, BootTime now);  // `now` never goes back
  std::optional<BootTime> next_deadline() const;                                   // empty: nothing to wait for

  const std::map<Ipv6Address, Agent>& agents() const { return agents_; }  // the others, by link-local address

 private:
  using Actions = std::vector<DiscoveryAction>;

  void on(const RouterAdvertisementReceived& event, BootTime now, Actions& out);
  void on(const DiscoveryRequestReceived& event, BootTime now, Actions& out);
  void on(const DeadlineReached& event, BootTime now, Actions& out);
  void learn_addresses(Agent& agent, const RouterAdvertisement& advertisement, BootTime now) const;
  std::vector<Ipv6Address> by_preference();
  void shuffle(auto& values);

  DiscoveryPolicy policy_;
  Random& random_;
  std::map<Ipv6Address, Agent> agents_;
};

}  // namespace mip6::agent
