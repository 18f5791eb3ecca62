// What the bench program takes from the heap: operator new and delete are replaced by ones that count.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>

namespace bench {

struct Heap {
  std::uint64_t allocations = 0;  // calls of operator new so far
  std::int64_t bytes = 0;         // in use now, as the allocator rounds them up; its own headers are not counted
};
const Heap& heap();

// Tells the allocations of each iteration as the counter `allocations`. To be made right before the loop.
class AllocationsPerIteration {
 public:
  explicit AllocationsPerIteration(benchmark::State& state) : state_{state}, before_{heap().allocations} {}
  ~AllocationsPerIteration() {
    state_.counters["allocations"] =
        benchmark::Counter(static_cast<double>(heap().allocations - before_), benchmark::Counter::kAvgIterations);
  }
  AllocationsPerIteration(const AllocationsPerIteration&) = delete;
  AllocationsPerIteration& operator=(const AllocationsPerIteration&) = delete;

 private:
  benchmark::State& state_;
  std::uint64_t before_;
};

}  // namespace bench
