// Mobile Prefix Advertisements: the home link's prefixes, told to the mobile nodes that are away (RFC 6275 sections 6.8
// and 10.6) as a core without I/O. One for each home agent, beside its HomeAgent.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <variant>
#include <vector>

#include "libmip6/address.hpp"
#include "libmip6/agent/authorisation.hpp"
#include "libmip6/agent/deadlines.hpp"
#include "libmip6/agent/home_agent_events.hpp"
#include "libmip6/random.hpp"
#include "libmip6/time.hpp"
#include "libmip6/wire/prefix_discovery.hpp"

namespace mip6::agent {

inline constexpr Duration kPrefixAdvTimeout = std::chrono::seconds{3};  // PREFIX_ADV_TIMEOUT
inline constexpr int kPrefixAdvRetries = 3;                             // PREFIX_ADV_RETRIES: retransmissions
// Section 6.8: not more than one in this time to any node.
inline constexpr Duration kPrefixAdvPause = std::chrono::seconds{1};

struct PrefixAdvertiserPolicy {
  Ipv6Address address{};         // our own, the source; as HomeAgent's
  HomePrefixes home_prefixes{};  // at the start; as HomeAgent's
  // Section 13. The unsolicited ones come at random between the two.
  Lifetime max_interval{86400};  // MaxMobPfxAdvInterval
  Lifetime min_interval{600};    // MinMobPfxAdvInterval
  bool enabled = true;           // false: none is sent, solicited or not (section 8.4)
  // M and O: set if a router of the home link sets them, and only where mobile nodes are served by DHCPv6.
  bool managed = false;
  bool other = false;
};

// A Mobile Prefix Solicitation that came protected as an update must be, and with a home address option.
struct PrefixSolicitationReceived {
  MobilePrefixSolicitation solicitation{};
  Ipv6Address home_address{};  // from the home address option
  Ipv6Address source{};        // on the wire: the care-of address
};
// HomeAgent has accepted a registration: with each InstallBinding. Tells also of renewals.
struct BindingInstalled {
  Ipv6Address home_address{};
  Ipv6Address care_of{};
};
struct BindingRemoved {  // with each RemoveBinding
  Ipv6Address home_address{};
};
using PrefixEvent =
    std::variant<PrefixSolicitationReceived, BindingInstalled, BindingRemoved, HomePrefixesChanged, DeadlineReached>;

// To be protected as acknowledgements are; with a type 2 routing header that holds the home address.
struct SendPrefixAdvertisement {
  MobilePrefixAdvertisement advertisement{};
  Ipv6Address source{};
  Ipv6Address home_address{};
  Ipv6Address care_of{};  // destination on the wire
};
using PrefixAction = std::variant<SendPrefixAdvertisement>;

class PrefixAdvertiser {
 public:
  // `authorisation` is asked who may solicit; it and `random` must outlive this.
  PrefixAdvertiser(const PrefixAdvertiserPolicy& policy, const Authorisation& authorisation, Random& random);

  std::vector<PrefixAction> handle(const PrefixEvent& event, BootTime now);  // `now` never goes back
  std::optional<BootTime> next_deadline() const;                             // empty: nothing to wait for
  // Nodes of which anything is remembered: never more than were served.
  std::size_t remembered() const { return nodes_.size(); }

 private:
  using Actions = std::vector<PrefixAction>;

  struct Solicited {  // an answer that waits for the end of the pause
    std::uint16_t identifier = 0;
    Ipv6Address source{};
  };
  enum class Phase : std::uint8_t {
    kQuiet,           // nothing to tell; the next one is due because the last one is long ago
    kScheduled,       // something to tell, at a random time
    kUnacknowledged,  // told, and told again until the node solicits
    kGivenUp,         // told often enough; begins again with the next registration
  };
  struct Node {
    Deadline deadline;
    Ipv6Address home_address{};
    std::optional<Ipv6Address> care_of;  // empty: no binding, nothing unsolicited
    std::optional<BootTime> last_sent;
    std::optional<Solicited> solicited;
    BootTime unsolicited_at = kForever;  // when the next one leaves by itself
    Phase phase = Phase::kQuiet;
    std::uint8_t retransmissions = 0;
  };

  void on(const PrefixSolicitationReceived& event, BootTime now, Actions& out);
  void on(const BindingInstalled& event, BootTime now, Actions& out);
  void on(const BindingRemoved& event, BootTime now, Actions& out);
  void on(const HomePrefixesChanged& event, BootTime now, Actions& out);
  void on(const DeadlineReached& event, BootTime now, Actions& out);

  void schedule(Node& node, BootTime now);
  void rest(Node& node, Phase phase, BootTime now);
  void send_unsolicited(Node& node, BootTime now, Actions& out);
  void send(Node& node, std::uint16_t identifier, const Ipv6Address& care_of, BootTime now, Actions& out);
  Duration random_delay(const Node& node, BootTime now);
  static void set_due(Node& node);

  PrefixAdvertiserPolicy policy_;
  const Authorisation& authorisation_;
  Random& random_;
  std::unordered_map<Ipv6Address, Node> nodes_;  // by home address
  Deadlines<Node, &Node::deadline> deadlines_;
};

}  // namespace mip6::agent
