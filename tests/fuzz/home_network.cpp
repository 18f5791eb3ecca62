// Fuzz target: what the home agent knows and tells of its network, fed with events that the bytes choose: the list of
// home agents with the answers to discovery, and the advertisements of prefixes to the mobile nodes.
#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "libmip6/agent/home_agents_list.hpp"
#include "libmip6/agent/prefix_advertiser.hpp"
#include "libmip6/wire/icmp_message.hpp"
#include "tests/fuzz/draw.hpp"
#include "tests/fuzz/heap.hpp"

using namespace mip6;
using namespace mip6::agent;
using fuzz::Input;
using fuzz::require;

namespace {

constexpr std::size_t kMostMemory = 512 * 1024;

template <class Core>
std::optional<BootTime> reachable(const Core& core) {
  const auto deadline = core.next_deadline();
  return deadline && *deadline <= fuzz::kEndOfTime ? deadline : std::nullopt;
}

void require_on_the_wire(const IcmpMessage& message) {
  const auto written = write_icmp_message(message);
  require(written.size() <= 1280 - 40, "a message fits into the minimum MTU");
  const auto parsed = parse_icmp_message(written);
  require(parsed && *parsed == message, "a message is what the wire says");
}

// The list of home agents.
class List {
 public:
  explicit List(Input& in) : in_{in}, random_{in.u8()}, policy_{policy(in)}, core_{policy_, random_} {}

  void step(BootTime now) {
    switch (in_.below(4)) {
      case 0:
        return ask(now);
      case 1:
        return reach_deadline(now);
      default:
        return advertise(now);
    }
  }
  std::optional<BootTime> next_deadline() const { return reachable(core_); }
  void reach_deadline(BootTime now) { require(handle(DeadlineReached{}, now).empty(), "nobody asked"); }

 private:
  static DiscoveryPolicy policy(Input& in) {
    DiscoveryPolicy chosen;
    chosen.link_local = fuzz::address("fe80::1");
    if (in.below(8) != 0) chosen.addresses = {fuzz::kHomeAgent};
    if (in.flag()) chosen.addresses.push_back(fuzz::address("2001:db8:2::1"));
    chosen.preference = in.u8();
    return chosen;
  }

  // Many of them, as somebody who forges could send.
  Ipv6Address router() {
    auto address = in_.below(8) == 0 ? fuzz::draw_address(in_) : fuzz::address("fe80::1");
    address.bytes[15] = in_.u8();
    return address;
  }

  void advertise(BootTime now) {
    RouterAdvertisementReceived event{{}, router()};
    auto& advertisement = event.advertisement;
    advertisement.home_agent = in_.below(8) != 0;
    advertisement.router_lifetime = Lifetime{in_.u16()};
    if (in_.flag()) advertisement.home_agent_information = HomeAgentInformation{in_.u8(), Lifetime{in_.u16()}};
    for (auto left = in_.below(24); left > 0; --left) {
      auto information = fuzz::draw_prefix_information(in_);
      if (in_.flag()) information.prefix.address.bytes[15] = in_.u8();
      advertisement.prefixes.push_back(information);
    }
    require(handle(event, now).empty(), "an advertisement is not answered");
    const bool listed = core_.agents().contains(event.source);
    require(!listed || advertisement.home_agent, "who is no home agent is not listed");
  }

  void ask(BootTime now) {
    const DiscoveryRequestReceived event{{in_.u16()}, fuzz::draw_address(in_)};
    const auto actions = handle(event, now);
    const bool answerable = event.source.is_global_unicast() && !policy_.addresses.empty();
    require(actions.size() == (answerable ? 1 : 0), "who can be answered is answered once");
    if (!answerable) return;
    const auto& [reply, source, destination] = std::get<SendDiscoveryReply>(actions.front());
    require(reply.identifier == event.request.identifier && destination == event.source, "the answer is to who asked");
    require(source == policy_.addresses.front(), "the answer is from our own address");
    check_order(reply.home_agents);
    require_on_the_wire(reply);
  }

