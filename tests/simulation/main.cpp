// simulation [--seeds N] [--from S] [--trace]: runs the seeds S to S + N - 1. A failure prints its seed and faults;
// `--seeds 1 --from SEED --trace` then shows how it came about.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/simulation/simulation.hpp"

namespace {

bool run_seed(std::uint64_t seed, bool trace, mip6::Duration& longest) {
  mip6::simulation::Simulation simulation{seed, trace};
  try {
    longest = std::max(longest, simulation.run());
    return true;
  } catch (const mip6::simulation::Violation& violation) {
    std::printf("seed %llu: violated at %.3f s: %s\n  %s\n", static_cast<unsigned long long>(seed),
                static_cast<double>((simulation.now() - mip6::BootTime{}) / std::chrono::microseconds{1}) / 1e6,
                violation.what(), simulation.faults().to_string().c_str());
    return false;
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t seeds = 300;
  std::uint64_t from = 1;
  bool trace = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--trace") {
      trace = true;
    } else if (option == "--seeds" && i + 1 < argc) {
      seeds = std::strtoull(argv[++i], nullptr, 10);
    } else if (option == "--from" && i + 1 < argc) {
      from = std::strtoull(argv[++i], nullptr, 10);
    } else {
      std::fprintf(stderr, "usage: simulation [--seeds N] [--from S] [--trace]\n");
      return 2;
    }
  }
  std::uint64_t failed = 0;
  mip6::Duration longest{};
  for (std::uint64_t seed = from; seed < from + seeds; ++seed)
    if (!run_seed(seed, trace, longest)) ++failed;
  std::printf("%llu seeds, %llu failed, longest time to settle %.1f s\n", static_cast<unsigned long long>(seeds),
              static_cast<unsigned long long>(failed),
              static_cast<double>(longest / std::chrono::milliseconds{1}) / 1e3);
  return failed == 0 && seeds > 0 ? 0 : 1;
}
