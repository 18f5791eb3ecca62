// The inside of NodeKeying: what it believes of charon, and its steps. Included by its four sources only:
// node_keying.cpp (events), node_establish.cpp (one attempt to establish), node_upkeep.cpp (adopt, verify, retire,
// stop), node_children.cpp (the CHILD_SAs beside the Mobility Header's).
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ike-glue/charon.hpp"
#include "ike-glue/departed.hpp"
#include "ike-glue/node_keying.hpp"
#include "ike-glue/patience.hpp"
#include "ike-glue/reasons.hpp"

namespace ike {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct NodeKeying::Impl {
  using Actions = std::vector<NodeKeyingAction>;

  enum class Purpose {  // of a request under way
    kAdopt,
    kConnections,
    kSecret,
    kConnection,
    kInitiate,
    kCheck,
    kVerify,
    kChild,
    kStopList,
    kStopConnections,
    kStopAuthorities,
    kStopKey,
    kStopStep,
    kWhatever,  // the answer changes nothing
  };

  struct Current {  // the IKE_SA in use
    std::string name;
    std::uint64_t uniqueid = 0;
    mip6::Ipv6Address local;
    std::optional<mip6::Ipv6Address> moved_to;  // on our side alone, to be closed from there
    std::uint32_t spi_in = 0;
    std::uint32_t spi_out = 0;
    bool doomed = false;    // charon is closing it by itself; its keys still work for a while
    bool migrated = false;  // K was agreed at the last move
    bool found = false;     // in charon: the home agent may have its end elsewhere
    mip6::BootTime child_rekey_at = {};
    mip6::BootTime ike_rekey_at = {};
  };

  struct Wish {  // where IKE is to run from, and does not yet
    mip6::Ipv6Address local;
    bool replace = false;  // also if keys are up
    bool hard = false;     // the address of the present IKE_SA is gone
    bool anew = false;     // also if the present IKE_SA runs from there
  };

  struct Attempt {
    enum class Step { kMovingOwn, kSecret, kConnection, kInitiate, kWaiting, kChecking };
    std::string name;
    Wish wish;
    Step step = Step::kSecret;
    mip6::BootTime deadline;
    mip6::BootTime move_deadline = {};  // of kMovingOwn
    std::uint64_t request = 0;          // the one under way
    std::size_t loaded = 0;             // of `loads`
    bool ike_up = false;
    std::optional<Trouble> failure = {};  // what the log said
  };

  struct Leaving {  // asked to go; by force when the guard passes
    std::uint64_t uniqueid = 0;
    mip6::BootTime guard;
  };

  struct Verification {  // charon was told through the kernel that the endpoint is now `local`
    mip6::Ipv6Address local;
    mip6::Ipv6Address before;
    mip6::BootTime at;
    bool told = false;  // that it was there already
    int lists_left = 2;
    std::uint64_t request = 0;  // under way if not 0
  };

  struct Further {  // a CHILD_SA beside the Mobility Header's
    Child child;
    bool wanted = true;
    mip6::Duration backoff{};
    std::uint64_t ike = 0;  // IKE_SA that it is up in; 0: in none
    std::uint32_t spi_in = 0;
    std::uint32_t spi_out = 0;
    mip6::BootTime rekey_at = {};
    std::optional<mip6::BootTime> try_at = {};
    std::optional<mip6::BootTime> deadline = {};  // of the attempt under way
    std::uint64_t request = 0;                    // of the same
  };

  struct Former {  // an IKE_SA that has been replaced, and is kept until the new one has all of `further` that it has
    std::string name;
    std::uint64_t uniqueid = 0;
    mip6::BootTime until;
  };

  explicit Impl(NodeKeyingPolicy chosen);

  // node_keying.cpp
  void on(const CharonConnected& event, mip6::BootTime now);
  void on(const CharonDisconnected& event, mip6::BootTime now);
  void on(const Answered& event, mip6::BootTime now);
  void on(const CharonEvent& event, mip6::BootTime now);
  void on(const Attached& event, mip6::BootTime now);
  void on(const EstablishAsked& event, mip6::BootTime now);
  void on(const EndpointMoved& event, mip6::BootTime now);
  void on(const ReestablishAsked& event, mip6::BootTime now);
  void on(const OwnEndpointMoved& event, mip6::BootTime now);
  void on(const Settled& event, mip6::BootTime now);
  void on(const ChildAsked& event, mip6::BootTime now);
  void on(const CredentialsChanged& event, mip6::BootTime now);
  void on(const StopAsked& event, mip6::BootTime now);
  void on(const DeadlineReached&, mip6::BootTime) {}
  void ike_updown(const Section& message, mip6::BootTime now);
  void child_updown(const Section& message, mip6::BootTime now);
  void ike_rekey(const Section& message, mip6::BootTime now);
  void child_rekey(const Section& message, mip6::BootTime now);
  void advance(mip6::BootTime now);
  std::optional<mip6::BootTime> next_deadline() const;

  // node_establish.cpp
  void wish_for(Wish wished);
  void replacement_asked(mip6::BootTime now);
  mip6::BootTime wish_opens() const;
  Wish from_here(Wish wished) const;
  void begin_attempt(mip6::BootTime now);
  void load_secret();
  void load_connection();
  void attempt_answered(Purpose purpose, const Answered& answer, mip6::BootTime now);
  void attempt_log(const Section& message, std::int64_t unix_time, mip6::BootTime now);
  Trouble words(Reason reason, std::int64_t unix_time = 0) const;
  void check_attempt(mip6::BootTime now);
  void established(const IkeSa& sa, mip6::BootTime now);
  void attempt_failed(const std::vector<IkeSa>& left, Trouble trouble, mip6::BootTime now);
  void abandon_attempt();
  Trouble silent_or_refused(const std::vector<IkeSa>& left) const;
  void delay_next(mip6::BootTime now);

