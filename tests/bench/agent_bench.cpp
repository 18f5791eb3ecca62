// A binding among many in the home agent's cache moves: the update, its record stored, the acknowledgement. The
// bindings take turns in an order that no processor cache can follow. Also what a binding takes from the heap.
#include <benchmark/benchmark.h>

#include "libmip6/agent/home_agent.hpp"
#include "tests/bench/heap.hpp"
#include "tests/bench/turns.hpp"

namespace {

using namespace mip6;
using namespace mip6::agent;
using namespace std::chrono_literals;
using bench::kStride;
using bench::numbered;

Ipv6Address address(const char* text) { return Ipv6Address::parse(text).value(); }

// A home agent with `nodes` nodes that move in turn, and a disk that answers at once.
class Cache {
 public:
  explicit Cache(std::uint64_t nodes) : nodes_{nodes} {
    for (std::uint64_t node = 0; node < nodes; ++node) served_.serve({numbered(kHome, node), true});
    auto& update = std::get<UpdateReceived>(event_).update;
    update.acknowledge = update.home_registration = update.key_mobility = true;
    update.lifetime = Lifetime{420};
  }

  // The next node's move, half a lifetime after its last one. True: it was accepted.
  bool move_next() {
    const std::uint64_t node = moves_ * kStride % nodes_;
    const std::uint64_t round = moves_ / nodes_;
    ++moves_;
    now_ += Duration{210s} / static_cast<std::int64_t>(nodes_);
    auto& received = std::get<UpdateReceived>(event_);
    received.home_address = numbered(kHome, node);
    received.home_address_option_source = numbered(round % 2 == 0 ? kCareOf1 : kCareOf2, node);
    received.update.sequence = SequenceNumber{static_cast<std::uint16_t>(round + 1)};
    received.update.options = {AlternateCareOfAddress{*received.home_address_option_source}};
    const auto asked = agent_.handle(event_, now_);
    const auto moved = agent_.handle(RecordStored{received.home_address, true}, now_);
    const auto answered = agent_.handle(KeysMoved{received.home_address, true}, now_);
    benchmark::DoNotOptimize(asked.data());
    benchmark::DoNotOptimize(moved.data());
    benchmark::DoNotOptimize(answered.data());
    return agent_.counters().accepted == moves_;
  }

  // All nodes move; false: not all were accepted.
  bool move_all() {
    for (std::uint64_t node = 0; node < nodes_; ++node)
      if (!move_next()) return false;
    return true;
  }

 private:
  const Ipv6Address kHome = address("2001:db8:1::");
  const Ipv6Address kCareOf1 = address("2001:db8:a1::");
  const Ipv6Address kCareOf2 = address("2001:db8:a2::");

  std::uint64_t nodes_;
  ServedNodes served_;
  HomeAgent agent_{Policy{.address = address("2001:db8:1:1::1"),
                          .home_prefixes = {HomePrefix{.prefix = Ipv6Prefix::parse("2001:db8:1::/64").value()}},
                          .duplicate_address_detection = false},
                   served_};
  std::uint64_t moves_ = 0;
  BootTime now_{1000s};
  Event event_ = UpdateReceived{.unix_time = 1'700'000'000};
};

void binding_cache_update(benchmark::State& state) {
  const auto nodes = static_cast<std::uint64_t>(state.range(0));
  Cache cache{nodes};
  const auto without_bindings = bench::heap().bytes;
  // Twice: what a move leaves behind in an entry counts.
  bool accepted = cache.move_all() && cache.move_all();
  const auto bindings = bench::heap().bytes - without_bindings;
  {
    const bench::AllocationsPerIteration allocations{state};
    for (auto _ : state) accepted = cache.move_next() && accepted;
  }
  state.counters["bytes_per_binding"] = static_cast<double>(bindings) / static_cast<double>(nodes);
  if (!accepted) state.SkipWithError("a move was not accepted");
}
BENCHMARK(binding_cache_update)->Name("BindingCacheUpdate")->Arg(1'000)->Arg(10'000)->Arg(100'000);

}  // namespace
