// A node among many moves: what the home agent's part of IKE does for that must not be of all the others.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "ike-glue/agent_keying.hpp"
#include "tests/bench/turns.hpp"

namespace {

using namespace mip6;
using bench::kStride;
using bench::numbered;

Ipv6Address address(const char* text) { return Ipv6Address::parse(text).value(); }

// The kernel has moved the node's keys, and the next move replaces them. After each event the next deadline is asked
// for, as by the loop.
void keys_of_one_move(benchmark::State& state) {
  const auto count = static_cast<std::uint64_t>(state.range(0));
  const auto home = address("2001:db8:1::");
  const auto care_of = address("2001:db8:a1::7");
  ike::AgentKeyingPolicy policy{.home_agent = address("2001:db8:1:1::1"), .nodes = {}};
  for (std::uint64_t node = 0; node < count; ++node)
    policy.nodes.push_back({.name = fmt::format("node-{}", node),
                            .home_address = numbered(home, node),
                            .credentials = {"ha@example.org", fmt::format("node-{}@example.org", node),
                                            ike::PreSharedKey{"a secret that is long enough"}}});
  ike::AgentKeying keying{std::move(policy)};
  const BootTime now{std::chrono::seconds{1000}};
  keying.handle(ike::CharonConnected{}, now);
  std::uint64_t moves = 0;
  bool right = true;
  for (auto _ : state) {
    const auto node = numbered(home, moves++ * kStride % count);
    right = right && keying.handle(ike::PeerEndpointMoved{.home_address = node, .care_of = care_of}, now).empty() &&
            keying.next_deadline().has_value();
    right = right && keying.handle(ike::PeerReplaceAsked{.home_address = node, .care_of = care_of}, now).empty() &&
            !keying.next_deadline().has_value();
  }
  if (!right) state.SkipWithError("a deadline is missing, or there is one that nothing waits for");
}
BENCHMARK(keys_of_one_move)->Name("KeysOfOneMove")->Arg(1'000)->Arg(100'000);

}  // namespace
