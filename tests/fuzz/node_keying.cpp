// Fuzz target: the mobile node's keying core, between wishes of the registration and a charon that says what the bytes
// choose.
#include "ike-glue/node_keying.hpp"

#include "tests/fuzz/charon.hpp"

using fuzz::Input;
using fuzz::require;

namespace {

using Charon = fuzz::Charon<ike::NodeKeying, ike::NodeKeyingEvent, ike::NodeKeyingAction>;

ike::NodeKeyingPolicy policy() {
  return {fuzz::kHomeAddresses[0],
          fuzz::kHomeAgent,
          {"mn@example.org", "ha@example.org", ike::PreSharedKey{fuzz::kSecret}},
          11};
}

void wish(Input& in, Charon& charon) {
  const auto local = in.one_of(fuzz::kCareOfAddresses);
  switch (in.below(6)) {
    case 0:
      return charon.give(ike::EstablishAsked{local});
    case 1:
      return charon.give(ike::EndpointMoved{local, in.below(4) != 0});
    case 2: {
      const auto flags = in.u8();
      return charon.give(ike::ReestablishAsked{local, (flags & 1) != 0, (flags & 128) != 0});
    }
    case 3:
      return charon.give(ike::OwnEndpointMoved{});
    case 4:
      return in.below(8) == 0 ? charon.stop() : charon.give(ike::EstablishAsked{local});
    default:
      return charon.give(ike::Attached{local});
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input in{data, size};
  Charon charon{in, policy(), {"mip6-2001-db8-1--42-1", "mip6-2001-db8-1--42-2", "mip6-2001-db8-1--42", "another"}};
  while (!in.empty()) {
    if (!charon.step()) wish(in, charon);
    require(!charon.core().state().empty(), "its state has a name");
    require(!charon.core().endpoint() || charon.core().usable(), "an endpoint only where there are keys");
  }
  charon.check_memory();
  return 0;
}
