// Policies and states of Mobile IPv6 in the kernel.
#include "mnd/linux/xfrm.hpp"

#include <fmt/format.h>
#include <linux/netlink.h>
#include <netinet/in.h>

#include <cassert>
#include <cerrno>
#include <set>
#include <tuple>

#include "mnd/linux/netlink.hpp"
#include "mnd/linux/xfrm_messages.hpp"
#include "mnd/linux/xfrm_policies.hpp"

namespace mnd::kernel {

namespace {

constexpr const char* kModules = "the kernel lacks a module: modprobe -a xfrm_user esp6 mip6";

std::string text(const Ends& ends) {
  return fmt::format("{} <-> {}", ends.home_address.to_string(), ends.home_agent.to_string());
}

std::string remedy_for(const Answer& answer) {
  switch (answer.os_error) {
    case EPROTONOSUPPORT:
    case EAFNOSUPPORT:
    case ENOPROTOOPT:
    case ENOENT:
      return kModules;
    case EOPNOTSUPP:
      return "use a kernel with CONFIG_XFRM_SUB_POLICY and CONFIG_XFRM_MIGRATE (Debian's have them)";
    default:
      return {};
  }
}

bool absent(const Answer& answer) { return answer.os_error == ENOENT || answer.os_error == ESRCH; }
bool exists(const Answer& answer) { return answer.os_error == EEXIST; }
bool never(const Answer&) { return false; }

NetlinkMessage update(const Policy& policy) { return update_policy(policy.key, policy.wanted, policy.priority); }

bool is_sub_protocol(std::uint8_t protocol) { return protocol == IPPROTO_DSTOPTS || protocol == IPPROTO_ROUTING; }

// Without SPI it is the kernel's question to the key manager, not an SA.
std::vector<DumpedState> esp_of(const std::vector<NetlinkMessage>& dumped) {
  std::vector<DumpedState> found;
  for (const NetlinkMessage& message : dumped)
    if (const auto state = parse_state(message); state && state->protocol == IPPROTO_ESP && state->spi != 0)
      found.push_back(*state);
  return found;
}

EspState without_use(const DumpedState& state) {
  return {.source = state.source, .destination = state.destination, .spi = state.spi, .reqid = state.reqid};
}

// The header that has the home address in what this side sends.
std::uint8_t sent_by(Side side) {
  return side == Side::kNode ? std::uint8_t{IPPROTO_DSTOPTS} : std::uint8_t{IPPROTO_ROUTING};
}

constexpr mip6::Ipv6Address kAnyAddress{};

bool is_between(std::uint32_t reqid, std::uint32_t first, std::uint32_t last) {
  return reqid >= first && reqid <= last;
}

}  // namespace

struct Xfrm::Impl {
  NetlinkSocket socket;
  // Pairs of which this process has installed everything that a care-of address asks for: a move is then one state.
  std::set<std::tuple<Side, mip6::Ipv6Address, mip6::Ipv6Address>> with_care_of;

  // Performs all; the first answer that is neither success nor `harmless` becomes the error.
  template <typename Harmless>
  tl::expected<void, mip6::Error> perform(const std::vector<NetlinkMessage>& messages, const char* tried,
                                          const std::string& on, Harmless harmless) {
    for (const Answer& answer : socket.request(messages)) {
      if (!answer.ok() && !harmless(answer)) {
        return tl::unexpected(netlink_error(tried, on, answer, remedy_for(answer)));
      }
    }
    return {};
  }

