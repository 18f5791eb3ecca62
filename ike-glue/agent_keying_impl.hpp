// The inside of AgentKeying. Included by its five sources only: agent_keying.cpp (events), agent_peers.cpp (nodes that
// come and go), agent_refusals.cpp (attempts that fail, and why), agent_upkeep.cpp (loading, listing, dropping,
// stopping) and agent_children.cpp (the CHILD_SAs beside the Mobility Header's).
#pragma once

#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ike-glue/agent_keying.hpp"
#include "ike-glue/charon.hpp"
#include "ike-glue/departed.hpp"
#include "ike-glue/patience.hpp"
#include "ike-glue/reasons.hpp"

namespace ike {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct AgentKeying::Impl {
  using Actions = std::vector<AgentKeyingAction>;

  enum class Purpose {  // of a request under way
    kCertificate,
    kSecret,
    kConnection,
    kAdopt,
    kConnections,
    kMissing,
    kDismissed,      // the list of a dismissed node's IKE_SAs
    kDismissedLoad,  // what was being loaded for it
    kVerify,
    kStopList,
    kStopConnections,
    kStopAuthorities,
    kStopKey,
    kStopStep,
    kWhatever,  // the answer changes nothing
  };

  struct SpiPair {
    std::uint32_t in = 0;
    std::uint32_t out = 0;
  };
  struct Sa {  // an IKE_SA of a node
    bool child_up = false;
    bool announced = true;     // to the caller; not yet if found in a list
    bool superseded = false;   // to be dropped when the node uses a newer one
    bool used = false;         // the node has it: our IKE_AUTH response has arrived there
    bool left_behind = false;  // the node uses a newer one
    bool endpoint_told = true;
    std::uint32_t spi_in = 0;
    std::uint32_t spi_out = 0;
    std::optional<mip6::Ipv6Address> remote;
    std::optional<mip6::BootTime> drop_at;
    bool drop_asked = false;  // once already
    bool why_told = false;    // why it was given no security association
    std::map<ChildKind, SpiPair> further = {};
  };
  static constexpr seconds kChildlessPatience{30};
  // The node closes its old connection itself; ours would only be further packets. Its DELETE takes a round trip.
  static constexpr seconds kLeaveItToTheNode{1};
  static constexpr seconds kHandOverPatience{3};  // while the node gets the rest of its SAs
  // Where no newer one is up: longer than charon takes to give up on a peer that does not answer (165 s).
  static constexpr seconds kReplacePatience{180};
  // Where one is, which the node is not known to use: it waits 14 s for our IKE_AUTH response, and begins anew after up
  // to 32 s.
  static constexpr seconds kUnusedPatience{60};

  struct Verification {
    mip6::Ipv6Address care_of;
    mip6::BootTime at;
    bool told = false;  // that it was there already
    int lists_left = 2;
    std::uint64_t request = 0;  // under way if not 0
  };

  struct Node {
    std::uint64_t number = 0;  // counts upwards in the order of `nodes`
    AgentKeyingNode configured;
    std::string name;  // of connection and secret
    std::map<std::uint64_t, Sa> sas;
    bool keys = false;     // told to the caller
    bool orphans = false;  // a charon before this one may have left ESP states
    std::optional<mip6::BootTime> delete_orphans_at{};
    std::optional<mip6::BootTime> loaded_again;
    std::unique_ptr<Verification> verification;              // seldom there
    std::optional<mip6::Ipv6Address> moved_to{};             // where the kernel has moved the present IKE_SA, if it has
    std::optional<mip6::Ipv6Address> replace_when_listed{};  // those that run from elsewhere
  };

  // An attempt of a peer to establish IKE, by charon's uniqueid, until it is known how it ends.
  struct Attempt {
    std::string from;  // as charon's log says
    std::string to;
    std::string name;       // of the connection that charon chose, if it did
    std::string remote_id;  // what the peer claims to be
    std::optional<Reason> reason;
    std::string line;                       // of the log, as it is told
    std::optional<mip6::BootTime> tell_at;  // it failed; the log's reason may come a little later
    bool too_early = false;                 // ours were not all loaded yet: charon could not know better
  };

  struct Pending {
    Purpose purpose = Purpose::kWhatever;
    Node* node = nullptr;
    std::string name = {};  // of a connection whose node is not there any more
  };

  explicit Impl(AgentKeyingPolicy chosen);

  // agent_keying.cpp
  void on(const CharonConnected& event, mip6::BootTime now);
  void on(const CharonDisconnected& event, mip6::BootTime now);
  void on(const Answered& event, mip6::BootTime now);
  void on(const CharonEvent& event, mip6::BootTime now);
  void on(const PeerEndpointMoved& event, mip6::BootTime now);
  void on(const PeerReplaceAsked& event, mip6::BootTime now);
  void on(const PeerKeysUsed& event, mip6::BootTime now);
  void replace(Node& node, const std::optional<mip6::Ipv6Address>& care_of, mip6::BootTime now);
  void on(const PeerServed& event, mip6::BootTime now);
  void on(const PeerDismissed& event, mip6::BootTime now);
  void on(const PeersBanned& event, mip6::BootTime now);
  void on(const StopAsked& event, mip6::BootTime now);
  void on(const DeadlineReached&, mip6::BootTime) {}
  void ike_updown(const Section& message, mip6::BootTime now);
  void child_updown(const Section& message, mip6::BootTime now);
  void hand_over(Node& node, const IkeSa& sa);
  void ike_rekey(const Section& message, mip6::BootTime now);
  void child_rekey(const Section& message);

