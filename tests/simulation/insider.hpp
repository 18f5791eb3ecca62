// Somebody whom the home agents serve, and who asks key management for another one's home address.
#pragma once

#include <deque>
#include <memory>

#include "ike-glue/node_keying.hpp"
#include "tests/simulation/host.hpp"

namespace mip6::simulation {

class Insider final : public Host {
 public:
  explicit Insider(Surroundings around);

  const Ipv6Address& home_address() const { return home_address_; }  // its own
  // Asks `agent` for security associations between it and `victim`.
  void ask_for(const Ipv6Address& victim, const Ipv6Address& agent);
  void give_up();

 private:
  void feed(ike::NodeKeyingEvent event);
  void answered(ike::Answered answer) override { feed(std::move(answer)); }
  void charon_told(ike::CharonEvent event) override { feed(std::move(event)); }
  void charon_came() override { feed(ike::CharonConnected{}); }
  void charon_went() override {}
  bool has_address(const Ipv6Address& address) const override { return address == address_; }
  std::optional<BootTime> next_deadline() const override;
  void deadline_reached() override { feed(ike::DeadlineReached{}); }

  Ipv6Address home_address_;
  Ipv6Address address_;
  std::unique_ptr<ike::NodeKeying> keying_;
  std::deque<ike::NodeKeyingEvent> pending_;
  bool draining_ = false;
};

}  // namespace mip6::simulation
