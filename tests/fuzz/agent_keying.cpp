// Fuzz target: the home agent's keying core, between wishes of the binding cache and a charon that says what the bytes
// choose.
#include "ike-glue/agent_keying.hpp"

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

void wish(Input& in, Charon& charon) {
  const auto home_address = in.one_of(fuzz::kHomeAddresses);  // the last one is not served
  switch (in.below(4)) {
    case 0:
      return charon.give(ike::PeerEndpointMoved{home_address, fuzz::draw_address(in), in.below(4) != 0});
    case 1:
      return charon.give(ike::PeerReplaceAsked{home_address, fuzz::draw_address(in)});
    case 2:
      return charon.give(ike::PeerReplaceAsked{home_address});
    default:
      return in.below(16) == 0 ? charon.stop() : charon.give(ike::DeadlineReached{});
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input in{data, size};
  Charon charon{in, policy(), {"mip6ha-first", "mip6ha-second", "mip6ha-gone", "another"}};
  while (!in.empty())
    if (!charon.step()) wish(in, charon);
  charon.check_memory();
  return 0;
}
