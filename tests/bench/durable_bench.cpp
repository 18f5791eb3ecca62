// What durability costs the home agent: updates that are stored on this disk before they are acknowledged, in groups
// and alone, beside the disk's syncs; what a node takes of memory; how long a start with many bindings takes, from the
// configuration's files on.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "tests/bench/agent_world.hpp"
#include "tests/bench/heap.hpp"
#include "tests/bench/syncs.hpp"

namespace {

// As many as the figures are wanted for; a test that only looks whether it works says fewer.
std::uint64_t nodes() {
  const char* fewer = std::getenv("MND_BENCH_NODES");
  return fewer == nullptr ? 100'000 : std::strtoull(fewer, nullptr, 10);
}

// A page appended to a log and made durable: what one transaction cannot go without.
void disk_sync(benchmark::State& state) {
  const bench::DiskFolder folder;
  const int file = ::open((folder.path() / "log").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  std::array<char, 4096> page{};
  off_t end = 0;
  // A log that is written again and again, as the database's is: its blocks are there already.
  for (; end < 4 * 1024 * 1024; end += 4096)
    if (::pwrite(file, page.data(), page.size(), end) < 0) state.SkipWithError("cannot write");
  ::fsync(file);
  end = 0;
  for (auto _ : state) {
    page.fill(static_cast<char>(end / 4096));
    if (::pwrite(file, page.data(), page.size(), end) < 0 || ::fdatasync(file) != 0)
      state.SkipWithError("cannot make durable");
    end = (end + 4096) % (4 * 1024 * 1024);
  }
  ::close(file);
}
BENCHMARK(disk_sync)->Name("DiskSync")->UseRealTime();

// Home agents of 100,000 nodes, all of them bound, are costly to make: one serves several benches.
struct Shared {
  bench::DiskFolder folder;
  std::unique_ptr<bench::AgentWorld> world;
  std::int64_t bytes = 0;  // from the heap, with all of them bound
  bool good = true;

  void open(std::uint64_t count) {
    world.reset();
    const auto before = bench::heap().bytes;
    world = std::make_unique<bench::AgentWorld>(folder.path(), bench::many_nodes(count));
    while (world->bindings() < count && good) good = world->updates_arrive(1000);
    // Twice: what a move leaves behind in an entry counts.
    for (std::uint64_t moved = 0; moved < count && good; moved += 1000) good = world->updates_arrive(1000);
    bytes = bench::heap().bytes - before;
  }
};

Shared& shared() {
  static Shared one;
  if (one.world == nullptr) one.open(nodes());
  return one;
}

void durable_updates(benchmark::State& state) {
  auto& agent = shared();
  const auto group = static_cast<std::uint64_t>(state.range(0));
  const auto before = bench::syncs();
  for (auto _ : state) agent.good = agent.good && agent.world->updates_arrive(group);
  if (!agent.good) state.SkipWithError("an update was not accepted");
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.counters["syncs"] =
      benchmark::Counter(static_cast<double>(bench::syncs() - before), benchmark::Counter::kAvgIterations);
  state.counters["bytes_per_binding"] = static_cast<double>(agent.bytes) / static_cast<double>(nodes());
}
BENCHMARK(durable_updates)->Name("DurableUpdates")->UseRealTime()->Arg(1)->Arg(64)->Arg(256);

// Written a moment before, so that the kernel still has the files in memory: what the disk needs for so many is its
// own.
const std::filesystem::path& configuration() {
  static const bench::DiskFolder folder;
  static const auto path = bench::write_configuration(bench::many_nodes(nodes()), folder.path());
  return path;
}

void start_up(benchmark::State& state) {
  auto& agent = shared();
  const auto& path = configuration();
  for (auto _ : state) {
    state.PauseTiming();
    agent.world.reset();
    state.ResumeTiming();
    auto config = mip6ha::load_config(path);
    if (!config) {
      state.SkipWithError("the configuration is not read");
      return;
    }
    agent.world = std::make_unique<bench::AgentWorld>(agent.folder.path(), std::move(*config));
    agent.good = agent.good && agent.world->updates_arrive(1);
  }
  if (!agent.good || agent.world->bindings() != nodes()) state.SkipWithError("a binding or an update is missing");
}
BENCHMARK(start_up)->Name("StartUp")->UseRealTime()->Iterations(1)->Unit(benchmark::kSecond);

}  // namespace