  // node_upkeep.cpp
  void forget_charon();
  void list_for_adoption();
  void adopt(const Answered& answer, mip6::BootTime now);
  void forget_connections(const Answered& answer, Purpose purpose);
  void take_over(const IkeSa& sa, bool fresh, mip6::BootTime now);
  void lost_current(mip6::BootTime now, std::string_view how, Closing closing = Closing::kUnknown);
  void doom_current(mip6::BootTime now);
  void current_log(const Section& message, std::string_view line);
  void retire(const IkeSa& sa, mip6::BootTime now);
  void force_leaving(mip6::BootTime now);
  bool may_rekey() const;
  void rekey_if_due(mip6::BootTime now);
  std::optional<mip6::BootTime> next_rekey() const;
  mip6::Duration spread(std::chrono::seconds interval) const;
  bool wants_log(mip6::BootTime now) const;
  void follow_log_until(mip6::BootTime until);
  void follow_log_if_due(mip6::BootTime now);
  std::optional<mip6::BootTime> log_changes_at() const;
  void verify(mip6::BootTime now);
  void verified(const Answered& answer, mip6::BootTime now);
  void migration_refused(const mip6::Ipv6Address& local, Trouble trouble);
  void withdraw_credentials();
  void stop_authorities(const Answered& answer);
  void stop_key(const Answered& answer);
  void stop_listed(const Answered& answer, mip6::BootTime now);
  void finish_stop(mip6::BootTime now);

  // node_children.cpp
  static std::vector<Further> further_of(const NodeKeyingPolicy& policy);
  void bring_up_further(mip6::BootTime now);
  void adopt_further(const Answered& answer, mip6::BootTime now);
  bool further_updown(const Section& message, const IkeSa& sa, mip6::BootTime now);
  void further_up(Further& one, const ChildSa& sa, mip6::BootTime now);
  void further_down(Further& one, mip6::BootTime now);
  void further_failed(Further& one, std::string_view why, mip6::BootTime now);
  void further_rekeyed(const Section& message, mip6::BootTime now);
  void further_answered(const Answered& answer, mip6::BootTime now);
  void further_log(std::string_view line, mip6::BootTime now);
  void advance_further(mip6::BootTime now);
  bool may_bring_up() const;
  std::optional<mip6::BootTime> next_of_further() const;
  void lose_further(bool told);
  bool has_further(std::uint64_t uniqueid) const;
  bool is_bringing_up() const;
  void further_renumbered(std::uint64_t before, std::uint64_t uniqueid);
  void hand_over(const Current& old, mip6::BootTime now);
  void let_former_go(mip6::BootTime now, bool at_once = false);
  void former_gone();
  void forget_former_states();

  // everywhere
  std::uint64_t request(Purpose purpose, std::string command, Section message, std::string stream = {});
  std::uint64_t request_slow(Purpose purpose, std::string command, Section message);
  std::uint64_t list_sas(Purpose purpose);
  bool is_listing() const;
  void unload(const std::string& name, Purpose purpose = Purpose::kWhatever);
  bool is_ours(std::string_view name) const;
  std::uint64_t number_of(std::string_view name) const;  // of a name that is ours
  void skip_name(std::string_view name);
  std::vector<IkeSa> ours(const Answered& answer) const;  // all of a listing that are ours and still there
  bool is_leaving(std::uint64_t uniqueid) const;
  bool wants_fresh_keys() const;
  bool runs_from(const mip6::Ipv6Address& local) const;  // both ends of the present IKE_SA, for all that is known
  void trouble(Trouble value) { out.emplace_back(std::move(value)); }
  void step(std::string what) { out.emplace_back(ike::Step{std::move(what)}); }

  NodeKeyingPolicy policy;
  std::string prefix;  // of the names of our connections: one name per attempt
  std::string secret_id;
  std::vector<CredentialRequest> loads;
  Actions out;

  bool connected = false;
  bool adopted = false;  // since CharonConnected
  std::optional<mip6::BootTime> adopt_again_at;
  bool keys = false;  // told to the caller
  bool migration_failed = false;
  std::optional<mip6::BootTime> unsettled_at;
  bool follows_log = false;
  std::optional<mip6::BootTime> log_until;
  std::uint64_t next_id = 1;
  std::uint64_t next_name = 1;
  std::map<std::uint64_t, Purpose> pending;
  Departed departed;

  std::optional<Current> current;
  std::optional<Attempt> attempt;
  std::optional<Wish> wish;
  std::optional<mip6::Ipv6Address> last_local;
  std::optional<mip6::BootTime> retry_at;
  std::array<std::optional<mip6::BootTime>, 2> replacements_asked;  // by moves; the last but one, the last
  mip6::BootTime calm_at;   // until then present keys are not replaced because of a move
  mip6::BootTime began_at;  // the last attempt
  mip6::Duration backoff;
  std::vector<Leaving> leaving;
  std::vector<Further> further;
  std::optional<Former> former;
  std::optional<Verification> verification;

  std::optional<mip6::BootTime> stop_deadline;
  mip6::BootTime stop_force_at;
  bool stopped = false;
};

}  // namespace ike
