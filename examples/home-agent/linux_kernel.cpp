// The kernel port on Linux: mostly passing on, with the home agent's own address filled in.
#include "examples/home-agent/linux_kernel.hpp"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "libmip6/wire/prefix_discovery.hpp"
#include "mnd/linux/kernel.hpp"
#include "mnd/linux/kernel_counters.hpp"
#include "mnd/linux/os_error.hpp"

namespace mip6ha {

using mip6::Error;
using mip6::Ipv6Address;
using mnd::kernel::Side;
using Result = KernelPort::Result;

namespace {

constexpr std::uint32_t kFirstReqid = mnd::kernel::kAgentFirstReqid;
constexpr std::uint32_t kLastReqid = kFirstReqid + mnd::kernel::kPrefixesReqidOffset + mnd::kernel::kAgentReqids - 1;

}  // namespace

tl::expected<std::unique_ptr<AgentKernel>, Error> LinuxKernel::open(boost::asio::io_context& loop,
                                                                    const Ipv6Address& home_agent,
                                                                    const std::string& interface) {
  const unsigned index = ::if_nametoindex(interface.c_str());
  if (index == 0)
    return tl::unexpected(
        mnd::kernel::os_error(errno, "find the home link", interface,
                              "correct interface in the configuration, or make that interface first"));
  auto xfrm = mnd::kernel::Xfrm::open();
  if (!xfrm) return tl::unexpected(xfrm.error());
  auto esp_tunnel = mnd::kernel::EspTunnel::open();
  if (!esp_tunnel) return tl::unexpected(esp_tunnel.error());
  auto tunnel = mnd::kernel::AgentTunnel::open(home_agent, interface);
  if (!tunnel) return tl::unexpected(tunnel.error());
  return std::unique_ptr<AgentKernel>{
      new LinuxKernel{loop, home_agent, index, std::move(*xfrm), std::move(*esp_tunnel), std::move(*tunnel)}};
}

LinuxKernel::LinuxKernel(boost::asio::io_context& loop, const Ipv6Address& home_agent, std::uint32_t interface,
                         mnd::kernel::Xfrm xfrm, mnd::kernel::EspTunnel esp_tunnel, mnd::kernel::AgentTunnel tunnel)
    : loop_{loop},
      home_agent_{home_agent},
      interface_{interface},
      xfrm_{std::move(xfrm)},
      esp_tunnel_{std::move(esp_tunnel)},
      tunnel_{std::move(tunnel)} {}

mnd::kernel::Ends LinuxKernel::ends(const Ipv6Address& home_address) const {
  return {.home_address = home_address, .home_agent = home_agent_};
}

Result LinuxKernel::remove_xfrm() {
  const auto first_payload = kFirstReqid + mnd::kernel::kPayloadReqidOffset;
  if (auto removed = esp_tunnel_.remove_all(first_payload, first_payload + mnd::kernel::kAgentReqids - 1); !removed)
    return removed;
  return xfrm_.remove_all(kFirstReqid, kLastReqid, home_agent_);
}

Result LinuxKernel::protect(const NodeTable& nodes) {
  if (auto removed = remove_xfrm(); !removed) return removed;
  for (const auto& [home_address, node] : nodes)
    if (auto required = protect_one(home_address, node); !required) return required;
  return xfrm_.accept_home_address_options(home_agent_);
}

Result LinuxKernel::protect_one(const Ipv6Address& home_address, const NodeIdentity& node) {
  if (auto required = xfrm_.require_esp(Side::kAgent, ends(home_address), node.reqid); !required) return required;
  const auto reqid = node.reqid + mnd::kernel::kPrefixesReqidOffset;
  if (auto required = xfrm_.require_esp_of_prefixes(Side::kAgent, ends(home_address), reqid); !required)
    return required;
  if (node.payload_reqid != 0) payload_reqids_[home_address] = node.payload_reqid;
  return {};
}

Result LinuxKernel::release(const Ipv6Address& home_address, const NodeIdentity& node) {
  Result first = delete_states(home_address, node);
  const auto also = [&first](Result result) {
    if (first && !result) first = std::move(result);
  };
  also(xfrm_.clear_care_of(Side::kAgent, ends(home_address)));
  also(xfrm_.remove_esp(Side::kAgent, ends(home_address)));
  also(xfrm_.remove_esp_of_prefixes(Side::kAgent, ends(home_address)));
  payload_reqids_.erase(home_address);
  detections_.erase(home_address);
  return first;
}

Result LinuxKernel::delete_states(const Ipv6Address& home_address, const NodeIdentity& node) {
  Result first = delete_states_except(home_address, node.reqid, {});
  for (const auto reqid : {node.reqid + mnd::kernel::kPrefixesReqidOffset, node.payload_reqid}) {
    if (reqid == 0) continue;
    Result deleted = delete_states_except(home_address, reqid, {});
    if (first && !deleted) first = std::move(deleted);
  }
  return first;
}

Result LinuxKernel::delete_all_states() {
  auto states = xfrm_.esp_states(kFirstReqid, kLastReqid);
  if (!states) return tl::unexpected(states.error());
  // Others on this machine may have such numbers.
  std::erase_if(*states, [&](const auto& one) { return one.source != home_agent_ && one.destination != home_agent_; });
  return xfrm_.delete_esp_states(*states);
}

tl::expected<std::set<std::uint32_t>, Error> LinuxKernel::reqids_with_states() {
  return xfrm_.esp_states(kFirstReqid, kLastReqid).map([](const auto& states) {
    std::set<std::uint32_t> reqids;
    for (const auto& state : states) reqids.insert(state.reqid);
    return reqids;
  });
}

Result LinuxKernel::install_manual(const Ipv6Address& home_address, std::uint32_t reqid,
                                   const mnd::kernel::ManualKeys& keys) {
  return xfrm_.install_manual(ends(home_address), reqid, keys);
}

Result LinuxKernel::set_up_tunnel() { return tunnel_.set_up(); }

Result LinuxKernel::listen(mnd::kernel::MobilitySocket::Received received,
                           mnd::kernel::MobilitySocket::Received prefixes) {
  auto socket = mnd::kernel::MobilitySocket::open(loop_, home_agent_, std::move(received));
  if (!socket) return tl::unexpected(socket.error());
  auto prefix_socket = mnd::kernel::MobilitySocket::open_icmpv6(
      loop_, home_agent_, mip6::MobilePrefixSolicitation::kType, std::move(prefixes));
  if (!prefix_socket) return tl::unexpected(prefix_socket.error());
  socket_ = std::move(*socket);
  prefix_socket_ = std::move(*prefix_socket);
  return {};
}

std::uint64_t LinuxKernel::refused_by_policy() const {
  const auto counts = mnd::kernel::read_xfrm_counters();
  const auto found = counts.find("XfrmInPolBlock");
  return found == counts.end() ? 0 : found->second;
}

void LinuxKernel::take_waiting() {
  for (const auto* socket : {&socket_, &prefix_socket_})
    if (*socket != nullptr) (*socket)->take_waiting();
}

Result LinuxKernel::watch_home_link(mnd::kernel::ClaimWatch::Claimed claimed) {
  auto watch = mnd::kernel::ClaimWatch::start(loop_, interface_, std::move(claimed));
  if (!watch) return tl::unexpected(watch.error());
  watch_ = std::move(*watch);
  return {};
}

void LinuxKernel::stop_listening() {
  detections_.clear();
  watch_.reset();
  socket_.reset();
  prefix_socket_.reset();
}

Result LinuxKernel::send_prefixes(std::span<const std::uint8_t> message, const Ipv6Address& home_address) {
  return prefix_socket_ == nullptr ? Result() : prefix_socket_->send(message, home_address);
}

std::vector<Error> LinuxKernel::remove_all() {
  std::vector<Error> errors;
  if (auto removed = tunnel_.remove_all(); !removed) errors.push_back(removed.error());
  if (auto removed = remove_xfrm(); !removed) errors.push_back(removed.error());
  if (auto removed = xfrm_.refuse_home_address_options(home_agent_); !removed) errors.push_back(removed.error());
  return errors;
}

std::uint32_t LinuxKernel::payload_reqid(const Ipv6Address& home_address) const {
  const auto found = payload_reqids_.find(home_address);
  return found == payload_reqids_.end() ? 0 : found->second;
}

Result LinuxKernel::bind(const Ipv6Address& home_address, const Ipv6Address& care_of) {
  const auto reqid = payload_reqid(home_address);
  if (reqid == 0) return tunnel_.bind(home_address, care_of);
  // The policies first: nothing is let through that they have not looked at.
  return esp_tunnel_.require(Side::kAgent, ends(home_address), reqid, care_of).and_then([&] {
    return tunnel_.bind(home_address, care_of, true);
  });
}

Result LinuxKernel::forget_care_of(const Ipv6Address& home_address, const Ipv6Address& care_of) {
  return tunnel_.forget_care_of(home_address, care_of);
}

Result LinuxKernel::unbind(const Ipv6Address& home_address, bool in_flight) {
  auto unbound = tunnel_.unbind(home_address, in_flight);
  if (!unbound || payload_reqid(home_address) == 0) return unbound;
  return esp_tunnel_.remove(Side::kAgent, ends(home_address));
}

Result LinuxKernel::advertise(const Ipv6Address& address) {
  if (!advertiser_) {
    auto opened = mnd::kernel::Advertiser::open(interface_);
    if (!opened) return tl::unexpected(opened.error());
    advertiser_.emplace(std::move(*opened));
  }
  return advertiser_->advertise(address);
}

Result LinuxKernel::route_through(const Ipv6Address& home_address, const Ipv6Address& care_of) {
  return xfrm_.set_care_of(Side::kAgent, ends(home_address), care_of);
}

Result LinuxKernel::route_straight(const Ipv6Address& home_address) {
  return xfrm_.clear_care_of(Side::kAgent, ends(home_address));
}

Result LinuxKernel::send(std::span<const std::uint8_t> message, const Ipv6Address& destination, bool on_home_link) {
  if (socket_ == nullptr)
    return tl::unexpected(Error{.tried = "send a mobility message",
                                .on = destination.to_string(),
                                .reason = "the home agent is stopping",
                                .remedy = "",
                                .os_error = 0});
  if (on_home_link) return mnd::kernel::send_mobility_message_by(interface_, home_agent_, message, destination);
  return socket_->send(message, destination);
}

Result LinuxKernel::start_dad(const Ipv6Address& home_address, bool link_local, int probes,
                              std::function<void(bool duplicate)> done) {
  std::vector<Ipv6Address> targets{home_address};
  if (link_local) targets.push_back(link_local_of(home_address));
  Detection detection{.probes = {}, .waiting = targets.size(), .done = std::move(done)};
  for (const auto& target : targets) {
    auto probe = mnd::kernel::DadProbe::start(
        loop_, interface_, target, probes, [this, home_address](bool duplicate) { probed(home_address, duplicate); });
    if (!probe) return tl::unexpected(probe.error());
    detection.probes.push_back(std::move(*probe));
  }
  detections_[home_address] = std::move(detection);
  return {};
}

void LinuxKernel::probed(const Ipv6Address& home_address, bool duplicate) {
  const auto found = detections_.find(home_address);
  if (found == detections_.end()) return;
  if (--found->second.waiting > 0 && !duplicate) return;
  // A probe of it is calling: it may be destroyed only after this call.
  auto ended = std::make_shared<Detection>(std::move(found->second));
  detections_.erase(found);
  boost::asio::post(loop_, [ended] {});
  ended->done(duplicate);
}

// Where something does not move, somebody may have removed the policy that this is about, and with it what keeps
// messages and payload in the clear away.
Result LinuxKernel::move_key_endpoint(const Ipv6Address& home_address, std::uint32_t reqid, const Ipv6Address& remote) {
  const auto at = ends(home_address);
  const auto payload = payload_reqid(home_address);
  auto moved = xfrm_.move_key_endpoint(Side::kAgent, at, reqid, home_agent_, remote);
  if (!moved)
    if (auto required = xfrm_.require_esp(Side::kAgent, at, reqid); !required) return required;
  if (payload == 0 || !esp_tunnel_.required(Side::kAgent, at)) return moved;
  auto payload_moved = moved ? esp_tunnel_.move_with_keys(Side::kAgent, at, payload, remote) : moved;
  if (!payload_moved)
    if (auto required = esp_tunnel_.require(Side::kAgent, at, payload, remote); !required) return required;
  return payload_moved;
}

Result LinuxKernel::send_payload_to(const Ipv6Address& home_address, const Ipv6Address& remote) {
  const auto reqid = payload_reqid(home_address);
  return reqid == 0 ? Result() : esp_tunnel_.use(Side::kAgent, ends(home_address), reqid, remote);
}

tl::expected<std::vector<std::uint32_t>, Error> LinuxKernel::state_spis(const Ipv6Address& home_address,
                                                                        std::uint32_t reqid) {
  const auto states = xfrm_.esp_states(ends(home_address), reqid);
  if (!states) return tl::unexpected(states.error());
  std::vector<std::uint32_t> spis;
  for (const auto& state : *states) spis.push_back(state.spi);
  return spis;
}

Result LinuxKernel::delete_states_except(const Ipv6Address& home_address, std::uint32_t reqid,
                                         const std::vector<std::uint32_t>& kept,
                                         const std::optional<std::vector<std::uint32_t>>& among) {
  if (reqid == payload_reqid(home_address)) return esp_tunnel_.delete_states_except(home_agent_, reqid, kept);
  const auto states = xfrm_.esp_states(ends(home_address), reqid);
  if (!states) return tl::unexpected(states.error());
  const auto has = [](const auto& spis, std::uint32_t spi) { return std::ranges::find(spis, spi) != spis.end(); };
  for (const auto& state : *states) {
    if (has(kept, state.spi) || (among && !has(*among, state.spi))) continue;
    if (auto deleted = xfrm_.delete_esp_state(state); !deleted) return deleted;
  }
  return {};
}

ike::KeyPairUse LinuxKernel::look_up(const Ipv6Address& home_address, const ike::KeyPair& pair) {
  const auto out = xfrm_.esp_use(home_address, pair.spi_out);
  const auto in = xfrm_.esp_use(home_agent_, pair.spi_in);
  return {.pair = pair,
          .there = !out || out->has_value(),
          .used = in && *in && (*in)->packets > 0,
          .added = in && *in ? (*in)->added : 0};
}

Result LinuxKernel::close_inbound(const Ipv6Address& home_address, std::uint32_t spi) {
  return xfrm_.delete_esp_state({.source = home_address, .destination = home_agent_, .spi = spi});
}

Result LinuxKernel::send_under(const Ipv6Address& home_address, std::uint32_t reqid, std::uint32_t spi) {
  return xfrm_.send_under(Side::kAgent, ends(home_address), reqid, spi);
}

namespace {

bool has_address(const Ipv6Address& address) {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return true;  // not known: no reason to complain
  bool found = false;
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET6) continue;
    sockaddr_in6 socket_address{};
    std::memcpy(&socket_address, one->ifa_addr, sizeof socket_address);
    found = found || std::memcmp(&socket_address.sin6_addr, address.bytes.data(), address.bytes.size()) == 0;
  }
  ::freeifaddrs(list);
  return found;
}

}  // namespace

std::vector<Error> check_machine(const Ipv6Address& address, const std::string& interface) {
  std::vector<Error> problems;
  if (!has_address(address))
    problems.push_back({.tried = "find the home agent's address",
                        .on = address.to_string(),
                        .reason = "no interface has it",
                        .remedy = "ip addr add " + address.to_string() + "/64 dev " + interface,
                        .os_error = 0});
  std::string forwarding;
  std::ifstream{"/proc/sys/net/ipv6/conf/all/forwarding"} >> forwarding;
  if (forwarding == "0")
    problems.push_back({.tried = "forward packets to mobile nodes",
                        .on = interface,
                        .reason = "this machine is not a router",
                        .remedy = "sysctl net.ipv6.conf.all.forwarding=1",
                        .os_error = 0});
  return problems;
}

}  // namespace mip6ha
