// The daemon with several home agents: what the core's choice of another one changes in the kernel and in charon, and
// the question to the home link.
#include <fmt/format.h>

#include <algorithm>

#include "libmip6/wire/icmp_message.hpp"
#include "mnd/daemon.hpp"
#include "mnd/linux/kernel.hpp"
#include "mnd/linux/log.hpp"

namespace mnd {

namespace node = mip6::node;

namespace {

constexpr int kRequestsUntilTrouble = 2;

std::vector<ike::FurtherChild> further_children(const Config& config) {
  std::vector<ike::FurtherChild> children;
  if (config.protect_payload) children.push_back({ike::ChildKind::kPayload, kernel::kNodePayloadReqid});
  children.push_back({ike::ChildKind::kPrefixes, kernel::kNodePrefixesReqid, config.prefix_discovery});
  return children;
}

ike::NodeKeyingPolicy keying_policy(const Config& config, const mip6::Ipv6Address& home_agent) {
  return {.home_address = config.home_address,
          .home_agent = home_agent,
          .credentials = {.local_identity = config.identity,
                          .remote_identity = identity_of(config, home_agent),
                          .proof = config.proof,
                          .method = config.method},
          .reqid = kernel::kNodeReqid,
          .children = further_children(config),
          .child_rekey = config.rekey,
          .ike_rekey = config.ike_rekey};
}

// Of the present home agent, so that another one's core must not hear it.
bool is_of_agent(const node::MobileEvent& event) {
  return std::holds_alternative<node::KeysUsable>(event) || std::holds_alternative<node::KeysUnusable>(event) ||
         std::holds_alternative<node::OwnKeysStayed>(event) ||
         std::holds_alternative<node::AcknowledgementReceived>(event) ||
         std::holds_alternative<node::RefreshRequestReceived>(event) ||
         std::holds_alternative<node::BindingErrorReceived>(event) ||
         std::holds_alternative<node::ParameterProblemReceived>(event) ||
         std::holds_alternative<node::UpdateSendFailed>(event) ||
         std::holds_alternative<node::PrefixAdvertisementReceived>(event);
}

// What charon says, as opposed to what we want of it.
bool is_of_charon(const ike::NodeKeyingEvent& event) {
  return std::holds_alternative<ike::CharonConnected>(event) ||
         std::holds_alternative<ike::CharonDisconnected>(event) || std::holds_alternative<ike::Answered>(event) ||
         std::holds_alternative<ike::CharonEvent>(event) || std::holds_alternative<ike::StopAsked>(event) ||
         std::holds_alternative<ike::DeadlineReached>(event);
}

}  // namespace

// The configured ones; first the one that served last, which has our binding (RFC 6275 section 11.4.1).
std::vector<mip6::Ipv6Address> Daemon::home_agents() const {
  auto agents = config_.home_agents;
  if (!stored_agent_) return agents;
  const auto last = std::ranges::find(agents, *stored_agent_);
  if (last != agents.end())
    std::rotate(agents.begin(), last, last + 1);
  else if (config_.discover)
    agents.insert(agents.begin(), *stored_agent_);
  return agents;
}

void Daemon::perform(const node::UseHomeAgent& action) {
  if (action.home_agent == ends_.home_agent) return;  // the first one: it is set up
  journal_.add("home agent",
               fmt::format("{} from now on{}", action.home_agent.to_string(),
                           ends_.home_agent.is_unspecified() ? std::string{}
                                                             : fmt::format(", not {}", ends_.home_agent.to_string())));
  if (!ends_.home_agent.is_unspecified()) leave_agent();
  drop_news_of_former_agent();
  ends_.home_agent = movement_.home_agent = action.home_agent;
  leave_keying();
  if (const auto up = bring_up_payload(); !up) {
    done("start", up);
    bring_up_again_ = kernel::boot_now() + bring_up_backoff_;
    return;
  }
  // Addresses that are there have their routes to the new one before it is talked to; each link may lead there.
  set_local_paths(monitor_->state());
  link_health_.forget();
  reconsider();
}

// There is a key for the configured home address only, so the core never has another one to take.
void Daemon::perform(const node::UseHomeAddress&) {}

// Its policies for prefix discovery stay, until the daemon ends: they let nothing through.
void Daemon::leave_agent() {
  // What is in them, or comes before the policies for the next one are there, may be in the clear.
  socket_.reset();
  prefix_socket_.reset();
  perform(node::StopOutbound{});
  if (tunnel_) done("local routes", tunnel_->set_local_paths({}));
  tunnel_.reset();
  if (esp_tunnel_)
    done("payload protection", esp_tunnel_->delete_states_except(ends_.home_agent, kernel::kNodePayloadReqid, {}));
  delete_esp_states_except(kernel::kNodeReqid, {});
  delete_esp_states_except(kernel::kNodePrefixesReqid, {});
  done("xfrm", xfrm_->clear_care_of(kernel::Side::kNode, ends_));
  done("xfrm", xfrm_->remove_esp(kernel::Side::kNode, ends_));
  payload_sa_ = prefix_sa_ = ready_to_send_ = false;
  unsent_solicitation_.reset();
  troubles_.over("keys");
  troubles_.over("payload keys");
}

void Daemon::drop_news_of_former_agent() {
  std::erase_if(pending_, [](const auto& event) {
    if (const auto* of_node = std::get_if<node::MobileEvent>(&event)) return is_of_agent(*of_node);
    return !is_of_charon(std::get<KeyingEvent>(event));
  });
  for_next_keying_.clear();
}

// --- keys with one after the other ---

// Everything of the former home agent goes from charon before anything for the next one is there: names and reqid are
// the same. That takes as long as a stop, at most.
void Daemon::leave_keying() {
  if (manual() || keying_leaves_) return;
  keying_leaves_ = true;
  handle(KeyingEvent{ike::StopAsked{}});
}

void Daemon::enter_keying() {
  keying_leaves_ = false;
  ++keying_generation_;
  keying_ = std::make_unique<ike::NodeKeying>(keying_policy(config_, ends_.home_agent));
  if (charon_told_) pending_.emplace_back(KeyingEvent{ike::CharonConnected{}});
  for (auto& event : for_next_keying_) pending_.emplace_back(std::move(event));
  if (!manual()) pending_.emplace_back(KeyingEvent{ike::Settled{settled_}});
  for_next_keying_.clear();
}

// With one that leaves there is nothing to change: the next one begins with what is configured now.
void Daemon::change_credentials() {
  if (manual() || keying_leaves_) return;
  auto policy = keying_policy(config_, ends_.home_agent);
  feed(KeyingEvent{ike::CredentialsChanged{std::move(policy.credentials), policy.child_rekey, policy.ike_rekey}});
}

// What is wanted of charon is for the next one, if the present core leaves.
bool Daemon::is_for_next_keying(const KeyingEvent& event) const { return keying_leaves_ && !is_of_charon(event); }

// So that a restart begins with the home agent that has the binding.
void Daemon::remember_agent() {
  const bool several = config_.discover || config_.home_agents.size() > 1;
  if (!several || stored_agent_ == ends_.home_agent) return;
  stored_agent_ = ends_.home_agent;
  if (stored_numbers_) store_numbers(*stored_numbers_);
}

// --- who serves on the home link? ---

void Daemon::perform(const node::SendDiscoveryRequest& action) {
  const auto bytes = mip6::write_icmp_message(action.request);
  const auto sent = discovery_socket_->send(bytes, action.source, action.destination);
  if (!sent)
    kernel::log(kernel::Level::kDebug, sent.error().to_string());  // it is repeated
  else
    journal_.add("home agent", fmt::format("asked for at {}", action.destination.to_string()));
  if (++unanswered_requests_ > kRequestsUntilTrouble)
    trouble("discovery", fmt::format("nobody answers who asks {} for home agents", action.destination.to_string()),
            "write 'home-agent = ADDRESS' if the home link has no home agent that answers, or check the way to it");
}

// Nothing protects a reply: the core takes the answer to its own question only, and IKE tells whether it was true.
void Daemon::received_discovery(const kernel::Icmp6Packet& packet) {
  const auto message = mip6::parse_icmp_message(packet.message);
  const auto* reply = message ? std::get_if<mip6::HomeAgentAddressDiscoveryReply>(&*message) : nullptr;
  if (reply == nullptr) {
    ++dropped_.try_emplace("malformed").first->second;
    return;
  }
  unanswered_requests_ = 0;
  troubles_.over("discovery");
  feed(node::AgentDiscoveryReplyReceived{*reply, packet.source});
}

}  // namespace mnd