  // agent_peers.cpp
  void add(const AgentKeyingNode& configured);
  void end_listed(const Answered& answer, const std::string& name);
  void end_at_once(std::uint64_t uniqueid);
  bool is_ended(const IkeSa& sa, bool up);
  Trouble words_on_nobody(const std::string& from) const;
  const BannedPeer* banned_as(const Attempt& attempt) const;

  // agent_refusals.cpp
  void attempt_log(const Section& message, std::int64_t unix_time, mip6::BootTime now);
  void attempt_failed(const IkeSa& sa, mip6::BootTime now);
  Node* node_of(const Attempt& attempt);
  Attempt& attempt_of(std::uint64_t uniqueid);
  void tell_refusals(mip6::BootTime now);
  void tell(const Attempt& attempt, mip6::BootTime now);
  void load_again(Node& node, mip6::BootTime now);
  void look_for_missing(mip6::BootTime now);
  void load_missing(const Answered& answer);
  void advance(mip6::BootTime now);
  static bool waits(const Node& node);
  std::optional<mip6::BootTime> next_deadline() const;

  // agent_upkeep.cpp
  void load_certificate();
  void load_next();
  void load_connection(Node& node);
  void loaded(const Answered& answer, const Pending& asked);
  void list_for_adoption();
  void adopt(const Answered& answer, mip6::BootTime now);
  void adopt_one(Node& node, const IkeSa& sa, mip6::BootTime now);
  void forget_connections(const Answered& answer, Purpose purpose);
  void keys_up(Node& node, const IkeSa& sa, mip6::BootTime now);
  static void drop_by(Sa& sa, mip6::BootTime latest);
  void node_uses(Node& node, std::uint64_t uniqueid, mip6::BootTime now);
  void tell_endpoint(const Node& node, Sa& sa);
  void tell_endpoint_of_only(Node& node);
  static void keep(Sa& sa);
  static void drop_third(Node& node, std::uint64_t uniqueid, mip6::BootTime now);
  void announce_adopted(Node& node, mip6::BootTime now);
  void delete_orphans_soon(Node& node, mip6::BootTime now);
  void delete_orphans(Node& node);
  static std::vector<std::uint32_t> live_spis(const Node& node);
  void gone(Node& node, std::uint64_t uniqueid);
  void childless(const Node& node, std::uint64_t uniqueid, const Sa& sa);
  void drop_due(mip6::BootTime now);
  void verify(Node& node, mip6::BootTime now);
  void verified(Node& node, const Answered& answer);
  void withdraw_credentials();
  void stop_authorities(const Answered& answer);
  void stop_key(const Answered& answer);
  void stop_listed(const Answered& answer);
  void finish_stop(mip6::BootTime now);

  // agent_children.cpp
  std::vector<Child> further_of(const Node& node) const;
  bool further_updown(Node& node, const Section& message, mip6::BootTime now);
  void further_up(Node& node, const Child& child, const IkeSa& ike, const ChildSa& sa, mip6::BootTime now);
  void further_down(Node& node, ChildKind kind, std::uint64_t uniqueid, std::uint32_t spi_in);
  void further_rekeyed(Node& node, const Section& message);
  void tell_further(const Node& node, ChildKind kind);
  void adopt_further(Node& node, const Section& item);
  void further_gone(const Node& node, const Sa& gone);
  void terminate_narrowed(std::uint64_t id);

  // everywhere
  bool is_listing() const;
  std::uint64_t request(Purpose purpose, Node* node, std::string command, Section message, std::string stream = {});
  void terminate(Purpose purpose, std::uint64_t uniqueid, bool force);
  Node* node_of_name(const std::string& name);
  Node* node_of_address(const mip6::Ipv6Address& home_address);
  Node* may_wait(Node& node);
  void trouble(Trouble value) { out.emplace_back(std::move(value)); }
  void step(std::string what) { out.emplace_back(ike::Step{std::move(what)}); }

  AgentKeyingPolicy policy;
  std::list<Node> nodes;                                // others point into it
  std::unordered_map<std::string_view, Node*> by_name;  // of the connection
  std::unordered_map<mip6::Ipv6Address, Node*> by_address;
  // Those that wait for a time, and those that the present event is about, which may begin to, in the order of `nodes`:
  // only these are looked at, of very many.
  std::map<std::uint64_t, Node*> waiting;
  std::uint64_t last_number = 0;
  std::set<std::string> leaving;       // names of connections whose IKE_SAs are being listed, to be ended
  std::set<std::uint64_t> ended;       // IKE_SAs of dismissed nodes, until charon tells that they are down
  std::set<std::string> secrets_left;  // of nodes that were dismissed while charon was away
  std::vector<BannedPeer> banned;
  Actions out;
  std::map<std::uint64_t, Attempt> attempts;
  std::map<std::string, mip6::BootTime> told;  // refusals, lately
  std::optional<mip6::BootTime> looked_for_missing;

  bool connected = false;
  bool listed = false;  // since CharonConnected
  std::optional<mip6::BootTime> list_again_at;
  std::uint64_t next_id = 1;
  std::map<std::uint64_t, Pending> pending;
  Departed departed;
  std::optional<Credentials> by_certificate;  // of a node that proves itself by certificate: ours is the same for all
  std::deque<CredentialRequest> certificate_loads;  // before all nodes; the first is being loaded
  std::deque<Node*> to_load;                        // the first is being loaded
  bool loading = false;

  std::optional<mip6::BootTime> stop_deadline;
  mip6::BootTime stop_force_at;
  std::vector<std::uint64_t> stop_waits_for;  // IKE_SAs that were asked to go
  bool stopped = false;
};

}  // namespace ike
