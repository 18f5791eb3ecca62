// What an event costs the mobile node's core: hard moves and their acknowledgements in turn, the events that do most.
#include <benchmark/benchmark.h>

#include "libmip6/node/home_registration.hpp"
#include "tests/bench/heap.hpp"

namespace {

using namespace mip6;
using namespace mip6::node;
using namespace std::chrono_literals;

Ipv6Address address(const char* text) { return Ipv6Address::parse(text).value(); }

// A core with keys that can follow, renewed as soon as it asks for that, and a disk that answers at once.
struct Node {
  HomeRegistration core{Policy{.home_address = address("2001:db8:1::42"), .home_agent = address("2001:db8:1::1")},
                        SequenceState{SequenceNumber{1000}}};
  BootTime now{1000s};
  std::uint64_t registrations = 0;

  void give(const Event& event) {
    for (const auto& action : core.handle(event, now)) {
      if (const auto* reserve = std::get_if<ReserveSequence>(&action)) {
        give(SequenceReserved{reserve->end});
      } else if (const auto* renew = std::get_if<RenewKeys>(&action)) {
        give(KeysUsable{.can_migrate = true, .fresh = true, .endpoint = renew->attachment.care_of});
      } else if (std::holds_alternative<Registered>(action)) {
        ++registrations;
      }
    }
  }
};

void mobile_node_event(benchmark::State& state) {
  const Attachment places[] = {{2, address("2001:db8:a1::7"), address("fe80::a1"), false},
                               {3, address("2001:db8:a2::7"), address("fe80::a2"), false}};
  Node node;
  node.give(KeysUsable{.can_migrate = true, .fresh = true, .endpoint = places[0].care_of});
  std::uint64_t events = 0;
  {
    const bench::AllocationsPerIteration allocations{state};
    for (auto _ : state) {
      if (events % 2 == 0) {
        node.now += 10s;  // never held up by the rate limit
        node.give(Attached{places[events / 2 % 2], false});
      } else {
        node.give(AcknowledgementReceived{{Status::kAccepted, true, *node.core.last_sequence(), Lifetime{420}, {}}});
      }
      ++events;
    }
  }
  if (node.registrations != events / 2) state.SkipWithError("a move did not end in a registration");
}
BENCHMARK(mobile_node_event)->Name("MobileNodeEvent");

}  // namespace
