// See insider.hpp.
#include "tests/simulation/insider.hpp"

#include <utility>

namespace mip6::simulation {
namespace {

constexpr Duration kInsiderPatience = 20s;

}  // namespace

Insider::Insider(Surroundings around)
    : Host{around, {Party::Kind::kAttacker, 1}}, home_address_{address_on(0, 0xeee)}, address_{address_on(1, 0xeee)} {
  around_.network.attach(address_, [this](const Packet& packet) {
    if (packet.kind == Packet::Kind::kIke && charon() != nullptr) charon()->receive(packet.ike);
  });
}

void Insider::ask_for(const Ipv6Address& victim, const Ipv6Address& agent) {
  if (keying_) return;
  note("asks {:x} for keys for {:x}", brief(agent), brief(victim));
  const std::string name = home_address_.to_string();
  keying_ = std::make_unique<ike::NodeKeying>(
      ike::NodeKeyingPolicy{.home_address = victim,
                            .home_agent = agent,
                            .credentials = {.local_identity = name,
                                            .remote_identity = agent.to_string(),
                                            .proof = ike::PreSharedKey{"secret of " + name}},
                            .reqid = 1});
  start_charon();
  process_began();
  feed(ike::EstablishAsked{address_});
  later(kInsiderPatience, [this] { give_up(); });
}

void Insider::give_up() {
  process_ended();
  keying_.reset();
  pending_.clear();
  power_off();
}

void Insider::feed(ike::NodeKeyingEvent event) {
  pending_.push_back(std::move(event));
  if (draining_) return;
  draining_ = true;
  while (!pending_.empty() && keying_) {
    const auto next = std::move(pending_.front());
    pending_.pop_front();
    for (const auto& action : keying_->handle(next, clock()))
      if (const auto* request = std::get_if<ike::Request>(&action)) ask_charon(*request);
  }
  draining_ = false;
  arm();
}

std::optional<BootTime> Insider::next_deadline() const { return keying_ ? keying_->next_deadline() : std::nullopt; }

}  // namespace mip6::simulation
