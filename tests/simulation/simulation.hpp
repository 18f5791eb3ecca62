// One mobile node and one home agent, their disks, the network between them, and the rules that must hold whatever
// happens.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libmip6/agent/home_agent.hpp"
#include "libmip6/node/home_registration.hpp"
#include "tests/simulation/world.hpp"

namespace mip6::simulation {

class Simulation {
 public:
  Simulation(std::uint64_t seed, bool trace);

  // First anything may fail and nothing wrong may happen, then the faults stop and everything must come right. Gives
  // the time that took; throws Violation.
  Duration run();
  BootTime now() const { return now_; }
  const Faults& faults() const { return drawn_; }

 private:
  // The driver: what happens to the two.
  void run_until(BootTime end);
  void happen();
  void attach(const Attachment& attachment, bool soft);
  void start_node();
  void crash_node();
  void start_agent();
  void crash_agent();
  bool settled() const;

  // The node and what it asks of its surroundings.
  void give_node(const node::Event& event);
  void perform(const node::Action& action);
  void send_update(const BindingUpdate& update);
  void store_reservation(SequenceNumber end);
  void establish_keys(const Attachment& attachment);
  void check_registered(const node::Registered& registered) const;
  // An event for the node in a while, unless it has crashed by then.
  void node_later(Duration wait, node::Event event);

  // The home agent and what it asks of its surroundings.
  void give_agent(const agent::Event& event);
  void perform(const agent::Action& action);
  void acknowledge(const agent::SendAcknowledgement& send);
  void store_record(const agent::BindingRecord& record);
  void commit_oldest_record();
  void agent_later(Duration wait, agent::Event event);

  void transmit(std::function<void()> deliver);
  void trace(const std::string& what) const;
  std::int64_t unix_time() const { return 1700000000 + (now_ - BootTime{}) / 1s; }

  Random random_;
  Faults drawn_;
  Faults faults_;
  bool trace_;
  BootTime now_{1000s};
  Agenda agenda_;

  std::unique_ptr<node::HomeRegistration> node_;
  int node_life_ = 0;
  std::optional<Attachment> place_;        // where the node is, whether it runs or not
  std::optional<Attachment> receives_at_;  // what UseAttachment made of the kernel
  bool stopped_ = false;
  SequenceNumber durable_end_;
  std::optional<SequenceNumber> reservation_in_flight_;

  std::unique_ptr<agent::HomeAgent> agent_;
  int agent_life_ = 0;
  std::map<Ipv6Address, agent::BindingRecord> durable_records_;
  std::deque<agent::BindingRecord> records_in_flight_;

  // What the checkers remember across crashes.
  std::map<std::uint16_t, std::size_t> sent_order_;                      // of each number
  std::map<std::uint16_t, std::optional<Ipv6Address>> durable_care_of_;  // under each number
  std::optional<std::size_t> last_accepted_;                             // order of the update
  std::deque<BootTime> sent_times_;                                      // of this life of the node
};

}  // namespace mip6::simulation
