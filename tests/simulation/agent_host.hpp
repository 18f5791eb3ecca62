// A home agent: the cores as mip6-ha composes them, a kernel with its policies, a disk, a charon.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "ike-glue/agent_keying.hpp"
#include "ike-glue/key_choice.hpp"
#include "libmip6/agent/home_agent.hpp"
#include "tests/simulation/disk.hpp"
#include "tests/simulation/host.hpp"

namespace mip6::simulation {

struct Served {
  Party owner;
  Ipv6Address home_address;
  std::uint32_t reqid = 0;
};

class AgentHost final : public Host {
 public:
  // Who answers for a home address on the home link, beside this one?
  using Defended = std::function<bool(const Ipv6Address& home_address, const AgentHost& but)>;
  AgentHost(Surroundings around, int index, std::vector<Served> served, Defended defended);

  const Ipv6Address& address() const { return address_; }
  const agent::HomeAgent* core() const { return core_ ? &*core_ : nullptr; }
  bool runs() const { return process_runs(); }
  // The care-of address to which it tunnels; kept by the kernel while the process is down.
  std::optional<Ipv6Address> bound(const Ipv6Address& home_address) const;
  bool key_mobility() const { return key_mobility_; }
  void must_keep(const Ipv6Address& home_address) { must_keep_.insert(home_address); }
  void need_keep_none() { must_keep_.clear(); }
  const Served* served(const Ipv6Address& home_address) const;
  // It has restored a binding whose end it cannot know, because its wall clock had been set since; the node learns of
  // that at the next refresh only.
  bool misdates(const Ipv6Address& home_address) const { return misdated_.contains(home_address); }
  // The kernel refused the last move of the node's IKE endpoint, and nothing has replaced it since.
  bool move_refused(const Ipv6Address& home_address) const { return refused_moves_.contains(home_address); }

  // --- what happens to it ---
  void start_process();
  void crash_process();
  void cut_power();
  void return_power();
  void set_key_mobility(bool agreed) { key_mobility_ = agreed; }  // takes effect when the process starts
  void set_manual_keys(const Ipv6Address& home_address, std::vector<EspState> states);
  // While the process was down it accepted numbers up to this one.
  void accepted_up_to(const Ipv6Address& home_address, SequenceNumber last);

 private:
  using Event = std::variant<agent::Event, ike::AgentKeyingEvent>;

  void feed(agent::Event event);
  void feed(ike::AgentKeyingEvent event);
  void drain();
  void handle(const agent::Event& event);
  template <class Action>
  void perform_all(const std::vector<Action>& actions) {
    for (const auto& action : actions) std::visit([this](const auto& one) { this->on(one); }, action);
  }
  void on(const agent::StartDad& action);
  void on(const agent::StoreRecord& action);
  void on(const agent::InstallBinding& action);
  void on(const agent::RemoveBinding& action);
  void on(const agent::SendAcknowledgement& action);
  void on(const agent::SendBindingError& action);
  void on(const agent::MoveKeys& action);
  void on(const agent::ReplaceKeys& action);
  void on(const ike::Request& action);
  void on(const ike::PeerKeysUp& action);
  void on(const ike::PeerEstablished& action);
  void on(const ike::PeerKeysChanged& action) { choose_keys(action.home_address); }
  void on(const ike::PeerKeysDown& action);
  void on(const ike::NotePeerStates& action);
  void on(const ike::DeletePeerStatesExcept& action);
  void on(const ike::PeerMoveAgain& action);
  void on(const ike::PeerMoveFailed& action);
  void on(const ike::PeerRefused&) {}
  template <class Other>
  void on(const Other&) {}
  EspState* state_towards(const Ipv6Address& home_address, const Served& served);
  void check_promise(const agent::SendAcknowledgement& action);
  void check_states();
  void check_memory();

  void answered(ike::Answered answer) override;
  void charon_told(ike::CharonEvent event) override;
  void charon_came() override;
  void charon_went() override;
  bool has_address(const Ipv6Address& address) const override { return powered_ && address == address_; }
  std::optional<BootTime> next_deadline() const override;
  void deadline_reached() override;

  void take_address();
  void receive(const Packet& packet);
  void receive_mobility(const Packet& packet);
  bool opens(const Packet& packet, const Ipv6Address& inner_source);
  void choose_keys(const Ipv6Address& home_address);
  void start_cores();

  Ipv6Address address_;
  std::map<Ipv6Address, Served> served_;
  Defended defended_;
  agent::ServedNodes authorisation_;
  bool powered_ = true;
  bool key_mobility_ = true;
  std::map<Ipv6Address, std::vector<EspState>> manual_states_;

  std::map<Ipv6Address, agent::BindingRecord> records_;  // on the disk
  Disk<agent::BindingRecord> disk_;
  std::map<Ipv6Address, Ipv6Address> bound_;  // in the kernel

  std::optional<agent::HomeAgent> core_;
  std::unique_ptr<ike::AgentKeying> keying_;
  bool charon_connected_ = false;
  std::deque<Event> pending_;
  bool draining_ = false;

  std::set<Ipv6Address> refused_moves_;
  std::map<Ipv6Address, std::set<std::uint32_t>> noted_states_;  // SPIs
  struct Keys {
    std::vector<ike::KeyPair> pairs;  // oldest first
    std::uint32_t told_used = 0;      // inbound SPI, as PeerKeysUsed told last
  };
  std::map<Ipv6Address, Keys> keys_;
  std::map<Ipv6Address, std::uint32_t> sent_under_;  // outbound SPI that the kernel's policy names
  AgentLedger ledger_;
  std::set<Ipv6Address> must_keep_;
  std::set<Ipv6Address> misdated_;
};

}  // namespace mip6::simulation
