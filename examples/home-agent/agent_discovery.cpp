// Home agent address discovery: other home agents are listed by their router advertisements, who asks for home agents
// is answered (RFC 6275 sections 10.5 and 10.5.1). And what follows from there being others: where a home address may
// have gone over to one of them, it is not intercepted again before the home link was asked.
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <cstring>
#include <utility>

#include "examples/home-agent/agent.hpp"
#include "libmip6/node/agent_discovery.hpp"
#include "libmip6/wire/icmp_message.hpp"
#include "mnd/linux/log.hpp"

namespace mip6ha {

namespace agent = mip6::agent;
using mip6::Ipv6Address;
using mnd::kernel::Level;

namespace {

constexpr int kHopLimit = 255;  // RFC 4861 section 6.1.2: from the link itself

// The first one of the interface; unspecified if it has none.
Ipv6Address link_local_of(const std::string& interface) {
  Ipv6Address found;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return found;
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET6 || interface != one->ifa_name) continue;
    sockaddr_in6 held{};
    std::memcpy(&held, one->ifa_addr, sizeof held);
    Ipv6Address address;
    std::memcpy(address.bytes.data(), &held.sin6_addr, address.bytes.size());
    if (!address.is_link_local()) continue;
    address.bytes[2] = address.bytes[3] = 0;  // some systems keep the scope there
    found = address;
    break;
  }
  ::freeifaddrs(list);
  return found;
}

}  // namespace

// What the kernel has intercepted all the time was nobody else's: its defence has kept others from it.
tl::expected<std::set<Ipv6Address>, mip6::Error> Agent::doubtful(const std::vector<agent::BindingRecord>& records) {
  std::set<Ipv6Address> doubtful;
  if (!others_->any()) return doubtful;
  const auto intercepted = kernel_->intercepted();
  if (!intercepted) return tl::unexpected(intercepted.error());
  for (const auto& record : records)
    if (record.care_of) doubtful.insert(record.home_address);
  for (const auto& home_address : *intercepted) doubtful.erase(home_address);
  return doubtful;
}

// Without it the nodes are served all the same.
void Agent::open_discovery() {
  home_link_ = ::if_nametoindex(config_.interface.c_str());
  const agent::DiscoveryPolicy policy{
      .link_local = link_local_of(config_.interface), .addresses = {config_.address}, .preference = config_.preference};
  list_ = std::make_unique<agent::HomeAgentsList>(policy, random_);
  auto advertisements = mnd::kernel::Icmp6Socket::open(loop_, mip6::RouterAdvertisement::kType,
                                                       [this](const auto& packet) { received_advertisement(packet); });
  if (!advertisements) return note(advertisements.error());
  advertisements_ = std::move(*advertisements);
  open_requests();
  watch_link();
}

void Agent::open_requests() {
  auto requests = mnd::kernel::Icmp6Socket::open(loop_, mip6::HomeAgentAddressDiscoveryRequest::kType,
                                                 [this](const auto& packet) { received_request(packet); });
  if (!requests) return note(requests.error());
  requests_ = std::move(*requests);
  anycast_ = {mip6::node::home_agents_anycast(config_.prefix)};
  if (config_.next_prefix) anycast_.insert(mip6::node::home_agents_anycast(*config_.next_prefix));
  for (const auto& address : anycast_)
    if (const auto joined = requests_->join_anycast(address, home_link_); !joined) note(joined.error());
}

// Only where somebody else could take over: it hears of every route.
void Agent::watch_link() {
  if (links_ != nullptr || !others_->any()) return;
  links_ = std::make_unique<mnd::kernel::LinkMonitor>(loop_, [this](const auto& network) { link_changed(network); });
  if (const auto started = links_->start(); !started) note(started.error());
}

void Agent::received_advertisement(const mnd::kernel::Icmp6Packet& packet) {
  if (packet.interface != home_link_ || packet.hop_limit != kHopLimit) return;
  const auto message = mip6::parse_icmp_message(packet.message);
  const auto* advertisement = message ? std::get_if<mip6::RouterAdvertisement>(&*message) : nullptr;
  if (advertisement == nullptr) return drop("malformed router advertisement", packet.source);
  discover(agent::RouterAdvertisementReceived{.advertisement = *advertisement, .source = packet.source});
  for (const auto& [link_local, listed] : list_->agents())
    for (const auto& [address, until] : listed.addresses) {
      if (address == config_.address || others_->known().contains(address) ||
          others_->known().size() >= OtherAgents::kMost)
        continue;
      mnd::kernel::log(Level::kInfo, fmt::format("another home agent on the home link address={} preference={}",
                                                 address.to_string(), listed.preference));
      performer_->check(others_->saw(address));
      watch_link();
    }
}

void Agent::received_request(const mnd::kernel::Icmp6Packet& packet) {
  // Another prefix's question is for others; what came to our unicast address is no question at all.
  if (!anycast_.contains(packet.destination)) return drop("discovery request to another address", packet.source);
  const auto message = mip6::parse_icmp_message(packet.message);
  const auto* request = message ? std::get_if<mip6::HomeAgentAddressDiscoveryRequest>(&*message) : nullptr;
  if (request == nullptr) return drop("malformed discovery request", packet.source);
  if (!request_limit_.allows(mnd::kernel::boot_now())) return drop("too many discovery requests", packet.source);
  discover(agent::DiscoveryRequestReceived{.request = *request, .source = packet.source});
}

void Agent::discover(const agent::DiscoveryEvent& event) {
  for (const auto& action : list_->handle(event, mnd::kernel::boot_now())) {
    const auto& send = std::get<agent::SendDiscoveryReply>(action);
    if (requests_ == nullptr) continue;
    const auto bytes = mip6::write_icmp_message(send.reply);
    if (const auto sent = requests_->send(bytes, send.source, send.destination); !sent)
      mnd::kernel::log(Level::kDebug, sent.error().to_string());  // whoever asks has it asked again
    else
      ++requests_answered_;
  }
  arm_timer();
}

void Agent::link_changed(const mnd::kernel::NetworkState& network) {
  const auto link = network.links.find(home_link_);
  const bool running = link != network.links.end() && link->second.up && link->second.running;
  const bool was_running = std::exchange(link_was_running_, running);
  if (!running || was_running) return;
  // The kernel has lost the anycast address with the link, and takes it again for a socket that is new only.
  requests_.reset();
  open_requests();
  post(agent::Event{agent::HomeLinkReturned{}});
}

}  // namespace mip6ha