  tl::expected<void, mip6::Error> install_care_of(Side side, const Ends& ends, const mip6::Ipv6Address& care_of);
  tl::expected<void, mip6::Error> move_key_endpoint(const PolicyKey& policy, std::uint32_t reqid,
                                                    const mip6::Ipv6Address& local, const mip6::Ipv6Address& remote);
};

tl::expected<Xfrm, mip6::Error> Xfrm::open() {
  auto socket = NetlinkSocket::open(NETLINK_XFRM);
  if (!socket) {
    return tl::unexpected(
        netlink_error("open the IPsec interface of the kernel", "NETLINK_XFRM", socket.error(), kModules));
  }
  return Xfrm(std::make_unique<Impl>(Impl{.socket = std::move(*socket), .with_care_of = {}}));
}

Xfrm::Xfrm(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Xfrm::Xfrm(Xfrm&&) noexcept = default;
Xfrm& Xfrm::operator=(Xfrm&&) noexcept = default;
Xfrm::~Xfrm() = default;

tl::expected<void, mip6::Error> Xfrm::require_esp(Side side, const Ends& ends, std::uint32_t reqid) {
  const auto [out, in] = directions(side, ends, false);
  // `in` first: there must be no moment at which a clear-text answer would be taken.
  return impl_->perform({update_policy(in, along(in, IPPROTO_ESP, reqid), kEspPriority),
                         update_policy(out, along(out, IPPROTO_ESP, reqid), kEspPriority)},
                        "install the ESP policies", text(ends), never);
}

tl::expected<void, mip6::Error> Xfrm::remove_esp(Side side, const Ends& ends) {
  const auto [out, in] = directions(side, ends, false);
  return impl_->perform({delete_policy(out), delete_policy(in)}, "remove the ESP policies", text(ends), absent);
}

tl::expected<void, mip6::Error> Xfrm::send_under(Side side, const Ends& ends, std::uint32_t reqid, std::uint32_t spi) {
  const auto out = directions(side, ends, false).out;
  auto wanted = along(out, IPPROTO_ESP, reqid);
  wanted.spi = spi;
  return impl_->perform({update_policy(out, wanted, kEspPriority)}, "choose the SA that is sent under", text(ends),
                        never);
}

tl::expected<void, mip6::Error> Xfrm::require_esp_of_prefixes(Side side, const Ends& ends, std::uint32_t reqid) {
  std::vector<NetlinkMessage> messages;
  for (const auto& policy : prefix_policies(side, ends, reqid)) messages.push_back(update(policy));
  return impl_->perform(messages, "install the ESP policies of prefix discovery", text(ends), never);
}

tl::expected<void, mip6::Error> Xfrm::remove_esp_of_prefixes(Side side, const Ends& ends) {
  std::vector<NetlinkMessage> messages;
  for (const auto& policy : prefix_policies(side, ends, 0)) messages.push_back(delete_policy(policy.key));
  return impl_->perform(messages, "remove the ESP policies of prefix discovery", text(ends), absent);
}

tl::expected<void, mip6::Error> Xfrm::Impl::install_care_of(Side side, const Ends& ends,
                                                            const mip6::Ipv6Address& care_of) {
  with_care_of.erase({side, ends.home_address, ends.home_agent});
  const auto [out, in] = directions(side, ends, true);
  std::vector<NetlinkMessage> adds, updates, policies;
  const auto state = [&](const PolicyKey& key, std::uint8_t protocol, const mip6::Ipv6Address& bound_to) {
    adds.push_back(care_of_state(XFRM_MSG_NEWSA, key.source, key.destination, protocol, bound_to));
    updates.push_back(care_of_state(XFRM_MSG_UPDSA, key.source, key.destination, protocol, bound_to));
    policies.push_back(update_policy(key, along(key, protocol), kSubPriority));
  };
  state(out, sent_by(side), care_of);
  // RFC 6275 sections 6.4 and 11.3.3 let the routing header come to any address of the node: a move need not touch it.
  const bool node = side == Side::kNode;
  if (node) state(in, IPPROTO_ROUTING, kAnyAddress);
  const auto prefixes = prefix_directions(side, ends, true);
  policies.push_back(update_policy(prefixes.out, along(prefixes.out, sent_by(side)), kSubPriority));
  if (node)
    for (const auto& key : prefixes.in)
      policies.push_back(update_policy(key, along(key, IPPROTO_ROUTING), kSubPriority));
  const auto added = socket.request(adds);
  for (std::size_t i = 0; i < added.size(); ++i) {
    Answer answer = added[i];
    // A former process left it, perhaps with another care-of address.
    if (exists(answer)) answer = socket.request(updates[i]);
    if (!answer.ok()) {
      return tl::unexpected(
          netlink_error("install the care-of address states", text(ends), answer, remedy_for(answer)));
    }
  }
  if (auto done = perform(policies, "install the care-of address policies", text(ends), never); !done) return done;
  with_care_of.insert({side, ends.home_address, ends.home_agent});
  return {};
}

tl::expected<void, mip6::Error> Xfrm::set_care_of(Side side, const Ends& ends, const mip6::Ipv6Address& care_of) {
  if (!impl_->with_care_of.contains({side, ends.home_address, ends.home_agent})) {
    return impl_->install_care_of(side, ends, care_of);
  }
  const auto out = directions(side, ends, true).out;
  const Answer answer =
      impl_->socket.request(care_of_state(XFRM_MSG_UPDSA, out.source, out.destination, sent_by(side), care_of));
  // Somebody has flushed the states, and then perhaps the policies too.
  if (absent(answer)) return impl_->install_care_of(side, ends, care_of);
  if (!answer.ok())
    return tl::unexpected(netlink_error("change the care-of address", text(ends), answer, remedy_for(answer)));
  return {};
}

tl::expected<void, mip6::Error> Xfrm::clear_care_of(Side side, const Ends& ends) {
  impl_->with_care_of.erase({side, ends.home_address, ends.home_agent});
  const auto [out, in] = directions(side, ends, true);
  const auto prefixes = prefix_directions(side, ends, true);
  std::vector<NetlinkMessage> messages{delete_policy(out), delete_policy(prefixes.out)};
  if (side == Side::kNode) {
    messages.push_back(delete_policy(in));
    for (const auto& key : prefixes.in) messages.push_back(delete_policy(key));
    messages.push_back(delete_state(out.source, out.destination, IPPROTO_DSTOPTS, 0));
    messages.push_back(delete_state(in.source, in.destination, IPPROTO_ROUTING, 0));
  } else {
    messages.push_back(delete_state(out.source, out.destination, IPPROTO_ROUTING, 0));
  }
  return impl_->perform(messages, "remove the care-of address states and policies", text(ends), absent);
}

tl::expected<void, mip6::Error> Xfrm::accept_home_address_options(const mip6::Ipv6Address& home_agent) {
  return impl_->perform({add_wildcard_home_address_state(), update(any_home_address(home_agent))},
                        "accept home address options", home_agent.to_string(), exists);
}

tl::expected<void, mip6::Error> Xfrm::refuse_home_address_options(const mip6::Ipv6Address& home_agent) {
  // The policy goes last: as long as it is there, remove_all() of the next process knows that the state is ours.
  return impl_->perform({delete_state({}, {}, IPPROTO_DSTOPTS, 0), delete_policy(any_home_address(home_agent).key)},
                        "refuse home address options", home_agent.to_string(), absent);
}

tl::expected<void, mip6::Error> Xfrm::refuse_strangers(const mip6::Ipv6Address& home_agent) {
  return impl_->perform({new_block_policy(strangers(home_agent), kStrangersPriority)}, "refuse messages without ESP",
                        home_agent.to_string(), never);
}

tl::expected<void, mip6::Error> Xfrm::admit_strangers(const mip6::Ipv6Address& home_agent) {
  return impl_->perform({delete_policy(strangers(home_agent))}, "admit messages without ESP", home_agent.to_string(),
                        absent);
}

tl::expected<void, mip6::Error> Xfrm::Impl::move_key_endpoint(const PolicyKey& policy, std::uint32_t reqid,
                                                              const mip6::Ipv6Address& local,
                                                              const mip6::Ipv6Address& remote) {
  Answer answer = socket.request(migrate_key_endpoint(policy, reqid, local, remote, FindPolicy::kBySelector));
  if (policy.type && (absent(answer) || answer.os_error == ENODATA))
    answer = socket.request(migrate_key_endpoint(policy, reqid, local, remote, FindPolicy::kByPacket));
  if (answer.ok()) return {};
  std::string remedy;
  if (answer.os_error == ENOPROTOOPT || answer.os_error == EOPNOTSUPP || answer.os_error == EINVAL) {
    remedy = "use a kernel with CONFIG_XFRM_MIGRATE; until then IKE is set up anew at each move";
  } else if (absent(answer) || answer.os_error == ENODATA) {
    remedy = "the ESP policy or the SA is gone; it comes back when IKE is set up anew";
  }
  return tl::unexpected(netlink_error(
      "move the IKE endpoint to " + local.to_string(),
      fmt::format("{} <-> {}", policy.source.to_string(), policy.destination.to_string()), answer, std::move(remedy)));
}

tl::expected<void, mip6::Error> Xfrm::move_key_endpoint(Side side, const Ends& ends, std::uint32_t reqid,
                                                        const mip6::Ipv6Address& local,
                                                        const mip6::Ipv6Address& remote) {
  return impl_->move_key_endpoint(directions(side, ends, false).in, reqid, local, remote);
}

tl::expected<void, mip6::Error> Xfrm::move_prefix_key_endpoint(Side side, const Ends& ends, std::uint32_t reqid,
                                                               const mip6::Ipv6Address& local,
                                                               const mip6::Ipv6Address& remote) {
  return impl_->move_key_endpoint(prefix_directions(side, ends, false).in.front(), reqid, local, remote);
}

tl::expected<void, mip6::Error> Xfrm::install_manual(const Ends& ends, std::uint32_t reqid, const ManualKeys& keys) {
  // Those of a former process may have the same SPIs and other keys.
  const auto former = esp_states(ends, reqid);
  if (!former) return tl::unexpected(former.error());
  for (const auto& state : *former)
    if (auto deleted = delete_esp_state(state); !deleted) return deleted;
  const std::vector<NetlinkMessage> messages{
      manual_esp_state(ends.home_address, ends.home_agent, reqid, keys.to_home_agent),
      manual_esp_state(ends.home_agent, ends.home_address, reqid, keys.to_node)};
  for (const Answer& answer : impl_->socket.request(messages)) {
    if (answer.ok()) continue;
    std::string remedy = remedy_for(answer);
    if (exists(answer)) remedy = "another program has an SA with one of these SPIs: make other keys on both ends";
    if (answer.os_error == ENOSYS)
      remedy = "the kernel lacks a module: modprobe -a cbc authenc sha256_generic sha512_generic";
    return tl::unexpected(netlink_error("install the SAs of the manual keys", text(ends), answer, std::move(remedy)));
  }
  return {};
}

tl::expected<void, mip6::Error> Xfrm::remove_manual(std::uint32_t first_reqid, std::uint32_t last_reqid) {
  const auto states = impl_->socket.dump(dump_states(IPPROTO_ESP), state_size_without_keys());
  if (!states) return tl::unexpected(netlink_error("list the SAs", "all", states.error()));
  std::vector<NetlinkMessage> removals;
  for (const DumpedState& state : esp_of(*states))
    if (state.manual && is_between(state.reqid, first_reqid, last_reqid))
      removals.push_back(delete_state(state.source, state.destination, IPPROTO_ESP, state.spi));
  return impl_->perform(removals, "remove the SAs of manual keys", "all", absent);
}

tl::expected<std::vector<EspState>, mip6::Error> Xfrm::esp_states(const Ends& ends, std::uint32_t reqid) {
  std::vector<EspState> found;
  for (const auto& [source, destination] :
       {std::pair(ends.home_address, ends.home_agent), std::pair(ends.home_agent, ends.home_address)}) {
    const auto dumped = impl_->socket.dump(dump_states(IPPROTO_ESP, source, destination), state_size_without_keys());
    if (!dumped) return tl::unexpected(netlink_error("list the SAs", text(ends), dumped.error()));
    for (const DumpedState& state : esp_of(*dumped)) {
      if (state.source != source || state.destination != destination) continue;
      if (reqid == 0 || state.reqid == reqid) found.push_back(without_use(state));
    }
  }
  return found;
}

tl::expected<std::optional<EspUse>, mip6::Error> Xfrm::esp_use(const mip6::Ipv6Address& destination,
                                                               std::uint32_t spi) {
  const auto found = impl_->socket.get(get_state(destination, IPPROTO_ESP, spi), state_size_without_keys());
  if (!found && absent(found.error())) return std::nullopt;
  const auto on = fmt::format("{} spi {:#010x}", destination.to_string(), spi);
  if (!found) return tl::unexpected(netlink_error("look for the SA", on, found.error()));
  const auto state = parse_state(*found);
  if (!state || state->spi != spi || state->asked_for) return std::nullopt;
  return EspUse{.packets = state->packets, .added = state->added};
}

tl::expected<std::vector<EspState>, mip6::Error> Xfrm::esp_states(std::uint32_t first_reqid, std::uint32_t last_reqid) {
  const auto dumped = impl_->socket.dump(dump_states(IPPROTO_ESP), state_size_without_keys());
  if (!dumped) return tl::unexpected(netlink_error("list the SAs", "all", dumped.error()));
  std::vector<EspState> found;
  for (const DumpedState& state : esp_of(*dumped))
    if (is_between(state.reqid, first_reqid, last_reqid)) found.push_back(without_use(state));
  return found;
}

tl::expected<void, mip6::Error> Xfrm::delete_esp_states(const std::vector<EspState>& states) {
  std::vector<NetlinkMessage> removals;
  removals.reserve(states.size());
  for (const auto& state : states)
    removals.push_back(delete_state(state.source, state.destination, IPPROTO_ESP, state.spi));
  return impl_->perform(removals, "delete SAs", "all", absent);
}

tl::expected<void, mip6::Error> Xfrm::delete_esp_state(const EspState& state) {
  return impl_->perform(
      {delete_state(state.source, state.destination, IPPROTO_ESP, state.spi)}, "delete the SA",
      fmt::format("{} -> {} spi {:#010x}", state.source.to_string(), state.destination.to_string(), state.spi), absent);
}

tl::expected<std::vector<std::string>, mip6::Error> Xfrm::policies_of_others(const Ends& ends,
                                                                             const mip6::Ipv6Address& care_of) const {
  const auto policies = impl_->socket.dump(dump_policies());
  if (!policies) return tl::unexpected(netlink_error("list the IPsec policies", "all", policies.error()));
  std::vector<std::string> found;
  for (const NetlinkMessage& message : *policies)
    if (const auto policy = parse_policy(message); policy && takes_from_node(*policy, ends, care_of))
      found.push_back(fmt::format("{}/{} -> {}/{}", policy->key.source.to_string(), policy->key.source_length,
                                  policy->key.destination.to_string(), policy->key.destination_length));
  return found;
}

tl::expected<void, mip6::Error> Xfrm::remove_all(std::uint32_t first_reqid, std::uint32_t last_reqid,
                                                 const mip6::Ipv6Address& home_agent) {
  assert(first_reqid != 0 && first_reqid <= last_reqid);
  impl_->with_care_of.clear();
  std::vector<NetlinkMessage> removals;
  const auto policies = impl_->socket.dump(dump_policies());
  if (!policies) return tl::unexpected(netlink_error("list the IPsec policies", "all", policies.error()));
  for (const NetlinkMessage& message : *policies) {
    const auto policy = parse_policy(message);
    if (policy && policy->blocks && policy->priority == kStrangersPriority && policy->key == strangers(home_agent))
      removals.push_back(delete_policy(policy->key));
    if (!policy || !policy->first) continue;
    if (policy->selector_protocol != kMobilityHeader && policy->selector_protocol != kIcmpv6) continue;
    if (policy->destination_length != 128) continue;
    const PolicyKey& key = policy->key;
    const bool esp = !key.sub && policy->first->protocol == IPPROTO_ESP && policy->first->reqid >= first_reqid &&
                     policy->first->reqid <= last_reqid;
    const bool care_of = key.sub && is_sub_protocol(policy->first->protocol) &&
                         (key.source == home_agent || key.destination == home_agent);
    if (!esp && !care_of) continue;
    if (care_of && key.source_length == 0) removals.push_back(delete_state({}, {}, IPPROTO_DSTOPTS, 0));
    removals.push_back(delete_policy(key));
  }
  for (const std::uint8_t protocol : {std::uint8_t{IPPROTO_DSTOPTS}, std::uint8_t{IPPROTO_ROUTING}}) {
    const auto states = impl_->socket.dump(dump_states(protocol), state_size_without_keys());
    if (!states) return tl::unexpected(netlink_error("list the care-of address states", "all", states.error()));
    for (const NetlinkMessage& message : *states) {
      const auto state = parse_state(message);
      if (!state || state->protocol != protocol) continue;
      if (state->source != home_agent && state->destination != home_agent) continue;
      removals.push_back(delete_state(state->source, state->destination, protocol, 0));
    }
  }
  if (auto removed = remove_manual(first_reqid, last_reqid); !removed) return removed;
  return impl_->perform(removals, "remove IPsec policies and states", home_agent.to_string(), absent);
}

}  // namespace mnd::kernel
