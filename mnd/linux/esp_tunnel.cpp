// Policies and moves of the payload's ESP tunnel.
#include "mnd/linux/esp_tunnel.hpp"

#include <fmt/format.h>
#include <linux/netlink.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <tuple>

#include "mnd/linux/netlink.hpp"
#include "mnd/linux/xfrm_messages.hpp"

namespace mnd::kernel {

namespace {

// Behind those of the signalling, in front of those that charon makes for others.
constexpr std::uint32_t kTunnelPriority = 6275;
// What a node says to itself, and what it and its neighbours say about the home address, before that. It has no
// template to be known by: its priority is the mark.
constexpr std::uint32_t kLoopbackPriority = 6274;
constexpr std::uint8_t kNeighbourSolicitation = 135;
constexpr std::uint8_t kNeighbourAdvertisement = 136;

PolicyKey payload(const mip6::Ipv6Address& source, std::uint8_t source_length, const mip6::Ipv6Address& destination,
                  std::uint8_t destination_length, std::uint8_t direction) {
  return {.source = source,
          .source_length = source_length,
          .destination = destination,
          .destination_length = destination_length,
          .protocol = 0,
          .direction = direction,
          .type = std::nullopt,
          .sub = false};
}

PolicyKey from_home(const Ends& ends, std::uint8_t direction) {
  return payload(ends.home_address, 128, {}, 0, direction);
}
PolicyKey to_home(const Ends& ends, std::uint8_t direction) {
  return payload({}, 0, ends.home_address, 128, direction);
}
PolicyKey loopback(const Ends& ends, std::uint8_t direction) {
  return payload(ends.home_address, 128, ends.home_address, 128, direction);
}

// Everything of a node that needs no ESP. At home it has to answer who asks for the home address before the home
// agent's acknowledgement can reach it (RFC 6275 section 11.5.5), and until then payload stays under ESP.
std::vector<PolicyKey> exempt(const Ends& ends) {
  std::vector<PolicyKey> keys;
  for (const std::uint8_t direction : {std::uint8_t{XFRM_POLICY_IN}, std::uint8_t{XFRM_POLICY_OUT}}) {
    keys.push_back(loopback(ends, direction));
    for (const std::uint8_t type : {kNeighbourSolicitation, kNeighbourAdvertisement}) {
      auto key = direction == XFRM_POLICY_OUT ? from_home(ends, direction) : to_home(ends, direction);
      key.protocol = IPPROTO_ICMPV6;
      key.type = type;
      keys.push_back(key);
    }
  }
  return keys;
}

bool looks_exempt(const PolicyKey& key) {
  const bool to_itself = key.source == key.destination && key.source_length == 128;
  const bool of_neighbours =
      key.protocol == IPPROTO_ICMPV6 && (key.type == kNeighbourSolicitation || key.type == kNeighbourAdvertisement);
  return to_itself || of_neighbours;
}

PolicyKey sending(Side side, const Ends& ends) {
  return side == Side::kNode ? from_home(ends, XFRM_POLICY_OUT) : to_home(ends, XFRM_POLICY_OUT);
}

PolicyTemplate tunnel(const mip6::Ipv6Address& source, const mip6::Ipv6Address& destination, std::uint32_t reqid) {
  return {.source = source, .destination = destination, .protocol = IPPROTO_ESP, .reqid = reqid, .tunnel = true};
}

std::string text(const Ends& ends) {
  return fmt::format("{} <-> {}", ends.home_address.to_string(), ends.home_agent.to_string());
}

bool absent(const Answer& answer) { return answer.os_error == ENOENT || answer.os_error == ESRCH; }
bool never(const Answer&) { return false; }

}  // namespace

struct EspTunnel::Impl {
  struct Tunnel {  // the care-of addresses at which its SAs end
    mip6::Ipv6Address sending;
    mip6::Ipv6Address receiving;
  };
  NetlinkSocket socket;
  std::map<std::pair<Side, mip6::Ipv6Address>, Tunnel> tunnels;  // that are required, by home address