  // All addresses that are known, ours too, as far as there is room; those of a more preferable agent first.
  void check_order(const std::vector<Ipv6Address>& told) const {
    std::map<std::uint16_t, std::multiset<Ipv6Address>, std::greater<>> by_preference;
    by_preference[policy_.preference].insert(policy_.addresses.begin(), policy_.addresses.end());
    std::size_t all = policy_.addresses.size();
    for (const auto& [link_local, agent] : core_.agents()) {
      all += agent.addresses.size();
      for (const auto& [address, until] : agent.addresses) by_preference[agent.preference].insert(address);
    }
    require(told.size() == std::min(all, kMaxReplyAddresses), "all are told that there is room for");
    auto left = by_preference.begin();
    for (const auto& address : told) {
      while (left != by_preference.end() && left->second.empty()) ++left;
      require(left != by_preference.end(), "no address is told twice");
      const auto found = left->second.find(address);
      require(found != left->second.end(), "the more preferable come first");
      left->second.erase(found);
    }
  }

  std::vector<DiscoveryAction> handle(const DiscoveryEvent& event, BootTime now) {
    auto actions = core_.handle(event, now);
    require(core_.agents().size() <= kMaxListedAgents, "few agents are listed");
    for (const auto& [link_local, agent] : core_.agents()) {
      require(link_local.is_link_local() && link_local != policy_.link_local, "the others on the link are listed");
      require(agent.until > now && agent.addresses.size() <= kMaxListedAddresses, "an agent is listed for a while");
      for (const auto& [address, until] : agent.addresses)
        require(until > now && address.is_global_unicast(), "an address is listed for a while");
    }
    require(!core_.next_deadline() || *core_.next_deadline() > now, "a deadline that was handled is over");
    return actions;
  }

  Input& in_;
  fuzz::Drawn random_;
  DiscoveryPolicy policy_;
  HomeAgentsList core_;
};

// The advertisements of prefixes.
class Advertiser {
 public:
  explicit Advertiser(Input& in) : in_{in}, random_{in.u8()}, policy_{policy(in)}, core_{policy_, served_, random_} {}

  void step(BootTime now) {
    const auto home_address = in_.one_of(fuzz::kHomeAddresses);
    switch (in_.below(8)) {
      case 0:
      case 1:
        return solicit(home_address, now);
      case 2:
      case 3:
        return install(home_address, now);
      case 4:
        bound_.erase(home_address);
        return give(BindingRemoved{home_address}, now);
      case 5:
        return change_prefixes(now);
      default:
        return give(DeadlineReached{}, now);
    }
  }
  std::optional<BootTime> next_deadline() const { return reachable(core_); }
  void reach_deadline(BootTime now) { give(DeadlineReached{}, now); }

 private:
  struct Sent {
    std::optional<BootTime> last;
    std::deque<BootTime> unsolicited;  // since there was something new to tell
  };

  static PrefixAdvertiserPolicy policy(Input& in) {
    PrefixAdvertiserPolicy chosen;
    chosen.address = fuzz::kHomeAgent;
    chosen.home_prefixes = {{.prefix = *Ipv6Prefix::parse("2001:db8:1::/64")}};
    if (in.flag()) chosen.max_interval = Lifetime{600 + in.u16()};
    chosen.enabled = in.below(8) != 0;
    chosen.managed = in.flag();
    return chosen;
  }

  // The last one of the addresses is not served.
  bool serves(const Ipv6Address& home_address) const { return served_.standing_of(home_address) == Standing::kServed; }

  void solicit(const Ipv6Address& home_address, BootTime now) {
    const PrefixSolicitationReceived event{{in_.u16()}, home_address, fuzz::draw_address(in_)};
    if (serves(home_address)) asked_[home_address] = event;
    sent_[home_address].unsolicited.clear();
    give(event, now);
  }

  void install(const Ipv6Address& home_address, BootTime now) {
    if (!serves(home_address)) return;
    bound_[home_address] = in_.one_of(fuzz::kCareOfAddresses);
    sent_[home_address].unsolicited.clear();
    give(BindingInstalled{home_address, bound_[home_address]}, now);
  }

