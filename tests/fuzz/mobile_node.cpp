// Fuzz target: the whole mobile node with several home agents, or none that it knows, and home addresses that come and
// go. Beyond the events of the registration (node.hpp) the bytes choose the answers of discovery, and forgeries.
#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "libmip6/node/mobile_node.hpp"
#include "tests/fuzz/node.hpp"

using namespace mip6;
using namespace mip6::node;
using fuzz::Input;
using fuzz::require;

namespace {

const std::array kHomeAgents{fuzz::kHomeAgent, fuzz::address("2001:db8:1::2"), fuzz::address("2001:db8:1::3")};
const Ipv6Address kOtherHomeAddress = fuzz::address("2001:db8:2::42");

MobileNodePolicy draw_policy(Input& in) {
  MobileNodePolicy policy;
  policy.registration = fuzz::draw_registration_policy(in);
  policy.home_prefix = *Ipv6Prefix::parse("2001:db8:1::/64");
  for (auto left = in.below(4); left > 0; --left) policy.home_agents.push_back(in.one_of(kHomeAgents));
  policy.discover = policy.home_agents.empty() || in.flag();
  if (in.flag()) policy.keyed_home_addresses = {fuzz::kHomeAddresses[1], kOtherHomeAddress};
  return policy;
}

class Mobile : public fuzz::Node<MobileNode, MobileAction> {
 public:
  Mobile(Input& in, const MobileNodePolicy& policy, Random& random)
      : Node{in, MobileNode{policy, fuzz::draw_stored(in), random}}, policy_{policy} {
    home_agent_ = {};
  }

  void step() {
    if (in_.below(4) != 0) {
      Node::step();
    } else {
      pass();
      in_.flag() ? discovery_reply() : prefix_advertisement();
    }
    require(is_ours(core_.home_address()), "a home address is configured or has keys");
    if (!home_agent_.is_unspecified())
      require(core_.home_agent() == home_agent_, "the home agent is the one that was told");
  }

 private:
  bool is_ours(const Ipv6Address& home_address) const {
    return home_address == policy_.registration.home_address ||
           std::ranges::find(policy_.keyed_home_addresses, home_address) != policy_.keyed_home_addresses.end();
  }

  void discovery_reply() {
    AgentDiscoveryReplyReceived event{{in_.flag() ? discovery_identifier_ : in_.u16(), {}}, fuzz::kHomeAgent};
    for (auto left = in_.below(20); left > 0; --left)
      event.reply.home_agents.push_back(in_.flag() ? in_.one_of(kHomeAgents) : fuzz::draw_address(in_));
    give(event);
  }

  void prefix_advertisement() {
    PrefixAdvertisementReceived event;
    event.advertisement.identifier = in_.flag() ? prefix_identifier_ : in_.u16();
    event.source = in_.below(4) == 0 ? fuzz::draw_address(in_) : core_.home_agent();
    event.protected_by_ipsec = in_.below(4) != 0;
    for (auto left = in_.below(4); left > 0; --left)
      event.advertisement.prefixes.push_back(fuzz::draw_prefix_information(in_));
    give(event);
  }

  void look_at(const MobileAction& action) override {
    if (const auto* use = std::get_if<UseHomeAgent>(&action)) {
      require(use->home_agent.is_global_unicast(), "a home agent is one host");
      if (std::exchange(told_, true) || policy_.home_agents.empty())
        begin_anew(use->home_agent);
      else
        home_agent_ = use->home_agent;
    } else if (const auto* address = std::get_if<UseHomeAddress>(&action)) {
      require(is_ours(address->home_address), "another home address has keys");
      require(address->prefix.contains(address->home_address), "a home address is in its prefix");
      begin_anew(home_agent_);
    } else if (const auto* request = std::get_if<SendDiscoveryRequest>(&action)) {
      require(policy_.discover, "home agents are looked for where that is wanted");
      discovery_identifier_ = request->request.identifier;
    } else if (const auto* solicitation = std::get_if<SendPrefixSolicitation>(&action)) {
      require(solicitation->home_agent == home_agent_, "the home agent is asked that serves");
      prefix_identifier_ = solicitation->solicitation.identifier;
    }
    require(!home_agent_.is_unspecified() || concerns_no_agent(action), "a home agent is told before it is used");
  }

  static bool concerns_no_agent(const MobileAction& action) {
    return std::holds_alternative<SendDiscoveryRequest>(action) || std::holds_alternative<StopOutbound>(action) ||
           std::holds_alternative<ReserveSequence>(action) || std::holds_alternative<Trouble>(action) ||
           std::holds_alternative<Stopped>(action);
  }

  MobileNodePolicy policy_;
  bool told_ = false;  // a home agent
  std::uint16_t discovery_identifier_ = 0;
  std::uint16_t prefix_identifier_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input in{data, size};
  fuzz::Drawn random{in.u8()};
  Mobile node{in, draw_policy(in), random};
  while (!in.empty()) node.step();
  node.check_memory();
  return 0;
}