  tl::expected<void, mip6::Error> perform(const std::vector<NetlinkMessage>& messages, const char* tried,
                                          const std::string& on, bool (*harmless)(const Answer&)) {
    for (const Answer& answer : socket.request(messages))
      if (!answer.ok() && !harmless(answer)) return tl::unexpected(netlink_error(tried, on, answer));
    return {};
  }
  tl::expected<std::vector<DumpedState>, mip6::Error> states(const mip6::Ipv6Address& home_agent, std::uint32_t reqid);
  tl::expected<Tunnel, mip6::Error> present(const Ends& ends, Side side, std::uint32_t reqid,
                                            const mip6::Ipv6Address& care_of);
  tl::expected<void, mip6::Error> require_of_agent(const Ends& ends, std::uint32_t reqid);
  tl::expected<void, mip6::Error> send_to(Side side, const Ends& ends, std::uint32_t reqid,
                                          const mip6::Ipv6Address& care_of);
  tl::expected<void, mip6::Error> use(Side side, const Ends& ends, std::uint32_t reqid,
                                      const mip6::Ipv6Address& care_of);
  tl::expected<void, mip6::Error> migrate(Side side, const Ends& ends, std::uint32_t reqid,
                                          const mip6::Ipv6Address& care_of, Scope scope, bool with_keys);
};

tl::expected<EspTunnel, mip6::Error> EspTunnel::open() {
  auto socket = NetlinkSocket::open(NETLINK_XFRM);
  if (!socket)
    return tl::unexpected(netlink_error("open the IPsec interface of the kernel", "NETLINK_XFRM", socket.error(),
                                        "the kernel lacks a module: modprobe -a xfrm_user esp6"));
  return EspTunnel(std::make_unique<Impl>(Impl{.socket = std::move(*socket), .tunnels = {}}));
}

EspTunnel::EspTunnel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EspTunnel::EspTunnel(EspTunnel&&) noexcept = default;
EspTunnel& EspTunnel::operator=(EspTunnel&&) noexcept = default;
EspTunnel::~EspTunnel() = default;

tl::expected<std::vector<DumpedState>, mip6::Error> EspTunnel::Impl::states(const mip6::Ipv6Address& home_agent,
                                                                            std::uint32_t reqid) {
  const auto dumped = socket.dump(dump_states(IPPROTO_ESP), state_size_without_keys());
  if (!dumped) return tl::unexpected(netlink_error("list the SAs", home_agent.to_string(), dumped.error()));
  std::vector<DumpedState> found;
  for (const NetlinkMessage& message : *dumped) {
    const auto state = parse_state(message);
    // Without SPI it is the kernel's question to the key manager, not an SA.
    if (!state || state->protocol != IPPROTO_ESP || state->spi == 0 || state->reqid != reqid) continue;
    if (state->source == home_agent || state->destination == home_agent) found.push_back(*state);
  }
  return found;
}

// The kernel lists the newest first.
tl::expected<EspTunnel::Impl::Tunnel, mip6::Error> EspTunnel::Impl::present(const Ends& ends, Side side,
                                                                            std::uint32_t reqid,
                                                                            const mip6::Ipv6Address& care_of) {
  const auto found = states(ends.home_agent, reqid);
  if (!found) return tl::unexpected(found.error());
  std::optional<mip6::Ipv6Address> from_node, to_node;
  for (const auto& state : *found) {
    if (state.destination == ends.home_agent && !from_node) from_node = state.source;
    if (state.source == ends.home_agent && !to_node) to_node = state.destination;
  }
  const auto& sent = side == Side::kNode ? from_node : to_node;
  const auto& received = side == Side::kNode ? to_node : from_node;
  return Tunnel{sent.value_or(care_of), received.value_or(care_of)};
}

tl::expected<void, mip6::Error> EspTunnel::Impl::send_to(Side side, const Ends& ends, std::uint32_t reqid,
                                                         const mip6::Ipv6Address& care_of) {
  const auto wanted =
      side == Side::kNode ? tunnel(care_of, ends.home_agent, reqid) : tunnel(ends.home_agent, care_of, reqid);
  return perform({update_policy(sending(side, ends), wanted, kTunnelPriority)}, "send payload under ESP", text(ends),
                 never);
}

// Where the peer's SAs end changes with each move, and what is inside an SA is not judged by its outer address: the
// template leaves that end open.
tl::expected<void, mip6::Error> EspTunnel::require_of_node(const Ends& ends, std::uint32_t reqid) {
  std::vector<NetlinkMessage> messages{
      update_policy(to_home(ends, XFRM_POLICY_IN), tunnel(ends.home_agent, {}, reqid), kTunnelPriority)};
  for (const auto& key : exempt(ends)) messages.push_back(allow_policy(key, kLoopbackPriority));
  return impl_->perform(messages, "require ESP of payload", text(ends), never);
}

tl::expected<void, mip6::Error> EspTunnel::Impl::require_of_agent(const Ends& ends, std::uint32_t reqid) {
  std::vector<NetlinkMessage> messages;
  for (const std::uint8_t direction : {std::uint8_t{XFRM_POLICY_IN}, std::uint8_t{XFRM_POLICY_FWD}})
    messages.push_back(update_policy(from_home(ends, direction), tunnel({}, ends.home_agent, reqid), kTunnelPriority));
  return perform(messages, "require ESP of payload", text(ends), never);
}

tl::expected<void, mip6::Error> EspTunnel::require(Side side, const Ends& ends, std::uint32_t reqid,
                                                   const mip6::Ipv6Address& care_of) {
  const auto key = std::pair(side, ends.home_address);
  const auto known = impl_->tunnels.find(key);
  const auto now = known != impl_->tunnels.end() ? tl::expected<Impl::Tunnel, mip6::Error>(known->second)
                                                 : impl_->present(ends, side, reqid, care_of);
  if (!now) return tl::unexpected(now.error());
  auto done = side == Side::kNode ? require_of_node(ends, reqid) : impl_->require_of_agent(ends, reqid);
  if (done) done = impl_->send_to(side, ends, reqid, now->sending);
  if (done) impl_->tunnels[key] = *now;
  return done;
}

bool EspTunnel::required(Side side, const Ends& ends) const {
  return impl_->tunnels.contains({side, ends.home_address});
}

tl::expected<void, mip6::Error> EspTunnel::remove(Side side, const Ends& ends) {
  std::vector<NetlinkMessage> messages{delete_policy(sending(side, ends))};
  if (side == Side::kNode) {
    messages.push_back(delete_policy(to_home(ends, XFRM_POLICY_IN)));
    for (const auto& key : exempt(ends)) messages.push_back(delete_policy(key));
  } else {
    messages.push_back(delete_policy(from_home(ends, XFRM_POLICY_IN)));
    messages.push_back(delete_policy(from_home(ends, XFRM_POLICY_FWD)));
  }
  impl_->tunnels.erase({side, ends.home_address});
  return impl_->perform(messages, "no longer require ESP of payload", text(ends), absent);
}

tl::expected<void, mip6::Error> EspTunnel::Impl::use(Side side, const Ends& ends, std::uint32_t reqid,
                                                     const mip6::Ipv6Address& care_of) {
  const auto found = tunnels.find({side, ends.home_address});
  if (found == tunnels.end()) return {};
  auto done = send_to(side, ends, reqid, care_of);
  if (done) found->second = {care_of, care_of};
  return done;
}

tl::expected<void, mip6::Error> EspTunnel::use(Side side, const Ends& ends, std::uint32_t reqid,
                                               const mip6::Ipv6Address& care_of) {
  return impl_->use(side, ends, reqid, care_of);
}

// The sending one is in each of them, moved already or not: the kernel wants the policy's template to be among what
// moves.
tl::expected<void, mip6::Error> EspTunnel::Impl::migrate(Side side, const Ends& ends, std::uint32_t reqid,
                                                         const mip6::Ipv6Address& care_of, Scope scope,
                                                         bool with_keys) {
  const auto found = tunnels.find({side, ends.home_address});
  if (found == tunnels.end()) return {};
  auto& now = found->second;
  if (!with_keys && now.sending == care_of && (scope == Scope::kSending || now.receiving == care_of)) return {};
  const auto& agent = ends.home_agent;
  const bool node = side == Side::kNode;
  const auto from_node = [&](const mip6::Ipv6Address& old) { return TunnelMove{old, agent, care_of, agent}; };
  const auto to_node = [&](const mip6::Ipv6Address& old) { return TunnelMove{agent, old, agent, care_of}; };
  std::vector<TunnelMove> moves{node ? from_node(now.sending) : to_node(now.sending)};
  if (scope == Scope::kBoth) moves.push_back(node ? to_node(now.receiving) : from_node(now.receiving));
  std::optional<KeyEndpoint> endpoint;
  if (with_keys) endpoint = node ? KeyEndpoint{care_of, agent} : KeyEndpoint{agent, care_of};
  const Answer answer = socket.request(migrate_tunnel(sending(side, ends), reqid, moves, endpoint));
  // Where there is no SA but something to send, the kernel finds its own question to the key manager and cannot move
  // it.
  if (answer.os_error == ENODATA)
    if (const auto there = states(agent, reqid); there && there->empty()) return use(side, ends, reqid, care_of);
  if (!answer.ok())
    return tl::unexpected(netlink_error("move the payload's SAs to " + care_of.to_string(), text(ends), answer,
                                        absent(answer) || answer.os_error == ENODATA
                                            ? "they come back when IKE is set up anew"
                                            : "use a kernel with CONFIG_XFRM_MIGRATE"));
  now.sending = care_of;
  if (scope == Scope::kBoth) now.receiving = care_of;
  return {};
}

tl::expected<void, mip6::Error> EspTunnel::move(Side side, const Ends& ends, std::uint32_t reqid,
                                                const mip6::Ipv6Address& care_of, Scope scope) {
  return impl_->migrate(side, ends, reqid, care_of, scope, false);
}

tl::expected<void, mip6::Error> EspTunnel::move_with_keys(Side side, const Ends& ends, std::uint32_t reqid,
                                                          const mip6::Ipv6Address& care_of) {
  return impl_->migrate(side, ends, reqid, care_of, Scope::kBoth, true);
}

tl::expected<void, mip6::Error> EspTunnel::delete_states_except(const mip6::Ipv6Address& home_agent,
                                                                std::uint32_t reqid,
                                                                const std::vector<std::uint32_t>& spis) {
  const auto found = impl_->states(home_agent, reqid);
  if (!found) return tl::unexpected(found.error());
  std::vector<NetlinkMessage> removals;
  for (const auto& state : *found) {
    if (std::find(spis.begin(), spis.end(), state.spi) == spis.end())
      removals.push_back(delete_state(state.source, state.destination, IPPROTO_ESP, state.spi));
  }
  return impl_->perform(removals, "delete the payload's SAs", home_agent.to_string(), absent);
}

tl::expected<void, mip6::Error> EspTunnel::remove_all(std::uint32_t first_reqid, std::uint32_t last_reqid) {
  impl_->tunnels.clear();
  const auto policies = impl_->socket.dump(dump_policies());
  if (!policies) return tl::unexpected(netlink_error("list the IPsec policies", "all", policies.error()));
  std::vector<NetlinkMessage> removals;
  for (const NetlinkMessage& message : *policies) {
    const auto policy = parse_policy(message);
    if (!policy || policy->key.sub) continue;
    const auto& first = policy->first;
    const bool ours = first ? first->tunnel && first->reqid >= first_reqid && first->reqid <= last_reqid
                            : policy->priority == kLoopbackPriority && looks_exempt(policy->key);
    if (ours) removals.push_back(delete_policy(policy->key));
  }
  return impl_->perform(removals, "remove the payload's IPsec policies", "all", absent);
}

}  // namespace mnd::kernel
