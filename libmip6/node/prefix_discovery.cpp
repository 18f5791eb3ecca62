// Mobile prefix discovery by the mobile node: solicitations, their repetitions, and which advertisements count.
#include "libmip6/node/prefix_discovery.hpp"

#include <algorithm>

namespace mip6::node {

PrefixDiscovery::PrefixDiscovery(Random& random) : random_{&random} {}

std::optional<BootTime> PrefixDiscovery::next_deadline() const {
  return outstanding_ && serves_ ? std::optional{outstanding_->ends} : std::nullopt;
}

std::vector<PrefixAction> PrefixDiscovery::handle(const PrefixEvent& event, BootTime now) {
  if (std::holds_alternative<PrefixesWanted>(event)) wanted_ = true;
  if (const auto* agent = std::get_if<AgentServes>(&event)) {
    // What another agent was asked for will not be answered by this one.
    if (home_agent_ != agent->home_agent && outstanding_) {
      outstanding_.reset();
      wanted_ = true;
    }
    home_agent_ = agent->home_agent;
    serves_ = true;
  }
  if (std::holds_alternative<AgentServesNot>(event)) {
    serves_ = false;
    wanted_ |= outstanding_.has_value();
    outstanding_.reset();
  }
  if (const auto* advertisement = std::get_if<PrefixAdvertisementReceived>(&event))
    return on_advertisement(*advertisement, now);
  return solicit_if_wanted(now);
}

// RFC 6275 section 11.8: repeated ever more slowly. Past the longest interval the agent is taken to have no answer; the
// next cause asks again.
std::vector<PrefixAction> PrefixDiscovery::solicit_if_wanted(BootTime now) {
  if (!serves_) return {};
  if (!outstanding_) {
    if (!wanted_) return {};
    wanted_ = false;
    return {send(kInitialSolicitTimer, now)};
  }
  wanted_ = false;  // it has been asked for
  if (now < outstanding_->ends) return {};
  if (outstanding_->timeout >= kMaxSolicitTimer) {
    outstanding_.reset();
    return {};
  }
  return {send(std::min(2 * outstanding_->timeout, kMaxSolicitTimer), now)};
}

SendPrefixSolicitation PrefixDiscovery::send(Duration timeout, BootTime now) {
  outstanding_ = Solicitation{static_cast<std::uint16_t>(random_->draw()), timeout, now + timeout};
  return {MobilePrefixSolicitation{outstanding_->identifier}, *home_agent_};
}

// RFC 6275 section 11.4.3, more strictly in that IPsec is required and not only wished for: without it anybody on the
// way could end the home address' life.
std::vector<PrefixAction> PrefixDiscovery::on_advertisement(const PrefixAdvertisementReceived& event, BootTime now) {
  if (event.source != home_agent_ || !event.protected_by_ipsec) {
    ++ignored_;
    return {};
  }
  if (outstanding_ && event.advertisement.identifier == outstanding_->identifier) {
    outstanding_.reset();
    wanted_ = false;
    return {PrefixesLearned{event.advertisement}};
  }
  ++ignored_;
  if (outstanding_ || now < unsolicited_heeded_at_) return {};
  unsolicited_heeded_at_ = now + kUnsolicitedInterval;
  wanted_ = true;
  return solicit_if_wanted(now);
}

}  // namespace mip6::node
