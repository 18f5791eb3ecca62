// Mobile prefix discovery by the mobile node (RFC 6275 sections 11.4.2, 11.4.3 and 11.8), as a core without I/O: which
// prefixes does the home link have, and for how long?
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "libmip6/address.hpp"
#include "libmip6/random.hpp"
#include "libmip6/time.hpp"
#include "libmip6/wire/prefix_discovery.hpp"

namespace mip6::node {

inline constexpr Duration kInitialSolicitTimer = std::chrono::seconds{3};
inline constexpr Duration kMaxSolicitTimer = std::chrono::seconds{32};  // MAX_BINDACK_TIMEOUT (section 11.8)
// Advertisements that nobody asked for bring no more solicitations than this.
inline constexpr Duration kUnsolicitedInterval = std::chrono::seconds{10};

// --- events ---
struct PrefixesWanted {};  // status 1, or a prefix is about to become invalid
struct AgentServes {       // a registration away from home was accepted: solicitations can be answered
  Ipv6Address home_agent;
};
struct AgentServesNot {};             // no binding, or at home; what is wanted waits
struct PrefixAdvertisementReceived {  // by a type 2 routing header; without one the caller has to drop it
  MobilePrefixAdvertisement advertisement;
  Ipv6Address source;
  bool protected_by_ipsec = false;
};
struct PrefixDeadlineReached {};  // early or late is harmless
using PrefixEvent =
    std::variant<PrefixesWanted, AgentServes, AgentServesNot, PrefixAdvertisementReceived, PrefixDeadlineReached>;

// --- actions ---
struct SendPrefixSolicitation {  // with the home address option, protected by ESP
  MobilePrefixSolicitation solicitation;
  Ipv6Address home_agent;
};
struct PrefixesLearned {  // to be taken as if from a router on the home link
  MobilePrefixAdvertisement advertisement;
};
using PrefixAction = std::variant<SendPrefixSolicitation, PrefixesLearned>;

class PrefixDiscovery {
 public:
  explicit PrefixDiscovery(Random& random);  // which outlives this

  std::vector<PrefixAction> handle(const PrefixEvent& event, BootTime now);
  std::optional<BootTime> next_deadline() const;      // empty: nothing to wait for
  std::uint64_t ignored() const { return ignored_; }  // advertisements that were discarded

 private:
  struct Solicitation {
    std::uint16_t identifier = 0;
    Duration timeout{};
    BootTime ends;
  };
  std::vector<PrefixAction> on_advertisement(const PrefixAdvertisementReceived& event, BootTime now);
  std::vector<PrefixAction> solicit_if_wanted(BootTime now);
  SendPrefixSolicitation send(Duration timeout, BootTime now);

  Random* random_;
  std::optional<Ipv6Address> home_agent_;  // the one that accepted a registration last
  bool serves_ = false;
  bool wanted_ = false;
  std::optional<Solicitation> outstanding_;
  BootTime unsolicited_heeded_at_;  // not before
  std::uint64_t ignored_ = 0;
};

}  // namespace mip6::node