  void change_prefixes(BootTime now) {
    HomePrefixesChanged event;
    for (auto left = in_.below(4); left > 0; --left) {
      const auto information = fuzz::draw_prefix_information(in_);
      const auto end = [&](Lifetime lifetime) { return lifetime == kInfiniteLifetime ? kForever : now + lifetime; };
      event.prefixes.push_back({.prefix = {information.prefix.address, 64},
                                .valid_until = end(information.valid),
                                .preferred_until = end(std::min(information.preferred, information.valid)),
                                .on_link = information.on_link,
                                .autonomous = information.autonomous,
                                .router_address = true});
    }
    policy_.home_prefixes = event.prefixes;
    for (auto& [home_address, sent] : sent_) sent.unsolicited.clear();
    give(event, now);
  }

  void give(const PrefixEvent& event, BootTime now) {
    const auto actions = core_.handle(event, now);
    require(policy_.enabled || actions.empty(), "nothing is told where that is not wanted");
    for (const auto& action : actions) check(std::get<SendPrefixAdvertisement>(action), now);
    require(core_.remembered() <= 2, "no stranger is remembered");
    require(!core_.next_deadline() || *core_.next_deadline() > now, "a deadline that was handled is over");
  }

  void check(const SendPrefixAdvertisement& send, BootTime now) {
    const auto& [advertisement, source, home_address, care_of] = send;
    require(serves(home_address) && source == policy_.address, "who is served is told, by us");
    auto& sent = sent_[home_address];
    require(!sent.last || now - *sent.last >= kPrefixAdvPause, "a node is not told more than once a second");
    sent.last = now;

    const auto asked = asked_.find(home_address);
    if (asked != asked_.end()) {
      require(advertisement.identifier == asked->second.solicitation.identifier && care_of == asked->second.source,
              "the answer is to the last one that was asked");
      asked_.erase(asked);
      sent.unsolicited.clear();
    } else {
      const auto bound = bound_.find(home_address);
      require(bound != bound_.end() && bound->second == care_of, "who is told unasked has a binding");
      require(advertisement.identifier == 0, "an answer to nobody has no identifier");
      sent.unsolicited.push_back(now);
      check_retransmissions(sent.unsolicited);
    }
    require(advertisement.managed == policy_.managed, "the flags are ours");
    require(advertisement.prefixes.size() == policy_.home_prefixes.size(), "all prefixes are told");
    for (std::size_t i = 0; i < advertisement.prefixes.size(); ++i) {
      require(advertisement.prefixes[i].prefix == policy_.home_prefixes[i].prefix, "in their order");
      require(advertisement.prefixes[i].valid == remaining(policy_.home_prefixes[i].valid_until, now),
              "with what is left of their lifetime");
    }
    require_on_the_wire(advertisement);
  }

  // Once, and PREFIX_ADV_RETRIES times again; then not before a scheduled time.
  void check_retransmissions(std::deque<BootTime>& times) const {
    constexpr std::size_t kRound = 1 + kPrefixAdvRetries;
    if (times.size() <= kRound) return;
    require(times.back() - times.front() >= policy_.min_interval, "who does not answer is left alone for a while");
    times.pop_front();
  }

  Input& in_;
  fuzz::Drawn random_;
  ServedNodes served_{{{fuzz::kHomeAddresses[0], true}, {fuzz::kHomeAddresses[1], true}}};
  PrefixAdvertiserPolicy policy_;
  PrefixAdvertiser core_;
  std::map<Ipv6Address, Ipv6Address> bound_;
  std::map<Ipv6Address, PrefixSolicitationReceived> asked_;
  std::map<Ipv6Address, Sent> sent_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input in{data, size};
  List list{in};
  Advertiser advertiser{in};
  const auto before = fuzz::heap();
  BootTime now{std::chrono::seconds{100}};
  while (!in.empty()) {
    now = std::min(now + in.pause(), fuzz::kEndOfTime);
    switch (in.below(4)) {
      case 0:
        if (const auto next = list.next_deadline()) now = std::max(now, *next);
        list.reach_deadline(now);
        break;
      case 1:
        if (const auto next = advertiser.next_deadline()) now = std::max(now, *next);
        advertiser.reach_deadline(now);
        break;
      case 2:
        list.step(now);
        break;
      default:
        advertiser.step(now);
    }
  }
  fuzz::require_bounded(before, kMostMemory);
  return 0;
}
