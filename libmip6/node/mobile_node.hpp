// The whole mobile node as one core without I/O: home registration, the choice among home agents with their discovery,
// and mobile prefix discovery (RFC 6275 sections 11.4, 11.5, 11.7 and 11.8).
#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "libmip6/node/agent_discovery.hpp"
#include "libmip6/node/home_registration.hpp"
#include "libmip6/node/prefix_discovery.hpp"
#include "libmip6/random.hpp"

namespace mip6::node {

namespace detail {
template <class Variant, class... More>
struct extended;
template <class... Present, class... More>
struct extended<std::variant<Present...>, More...> {
  using type = std::variant<Present..., More...>;
};
}  // namespace detail

// --- events: those of the registration, and ---
// Our own key management answers, or not: without it no home agent can give keys, the present one is not to blame. It
// counts as reachable until this is told.
struct KeyManagementReachable {
  bool reachable = true;
};
using MobileEvent = detail::extended<Event, AgentDiscoveryReplyReceived, PrefixesWanted, PrefixAdvertisementReceived,
                                     KeyManagementReachable>::type;

// --- actions: those of the registration, and ---
// From now on this home agent; comes before anything that is meant for it. What was set up with a former one (policies,
// keys, tunnel, the payload's way) is taken down by whoever performs this, before the keys with the new one come: those
// are asked for by NeedKeys, and are fresh. News of the former one's keys must not be told any more.
struct UseHomeAgent {
  Ipv6Address home_agent;
};
// From now on this home address, formed from a prefix that the home agent advertised; a key for it exists. As with
// another home agent, everything is set up anew.
struct UseHomeAddress {
  Ipv6Address home_address;
  Ipv6Prefix prefix;
};
// PrefixesLearned is for the user: what follows from it for the registration has been decided.
using MobileAction = detail::extended<Action, UseHomeAgent, SendDiscoveryRequest, SendPrefixSolicitation,
                                      PrefixesLearned, UseHomeAddress>::type;

struct MobileNodePolicy {
  Policy registration;  // its home_agent is not used
  Ipv6Prefix home_prefix;
  std::vector<Ipv6Address> home_agents;  // configured, most preferred first
  bool discover = false;                 // ask the home link when none of them answers, or none is configured
  // Those for which a key or certificate exists: no other home address is ever used.
  std::vector<Ipv6Address> keyed_home_addresses;
};

class MobileNode {
 public:
  // `random` outlives this. `stored` as for HomeRegistration; the numbers go on over a change of the home agent.
  MobileNode(MobileNodePolicy policy, const SequenceState& stored, Random& random);

  std::vector<MobileAction> handle(const MobileEvent& event, BootTime now);  // `now` never goes back
  std::optional<BootTime> next_deadline() const;                             // empty: nothing to wait for

  // Of the updates from now on, with whatever home agent; neither is zero. RefreshAsked has them in effect at once.
  void set_times(Lifetime lifetime, Duration first_timeout);

  // With the present home agent; told nothing as long as none is known.
  const HomeRegistration& registration() const { return registration_; }
  // The home agent does not answer where the node is attached: what Unanswered has told, as long as it is so.
  bool unanswered() const { return registration_.unanswered() || keys_unanswered_; }
  Ipv6Address home_agent() const { return policy_.registration.home_agent; }  // unspecified: none is known yet
  Ipv6Address home_address() const { return policy_.registration.home_address; }

 private:
  struct HomePrefix {  // one that mobile prefix discovery has told, with a home address in it that we have keys for
    Ipv6Prefix prefix;
    Ipv6Address home_address;
    std::optional<BootTime> valid_until;  // empty: for ever
    std::optional<BootTime> solicit_at;   // it is about to become invalid
  };
  struct Change {  // to candidate `agent`, or to discovery where none is known
    BootTime at;
    std::size_t agent = 0;
  };

  // mobile_node.cpp: events, and what the registration decides
  void on(const Event& event);
  void tell(const Event& event);
  bool follow(const Action& action);
  void start_anew();
  void do_what_is_due();

  // choice.cpp: which home agent, which home address
  bool on_failure(std::optional<Status> status);
  bool next_agent();
  void next_round();
  void change_agent();
  void use_agent(std::size_t agent);
  void discover();
  void perform(const std::vector<DiscoveryAction>& actions);
  void wait_for_keys();
  void stop_waiting_for_keys();
  bool has_choice() const { return policy_.discover || agents_.size() > 1; }
  void perform(const std::vector<PrefixAction>& actions);
  void learn(const MobilePrefixAdvertisement& advertisement);
  void learn(const PrefixInformation& information);
  void solicit_before_the_end();
  bool use_known_address();
  bool leave_ended_address();
  HomePrefix* prefix_of(const Ipv6Address& home_address);

  bool waits_for_keys() const;
  std::optional<BootTime> keys_given_up_at() const;
  bool away() const { return attachment_ && !attachment_->at_home; }
  bool knows_agent() const { return !agents_.empty(); }

  MobileNodePolicy policy_;
  Random* random_;
  std::vector<Ipv6Address> agents_;  // candidates: the configured ones, then those found
  std::size_t agent_ = 0;            // of them, the present one
  HomeRegistration registration_;
  HomeAgentDiscovery discovery_;
  PrefixDiscovery prefixes_;
  std::optional<Attachment> attachment_;
  std::optional<Change> change_;
  int failed_rounds_ = 0;                           // in a row, in which no candidate served us
  std::optional<BootTime> waiting_for_keys_since_;  // at this attachment, with this home agent
  bool keys_unanswered_ = false;                    // for kLinkKeyPatience
  bool key_management_reachable_ = true;
  BootTime last_update_at_ = BootTime::min();
  std::vector<HomePrefix> known_;     // at most one for each home address with keys
  std::vector<Ipv6Address> refused_;  // home addresses that another host has, each once
  bool started_ = false;
  bool served_ = false;
  bool stopping_ = false;

  // While an event is handled:
  BootTime now_;
  std::vector<MobileAction> actions_;
};

}  // namespace mip6::node
