// The mobile node's home registration: what a Binding Acknowledgement means (RFC 6275 section 11.7.3). Whatever the
// home agent answers, the node never gives up for good; only how long it waits differs.
#include <algorithm>
#include <string>

#include "libmip6/defect.hpp"
#include "libmip6/node/backoff.hpp"
#include "libmip6/node/home_registration.hpp"

namespace mip6::node {
namespace {

constexpr Duration kFirstRefusalRetry = std::chrono::seconds{1};
constexpr Duration kLongestRefusalRetry = std::chrono::seconds{32};
// The home agent does not serve this address; only a change of its configuration helps.
constexpr Duration kFirstNotServedRetry = std::chrono::seconds{4};
constexpr Duration kLongestNotServedRetry = std::chrono::seconds{64};

bool not_served(Status status) {
  return status == Status::kHomeRegistrationNotSupported || status == Status::kNotHomeSubnet ||
         status == Status::kNotHomeAgentForThisNode || status == Status::kDuplicateAddressDetectionFailed;
}

std::string remedy_for(Status status) {
  switch (status) {
    case Status::kAdministrativelyProhibited:
      return "ask the home agent's administrator to allow this node";
    case Status::kInsufficientResources:
      return "nothing to do here: the home agent is short of memory or disk; the node tries again";
    case Status::kHomeRegistrationNotSupported:
      return "check the home agent's address: that host is no home agent";
    case Status::kNotHomeSubnet:
      return "check home address and home agent: the address is in none of the home agent's prefixes";
    case Status::kNotHomeAgentForThisNode:
      return "add this home address to the home agent's nodes, or check that it is spelled right here";
    case Status::kDuplicateAddressDetectionFailed:
      return "another host on the home link uses the home address: take that one off or choose another home address";
    case Status::kSequenceNumberOutOfWindow:
      return "make sure that no other node uses this home address, and that the state folder survives restarts";
    case Status::kRegistrationTypeChangeDisallowed:
      return "wait until the home agent's correspondent binding for this address has expired";
    case Status::kMobileRouterOperationNotPermitted:
    case Status::kInvalidPrefix:
    case Status::kNotAuthorizedForPrefix:
    case Status::kForwardingSetupFailed:
      return "the home agent takes this node for a mobile router, which it is not: check its entry there";
    case Status::kInvalidCareOfAddress:
      return "the home agent accepts no care-of address from this network: use another interface";
    default:
      return "look into the home agent's log";
  }
}

}  // namespace

void HomeRegistration::on(const AcknowledgementReceived& event) {
  unheard_since_.reset();
  const auto& acknowledgement = event.acknowledgement;
  const Exchange* current = exchange();
  if (!current || current->sent.empty()) return ignore_acknowledgement();
  if (acknowledgement.status == Status::kSequenceNumberOutOfWindow) return on_out_of_window(acknowledgement.sequence);

  const auto found = std::find_if(current->sent.begin(), current->sent.end(),
                                  [&](const SentUpdate& sent) { return sent.sequence == acknowledgement.sequence; });
  if (found == current->sent.end()) return ignore_acknowledgement();

  // A home agent that knows nothing of us has nothing to de-register.
  const bool nothing_there = deregisters(*current) && acknowledgement.status == Status::kNotHomeAgentForThisNode &&
                             !planted(Defect::kUnknownAtHomeRefused);
  const SentUpdate sent = *found;
  if (is_accepted(acknowledgement.status) || nothing_there) return on_accepted(sent, acknowledgement);
  exchange()->sent.erase(exchange()->sent.begin() + (found - current->sent.begin()));
  on_refused(acknowledgement.status);
}

void HomeRegistration::ignore_acknowledgement() { ++counters_.ignored_acknowledgements; }

// Status 135 carries the last number that the home agent accepted instead of the one it answers.
void HomeRegistration::on_out_of_window(SequenceNumber last_accepted) {
  // If our last number is good after that one, the answer is to an older update that was overtaken or duplicated.
  if (last_sequence_ == last_accepted || last_sequence_->follows(last_accepted)) return ignore_acknowledgement();
  ++counters_.refused;
  reservation_.restart_after(last_accepted);
  reserving_.reset();

  Exchange& current = *exchange();
  current.sent.clear();
  if (current.refusals == 0) {
    ++current.refusals;
    current.awaiting = false;
    current.timeout = {};
    current.unanswered = 0;
    current.send_at = now_;
    return;
  }
  back_off(current, kFirstRefusalRetry, kLongestRefusalRetry);
  report("home agent " + policy_.home_agent.to_string() + " refuses every sequence number",
         remedy_for(Status::kSequenceNumberOutOfWindow), Status::kSequenceNumberOutOfWindow);
}

void HomeRegistration::on_accepted(const SentUpdate& sent, const BindingAcknowledgement& acknowledgement) {
  const bool registration = sent.lifetime > Lifetime{0};
  const auto granted = registration ? std::min(acknowledgement.lifetime, sent.lifetime) : Lifetime{0};
  // The lifetime counts from the sending of the update, so an answer can come too late to be worth anything.
  if (granted > Lifetime{0} && now_ >= sent.at + granted) return ignore_acknowledgement();
  ++counters_.acknowledged;

  if (exchange()->give_up_at) {
    phase_ = Ended{};
    actions_.push_back(Stopped{Farewell::kAgreed});
    return;
  }
  if (registration && granted == Lifetime{0}) {
    if (binding_) binding_->expires = now_;
    back_off(*exchange(), kFirstRefusalRetry, kLongestRefusalRetry);
    report("home agent " + policy_.home_agent.to_string() + " granted a lifetime of zero",
           "look into the home agent's log, and check the lifetime in its configuration");
    return;
  }

  inherited_until_.reset();
  const BootTime since = exchange()->since;
  const bool restore_outbound = exchange()->restore_outbound;
  phase_ = Quiet{};
  acknowledged_at_ = attachment_;
  acknowledged_k_ = acknowledgement.key_mobility && sent.key_mobility;
  last_trouble_.clear();
  if (registration) {
    Duration refresh = planted(Defect::kNoRefresh) ? Duration{granted} : Duration{granted} / 4 * 3;
    const auto* advice = find_option<BindingRefreshAdvice>(acknowledgement.options);
    if (advice && advice->interval > Lifetime{0}) refresh = std::min<Duration>(refresh, advice->interval);
    binding_ = Binding{*attachment_, sent.at + granted, sent.at + refresh};
  } else {
    binding_.reset();
    bound_until_.reset();
  }

  if (outbound_ != attachment_ || restore_outbound) switch_outbound();
  if (attachment_->at_home) actions_.push_back(AnnounceHomeAddress{*attachment_});
  // The home agent had agreed to a move, or may have, and has found that its own end could not follow, or must not any
  // more.
  const bool withdrawn = sent.key_mobility && !acknowledgement.key_mobility && endpoint_moved_;
  if (acknowledged_k_) endpoint_doubtful_ = false;
  if ((withdrawn || endpoint_doubtful_) && endpoint_ == attachment_->care_of)
    renew_keys(Renewal::kLeftBehind);
  else
    keys_follow(acknowledged_k_);
  actions_.push_back(Registered{*attachment_, sent.sequence, granted, acknowledged_k_, now_ - since});
  if (acknowledgement.status == Status::kAcceptedPrefixDiscoveryNecessary)
    actions_.push_back(PrefixDiscoveryNecessary{});
}

// RFC 6275 section 11.7.3: K set, our endpoint of the key management moves along; K clear, it is established anew. Keys
// that were set by hand have none.
void HomeRegistration::keys_follow(bool key_mobility) {
  if (keys_ && !keys_->dynamic) return;
  if (endpoint_ == attachment_->care_of) {
    // Back where the other end still is, before it heard of a hard move.
    if (own_endpoint_ != endpoint_) move_own_keys();
    return;
  }
  if (!key_mobility) return renew_keys(Renewal::kRefused);
  if (!planted(Defect::kKeysLeftBehind)) actions_.push_back(MoveKeys{*attachment_});
  endpoint_ = own_endpoint_ = attachment_->care_of;
  endpoint_usable_ = endpoint_moved_ = true;
}

// The old binding, if there is one, lives on until it expires.
void HomeRegistration::on_refused(Status status) {
  ++counters_.refused;
  Exchange& current = *exchange();
  const bool stopping = current.give_up_at.has_value();
  if (status == Status::kDuplicateAddressDetectionFailed) {
    // RFC 6275 section 11.7.1 forbids to use the address again, and without a binding nothing uses it. Whether the
    // other host has gone is asked seldom: the usual one is this node itself, a moment after it has left home.
    back_off(current, kLongestNotServedRetry, kLongestNotServedRetry);
  } else if (not_served(status)) {
    back_off(current, kFirstNotServedRetry, kLongestNotServedRetry);
  } else {
    back_off(current, kFirstRefusalRetry, kLongestRefusalRetry);
  }
  report("home agent " + policy_.home_agent.to_string() + " refused the " +
             (deregisters(current) ? "de-registration" : "registration") + ": " + std::string{name_of(status)} +
             " (status " + std::to_string(static_cast<int>(status)) + ")",
         remedy_for(status), status);
  if (not_served(status) && !deregisters(current)) actions_.push_back(NotServed{status});
  if (!stopping) return;
  phase_ = Ended{};
  actions_.push_back(Stopped{Farewell::kRefused});
}

void HomeRegistration::back_off(Exchange& current, Duration initial, Duration longest) {
  current.awaiting = false;
  current.timeout = {};
  current.unanswered = 0;
  current.send_at = now_ + doubled(initial, current.refusals++, longest);
}

}  // namespace mip6::node
