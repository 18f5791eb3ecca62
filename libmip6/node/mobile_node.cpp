// The whole mobile node: what it is told goes to the part that it concerns, and what the home registration decides is
// looked at for what concerns the others. Which home agent and which home address: choice.cpp.
#include "libmip6/node/mobile_node.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "libmip6/node/patience.hpp"

namespace mip6::node {
namespace {

std::vector<Ipv6Address> distinct(const std::vector<Ipv6Address>& addresses) {
  std::vector<Ipv6Address> result;
  for (const auto& address : addresses)
    if (std::ranges::find(result, address) == result.end()) result.push_back(address);
  return result;
}

MobileNodePolicy with_first_agent(MobileNodePolicy policy) {
  policy.registration.home_agent = policy.home_agents.empty() ? Ipv6Address{} : policy.home_agents.front();
  return policy;
}

}  // namespace

MobileNode::MobileNode(MobileNodePolicy policy, const SequenceState& stored, Random& random)
    : policy_{with_first_agent(std::move(policy))},
      random_{&random},
      agents_{distinct(policy_.home_agents)},
      registration_{policy_.registration, stored},
      discovery_{policy_.home_prefix, random},
      prefixes_{random} {}

std::vector<MobileAction> MobileNode::handle(const MobileEvent& event, BootTime now) {
  if (registration_.state() == State::kStopped) return {};
  now_ = std::max(now_, now);
  if (!std::exchange(started_, true) && knows_agent()) actions_.push_back(UseHomeAgent{home_agent()});
  std::visit(
      [this](const auto& specific) {
        using Specific = std::decay_t<decltype(specific)>;
        if constexpr (std::is_same_v<Specific, AgentDiscoveryReplyReceived>)
          perform(discovery_.handle(specific, now_));
        else if constexpr (std::is_same_v<Specific, PrefixAdvertisementReceived> ||
                           std::is_same_v<Specific, PrefixesWanted>)
          perform(prefixes_.handle(specific, now_));
        else if constexpr (std::is_same_v<Specific, KeyManagementReachable>)
          key_management_reachable_ = specific.reachable;
        else
          on(Event{specific});
      },
      event);
  do_what_is_due();
  return std::exchange(actions_, {});
}

std::optional<BootTime> MobileNode::next_deadline() const {
  std::optional<BootTime> first;
  const auto consider = [&first](const std::optional<BootTime>& at) {
    if (at && (!first || *at < *first)) first = at;
  };
  consider(registration_.next_deadline());
  if (stopping_) return first;
  consider(discovery_.next_deadline());
  consider(prefixes_.next_deadline());
  if (change_ && away()) consider(change_->at);
  consider(keys_given_up_at());
  for (const auto& prefix : known_) {
    if (prefix.home_address != home_address()) continue;
    consider(prefix.solicit_at);
    if (prefix.valid_until && *prefix.valid_until > now_) consider(prefix.valid_until);
  }
  return first;
}

void MobileNode::on(const Event& event) {
  if (const auto* attached = std::get_if<Attached>(&event)) {
    const bool same = attachment_ && attachment_->care_of == attached->attachment.care_of;
    attachment_ = attached->attachment;
    if (!same) stop_waiting_for_keys();
    if (discovery_.running() && !same) perform(discovery_.handle(DiscoveryCancelled{}, now_));
    // Without a home agent there is nobody to register with.
    if (!knows_agent()) return;
  }
  if (std::holds_alternative<Detached>(event)) {
    attachment_.reset();
    perform(discovery_.handle(DiscoveryCancelled{}, now_));
  }
  if (std::holds_alternative<StopAsked>(event)) {
    stopping_ = true;
    perform(discovery_.handle(DiscoveryCancelled{}, now_));
  }
  // Before the registration is told: it would ask for the ended one again. What else the event was, was of that one;
  // but the numbers go on.
  const bool of_numbers =
      std::holds_alternative<SequenceReserved>(event) || std::holds_alternative<SequenceReservationFailed>(event);
  if (!stopping_ && leave_ended_address() && !of_numbers) return;
  tell(event);
}

void MobileNode::set_times(Lifetime lifetime, Duration first_timeout) {
  policy_.registration.lifetime = lifetime;
  policy_.registration.first_timeout = first_timeout;
  registration_.set_times(lifetime, first_timeout);
}

void MobileNode::tell(const Event& event) {
  for (const auto& action : registration_.handle(event, now_))
    if (follow(action)) return;
}

// True: the registration that decided this has been replaced, and what else it wanted is void.
bool MobileNode::follow(const Action& action) {
  std::visit([this](const auto& specific) { actions_.push_back(specific); }, action);
  if (std::holds_alternative<SendUpdate>(action)) last_update_at_ = now_;
  if (std::holds_alternative<PrefixDiscoveryNecessary>(action)) perform(prefixes_.handle(PrefixesWanted{}, now_));
  if (std::holds_alternative<Registered>(action)) {
    failed_rounds_ = 0;
    change_.reset();
    perform(discovery_.handle(DiscoveryCancelled{}, now_));
  }
  if (std::holds_alternative<AgentSilent>(action)) return on_failure(std::nullopt);
  if (const auto* not_served = std::get_if<NotServed>(&action)) return on_failure(not_served->status);
  return false;
}

// The numbers go on, so that none comes back to whoever has seen it: keys that are not fresh, manual ones, may have
// seen what was used with all home agents. So does the rate: with another home address it is the same home agent.
void MobileNode::start_anew() {
  policy_.registration.may_have_binding = false;
  registration_ = HomeRegistration{policy_.registration, registration_.numbers(), registration_.rate()};
  stop_waiting_for_keys();
  if (const auto* prefix = prefix_of(home_address())) tell(HomeAddressValid{prefix->valid_until});
  if (attachment_) tell(Attached{*attachment_, false});
}

void MobileNode::do_what_is_due() {
  if (stopping_) return;
  wait_for_keys();
  change_agent();
  perform(discovery_.handle(DiscoveryDeadlineReached{}, now_));
  solicit_before_the_end();
  leave_ended_address();

  const bool serves = registration_.state() == State::kRegistered;
  if (std::exchange(served_, serves) != serves)
    perform(serves ? prefixes_.handle(AgentServes{home_agent()}, now_) : prefixes_.handle(AgentServesNot{}, now_));
  perform(prefixes_.handle(PrefixDeadlineReached{}, now_));
}

}  // namespace mip6::node
