// Fuzz target: the home agent's keying core, between wishes of the binding cache and a charon that says what the bytes
// choose.
#include "ike-glue/agent_keying.hpp"

#include <set>

#include "tests/fuzz/charon.hpp"

using fuzz::Input;

namespace {

using Charon = fuzz::Charon<ike::AgentKeying, ike::AgentKeyingEvent, ike::AgentKeyingAction>;

ike::AgentKeyingPolicy policy() {
  const ike::PreSharedKey key{fuzz::kSecret};
  return {fuzz::kHomeAgent,
          {{"first", fuzz::kHomeAddresses[0], {"ha@example.org", "mn@example.org", key}, 11},
           {"second", fuzz::kHomeAddresses[1], {"ha@example.org", "other@example.org", key}, 12}}};
}

// Nodes come, go and get other secrets while it runs.
class Operator {
 public:
  void change(Input& in, Charon& charon) {
    const auto home_address = in.one_of(fuzz::kHomeAddresses);
    const bool served = served_.contains(home_address);
    if (in.below(8) == 0) return charon.give(ike::PeersBanned{{{"first", home_address, "mn@example.org"}}});
    if (served) charon.give(ike::PeerDismissed{home_address});
    served_.erase(home_address);
    if (served && in.below(2) == 0) return;
    auto node = policy().nodes.front();
    node.name = home_address == fuzz::kHomeAddresses[0]   ? "first"
                : home_address == fuzz::kHomeAddresses[1] ? "second"
                                                          : "third";
    node.home_address = home_address;
    charon.give(ike::PeerServed{node});
    served_.insert(home_address);
  }

 private:
  std::set<mip6::Ipv6Address> served_{fuzz::kHomeAddresses[0], fuzz::kHomeAddresses[1]};
};

void wish(Input& in, Charon& charon, Operator& steering) {
  const auto home_address = in.one_of(fuzz::kHomeAddresses);  // the last one is not served at first
  switch (in.below(6)) {
    case 0:
      return charon.give(ike::PeerEndpointMoved{home_address, fuzz::draw_address(in), in.below(4) != 0});
    case 1:
      return charon.give(ike::PeerReplaceAsked{home_address, fuzz::draw_address(in)});
    case 2:
      return charon.give(ike::PeerReplaceAsked{home_address});
    case 3:
      return charon.give(ike::PeerKeysUsed{home_address, 0xc0000000 + static_cast<std::uint32_t>(in.below(10))});
    case 4:
      return steering.change(in, charon);
    default:
      return in.below(16) == 0 ? charon.stop() : charon.give(ike::DeadlineReached{});
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input in{data, size};
  Charon charon{in, policy(), {"mip6ha-first", "mip6ha-second", "mip6ha-gone", "another"}};
  Operator steering;
  while (!in.empty())
    if (!charon.step()) wish(in, charon, steering);
  charon.check_memory();
  return 0;
}
