// A mobile node: the cores as the daemon composes them, a kernel, a disk, a charon, and a body that is carried around.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <variant>
#include <vector>

#include "ike-glue/node_keying.hpp"
#include "libmip6/node/link_health.hpp"
#include "libmip6/node/mobile_node.hpp"
#include "tests/simulation/disk.hpp"
#include "tests/simulation/host.hpp"

namespace mip6::simulation {

struct Peer {  // a home agent as the node knows it
  Ipv6Address address;
  std::uint32_t reqid = 0;
};

class MobileHost final : public Host {
 public:
  MobileHost(Surroundings around, int index, std::vector<Peer> peers);

  const Ipv6Address& home_address() const { return home_address_; }
  const node::MobileNode* core() const { return core_ ? &*core_ : nullptr; }
  const std::vector<Peer>& peers() const { return peers_; }
  NodeLedger& ledger() { return ledger_; }
  int link() const { return link_; }      // that it uses; -1: nowhere
  int wanted() const { return wanted_; }  // the better of those in reach
  Attachment attachment_at(int link) const;
  bool asleep() const { return asleep_; }
  bool runs() const { return process_runs(); }
  bool stops() const { return process_runs() && stopping_; }
  // On the home link, with the home address on the interface: it answers who asks for the address there.
  bool defends_home_address() const;
  bool is_registered_here() const;  // by what its core says
  SequenceNumber first_unused() const { return disk_state_ ? disk_state_->first_unused : SequenceNumber{}; }
  // From here on no time without a binding is in order, or it is again.
  void must_stay_registered(bool must) { must_stay_ = must; }

  // --- what happens to it ---
  void start_process();
  void crash_process();
  void cut_power();
  void lose_state();
  // Nobody knows what was used under the present ones, or half the numbers are: only new ones help.
  bool needs_keys() const;
  std::uint64_t key_losses() const { return key_losses_; }  // times that keys went without others
  void set_manual_keys(std::vector<EspState> states);       // new ones; takes effect when the process starts
  void move_to(int link, bool soft);                        // no other link is in reach any more
  void reach(int link);           // from now on this one, too; what it uses is better as long as it works
  void router_lives(bool lives);  // of the better one: what Neighbor Unreachability Detection has found
  void detach();
  void sleep();
  void wake(int link);
  void refresh();
  void stop();  // SIGTERM
  // --- what its user asks of mip6ctl; what is not to be done now is refused ---
  void pause();
  void go_home();  // de-registers, and stays so
  void resume();
  void change_credentials();  // a reload; both ends agree on what it brings
  // While the process was down it used up so many numbers under its present keys; gives the number that is next.
  std::optional<SequenceNumber> use_up_numbers(std::uint16_t count, const Peer& peer);

 private:
  class Dice : public Random {
   public:
    explicit Dice(World& world) : world_{world} {}
    std::uint32_t draw() override { return static_cast<std::uint32_t>(world_.chance.draw()); }

   private:
    World& world_;
  };
  using Event = std::variant<node::MobileEvent, ike::NodeKeyingEvent>;

  // --- what the daemon does: cores and their queue ---
  void feed(node::MobileEvent event);
  void feed(ike::NodeKeyingEvent event);
  void drain();
  template <class Action>
  void perform_all(const std::vector<Action>& actions);
  void on(const node::UseAttachment& action);
  void on(const node::SendUpdate& action);
  void on(const node::StopOutbound& action);
  void on(const node::ReserveSequence& action);
  void on(const node::NeedKeys& action);
  void on(const node::MoveOwnKeys& action);
  void on(const node::MoveKeys& action);
  void on(const node::RenewKeys& action);
  void on(const node::Registered& action);
  void on(const node::Trouble& action);
  void on(const node::Unanswered& action);
  void on(const node::UseHomeAgent& action);
  void on(const node::SendDiscoveryRequest& action);
  void on(const node::SendPrefixSolicitation& action);
  void on(const node::Stopped& action);
  void on(const ike::Request& action);
  void on(const ike::FollowLog& action);
  void on(const ike::KeysUp& action);
  void on(const ike::KeysDown& action);
  void on(const ike::MoveOwnEndpoint& action);
  void on(const ike::DeleteStatesExcept& action);
  void on(const ike::Stopped& action);
  template <class Other>
  void on(const Other&) {}
  void start_registration();
  void forget_registration();
  ike::Credentials credentials() const;
  void start_keying();
  bool keys_are_of(const Ipv6Address& home_agent) const;
  void tell_settled();
  bool move_key_endpoint(const Ipv6Address& local);
  const Peer* peer() const;  // the present home agent, if it is one of ours

  // --- of Host ---
  void answered(ike::Answered answer) override;
  void charon_told(ike::CharonEvent event) override;
  void charon_came() override;
  void charon_went() override;
  bool has_address(const Ipv6Address& address) const override;
  std::optional<BootTime> next_deadline() const override;
  void deadline_reached() override;

  // --- packets, moves ---
  void receive(const Packet& packet);
  void receive_mobility(const Packet& packet);
  void receive_icmp(const Packet& packet);
  bool opens(const Packet& packet);
  void choose_link();
  Candidate candidate_at(int link) const;
  void take_address(const Ipv6Address& address);
  void drop_address(const Ipv6Address& address);
  void drop_all_addresses();
  void tell_keys(bool fresh);

  int index_;
  Ipv6Address home_address_;
  std::vector<Peer> peers_;
  Dice dice_;

  // the body and the kernel
  int link_ = -1;
  int wanted_ = -1;
  std::optional<int> spare_;  // in reach beside that one
  bool wanted_router_lives_ = true;
  bool asleep_ = false;
  bool told_settled_ = true;  // to the keying core
  std::set<Ipv6Address> addresses_;
  std::uint64_t moves_ = 0;
  std::uint64_t key_losses_ = 0;
  std::optional<Attachment> receives_at_;  // what UseAttachment made of the kernel

  // the disk
  std::optional<SequenceState> disk_state_;
  std::optional<SequenceState> begins_with_;  // next time, after its state was lost; empty: the first time
  Disk<SequenceState> disk_;
  std::vector<EspState> manual_states_;
  bool manual_keys_unused_ = true;

  // what the user wants, until the machine starts anew
  std::optional<int> paused_on_;
  bool deregistered_ = false;

  // the process
  std::optional<node::MobileNode> core_;
  node::LinkHealth link_health_;
  Ipv6Address agent_;  // the home agent as UseHomeAgent said it last; the core may be ahead by some actions
  std::unique_ptr<ike::NodeKeying> keying_;
  std::optional<Peer> keyed_;   // the home agent that keying_ is for
  bool keying_leaves_ = false;  // with the registration, and not with its home agent
  bool charon_connected_ = false;
  bool follows_log_ = false;
  std::optional<Ipv6Address> keys_wanted_from_;  // until the former keying is gone
  std::deque<Event> pending_;
  bool draining_ = false;
  bool stopping_ = false;
  bool forget_core_ = false;  // once its actions are performed

  NodeLedger ledger_;
  bool must_stay_ = false;
};

}  // namespace mip6::simulation
