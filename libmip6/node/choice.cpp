// The mobile node's choices: among home agents (RFC 6275 section 11.4.1), and of another home address once its own one
// has come to an end (sections 11.4.3 and 11.7.1).
#include <algorithm>
#include <utility>

#include "libmip6/node/backoff.hpp"
#include "libmip6/node/mobile_node.hpp"
#include "libmip6/node/patience.hpp"

namespace mip6::node {
namespace {

constexpr Duration kShortestSolicitWait = std::chrono::minutes{1};

bool contains(const std::vector<Ipv6Address>& addresses, const Ipv6Address& address) {
  return std::ranges::find(addresses, address) != addresses.end();
}

}  // namespace

// --- home agents ---

// The present home agent does not serve us; only away from home another one can. True: another registration began.
bool MobileNode::on_failure(std::optional<Status> status) {
  if (stopping_ || !away()) return false;
  if (status == Status::kDuplicateAddressDetectionFailed) {
    if (!contains(refused_, home_address())) refused_.push_back(home_address());
    if (use_known_address()) return true;
  }
  return next_agent();
}

bool MobileNode::next_agent() {
  if (change_ || discovery_.running() || !has_choice()) return false;
  if (agent_ + 1 < agents_.size()) {
    use_agent(agent_ + 1);
    return true;
  }
  if (policy_.discover)
    discover();
  else
    next_round();
  return false;
}

// All have failed: the first one again, after a pause. Until then the present one is asked on.
void MobileNode::next_round() {
  change_ = Change{now_ + doubled(kFirstRoundPause, failed_rounds_++, kLongestRoundPause)};
}

void MobileNode::change_agent() {
  if (!away()) return;
  if (change_ && now_ >= change_->at) {
    const auto agent = std::exchange(change_, std::nullopt)->agent;
    if (knows_agent()) return use_agent(agent);
  }
  if (!knows_agent() && policy_.discover && !change_ && !discovery_.running()) discover();
}

void MobileNode::use_agent(std::size_t agent) {
  agent_ = agent;
  policy_.registration.home_agent = agents_[agent];
  actions_.push_back(UseHomeAgent{home_agent()});
  start_anew();
}

void MobileNode::discover() { perform(discovery_.handle(DiscoveryAsked{attachment_->care_of}, now_)); }

void MobileNode::perform(const std::vector<DiscoveryAction>& actions) {
  for (const auto& action : actions) {
    if (const auto* request = std::get_if<SendDiscoveryRequest>(&action)) actions_.push_back(*request);
    if (std::holds_alternative<DiscoveryFailed>(action)) next_round();
    const auto* found = std::get_if<HomeAgentsFound>(&action);
    if (!found) continue;
    // The present one keeps its place, whatever becomes of it; a list of an earlier discovery does not.
    agents_.clear();
    for (const auto& agent : policy_.home_agents)
      if (!contains(agents_, agent)) agents_.push_back(agent);
    const std::size_t configured = agents_.size();
    for (const auto& agent : found->home_agents)
      if (!contains(agents_, agent)) agents_.push_back(agent);
    if (agents_.size() == configured) {
      next_round();
      continue;
    }
    // RFC 6275 section 11.4.1: the next home agent is not asked before the last one had its time to answer.
    const auto earliest =
        last_update_at_ == BootTime::min() ? now_ : last_update_at_ + policy_.registration.first_timeout;
    change_ = Change{std::max(now_, earliest), configured};
    change_agent();
  }
}

// Also while a binding lives: a home agent that is ended takes the keys away, and serves nobody from then on. One whose
// key management alone is away looks the same from here. At home nothing is waited for once the home agent has agreed.
bool MobileNode::waits_for_keys() const {
  if (!attachment_ || registration_.state() == State::kAtHome) return false;
  return registration_.state() == State::kWaitingForKeys || (registration_.lacks_keys() && key_management_reachable_);
}

void MobileNode::stop_waiting_for_keys() {
  waiting_for_keys_since_.reset();
  keys_unanswered_ = false;
}

// The attachment is given up first, then the home agent.
void MobileNode::wait_for_keys() {
  if (!waits_for_keys()) return stop_waiting_for_keys();
  if (!waiting_for_keys_since_) waiting_for_keys_since_ = now_;
  if (const auto at = keys_given_up_at(); !at || now_ < *at) return;
  if (!keys_unanswered_ && key_management_reachable_) {
    keys_unanswered_ = true;
    actions_.push_back(Unanswered{*attachment_});
  }
  if (!away() || !has_choice() || now_ < *waiting_for_keys_since_ + kKeyPatience) return;
  waiting_for_keys_since_ = now_;
  next_agent();
}

// The next time at which something follows from it, if nothing changes.
std::optional<BootTime> MobileNode::keys_given_up_at() const {
  if (!waiting_for_keys_since_) return std::nullopt;
  if (!keys_unanswered_ && key_management_reachable_) return *waiting_for_keys_since_ + kLinkKeyPatience;
  return away() && has_choice() ? std::optional{*waiting_for_keys_since_ + kKeyPatience} : std::nullopt;
}

// --- prefixes and home addresses ---

void MobileNode::perform(const std::vector<PrefixAction>& actions) {
  for (const auto& action : actions) {
    if (const auto* solicitation = std::get_if<SendPrefixSolicitation>(&action)) actions_.push_back(*solicitation);
    const auto* learned = std::get_if<PrefixesLearned>(&action);
    if (!learned) continue;
    actions_.push_back(*learned);
    learn(learned->advertisement);
  }
}

void MobileNode::learn(const MobilePrefixAdvertisement& advertisement) {
  for (const auto& information : advertisement.prefixes) learn(information);
  if (const auto* prefix = prefix_of(home_address())) tell(HomeAddressValid{prefix->valid_until});
}

// As from a router on the home link (RFC 4862 section 5.5.3), but an address is formed only where a key for it exists.
// IPsec has authenticated who says so: a lifetime may be cut to anything.
void MobileNode::learn(const PrefixInformation& information) {
  if (information.preferred > information.valid) return;
  std::vector<Ipv6Address> addresses = policy_.keyed_home_addresses;
  if (!contains(addresses, home_address())) addresses.push_back(home_address());
  for (const auto& address : addresses) {
    if (!information.prefix.contains(address)) continue;
    auto* known = prefix_of(address);
    if (!known) {
      if (address != home_address() && (!information.autonomous || information.valid == Lifetime{0})) continue;
      known = &known_.emplace_back();
    }
    *known = HomePrefix{information.prefix, address, {}, {}};
    if (information.valid == kInfiniteLifetime) continue;
    known->valid_until = now_ + information.valid;
    known->solicit_at = now_ + std::max<Duration>(Duration{information.valid} / 4 * 3, kShortestSolicitWait);
  }
}

// RFC 6275 section 11.4.2.
void MobileNode::solicit_before_the_end() {
  auto* prefix = prefix_of(home_address());
  if (!prefix || !prefix->solicit_at || now_ < *prefix->solicit_at) return;
  const Duration left = *prefix->valid_until - now_;
  prefix->solicit_at.reset();
  if (left > Duration{}) prefix->solicit_at = now_ + std::max<Duration>(left / 4 * 3, kShortestSolicitWait);
  perform(prefixes_.handle(PrefixesWanted{}, now_));
}

// Only one home address is registered at a time, and the connections of the present one count: another one is taken
// when that one has ended, not when it is deprecated. True: another registration began.
bool MobileNode::use_known_address() {
  if (!away()) return false;
  const auto usable = [this](const HomePrefix& prefix) {
    return prefix.home_address != home_address() && !contains(refused_, prefix.home_address) &&
           (!prefix.valid_until || *prefix.valid_until > now_);
  };
  const auto found = std::ranges::find_if(known_, usable);
  if (found == known_.end()) return false;
  policy_.registration.home_address = found->home_address;
  policy_.home_prefix = found->prefix;
  discovery_ = HomeAgentDiscovery{policy_.home_prefix, *random_};
  actions_.push_back(UseHomeAddress{found->home_address, found->prefix});
  start_anew();
  return true;
}

// Without another one the registration goes on asking for it. True: another registration began.
bool MobileNode::leave_ended_address() {
  const auto* prefix = prefix_of(home_address());
  return prefix && prefix->valid_until && *prefix->valid_until <= now_ && use_known_address();
}

MobileNode::HomePrefix* MobileNode::prefix_of(const Ipv6Address& home_address) {
  const auto found = std::ranges::find(known_, home_address, &HomePrefix::home_address);
  return found == known_.end() ? nullptr : &*found;
}

}  // namespace mip6::node
