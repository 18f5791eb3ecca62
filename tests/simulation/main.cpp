// simulation [--thrashing] [--seeds N] [--from S|today] [--jobs J] [--trace SEED] [--trace-hash] [--plant DEFECT|all]
//   --thrashing         in another world: a node that changes between two networks for an hour
//   --seeds N --from S  runs the seeds S to S + N - 1, in J processes
//   --trace SEED        runs this one and prints every event
//   --trace-hash        prints a hash over all events of all seeds: equal runs, equal hashes
//   --plant DEFECT      with this defect (libmip6/defect.hpp) planted; succeeds if the seeds find it
// A failure tells the seed, the broken invariant, the last events, and how to see it again.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "libmip6/defect.hpp"
#include "tests/simulation/jobs.hpp"
#include "tests/simulation/simulation.hpp"

namespace mip6::simulation {
namespace {

struct Arguments {
  std::uint64_t seeds = 300;
  std::uint64_t from = 1;
  unsigned jobs = 1;
  std::optional<std::uint64_t> trace;
  bool trace_hash = false;
  bool thrashing = false;
  std::string_view plant;
};

struct Outcome {
  std::optional<Violation> violation;
  Totals totals;
  std::uint64_t hash = 0;
};

Outcome run_seed(std::uint64_t seed, bool thrashing, bool print, bool explain, const char* program) {
  Simulation simulation = thrashing ? Simulation::thrashing(seed, print) : Simulation{seed, print};
  Outcome outcome;
  try {
    thrashing ? simulation.run_thrashing() : simulation.run();
  } catch (const Violation& violation) {
    outcome.violation = violation;
  }
  outcome.totals = simulation.world().totals;
  outcome.hash = simulation.world().journal.hash();
  if (!outcome.violation || program == nullptr) return outcome;
  std::string text = fmt::format("seed {}: {} is broken: {}\n  {}\n", seed, name_of(outcome.violation->invariant),
                                 outcome.violation->what, simulation.description());
  if (!print && explain)
    for (const auto& line : simulation.world().journal.last()) text += "  " + line + "\n";
  text += fmt::format("  to see it again: {}{} --trace {}\n", program, thrashing ? " --thrashing" : "", seed);
  // At once, so that the texts of several processes do not mix.
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
  return outcome;
}

int run_seeds(const Arguments& arguments, const char* program) {
  fmt::print("seeds from {}\n", arguments.from);
  const auto all = in_processes(arguments.jobs, [&](unsigned job) {
    Sums sums;
    for (auto seed = arguments.from + job; seed < arguments.from + arguments.seeds; seed += arguments.jobs) {
      const auto outcome = run_seed(seed, arguments.thrashing, false, sums.failed < 3, program);
      ++sums.seeds;
      sums.failed += outcome.violation ? 1 : 0;
      sums.totals.add(outcome.totals);
      sums.hash += outcome.hash * (2 * seed + 1);
    }
    return sums;
  });
  if (!all) return 1;
  if (arguments.trace_hash) fmt::print("trace hash {:016x}\n", all->hash);
  fmt::print(
      "{} seeds, {} failed, {} steps, {} moves, {} updates, {} times IKE, {} crashes, {} attacks, longest time to "
      "settle {} s\n",
      all->seeds, all->failed, all->totals.steps, all->totals.moves, all->totals.updates, all->totals.initiations,
      all->totals.crashes, all->totals.attacks, all->totals.longest_settling / 1s);
  return all->failed == 0 && all->seeds == arguments.seeds && all->seeds > 0 ? 0 : 1;
}

#ifdef MIP6_PLANTS
// True if the seeds find the defect, and find it by the invariant that it breaks.
bool find_planted(const DefectName& name, const Arguments& arguments) {
  planted_defect = name.defect;
  for (auto seed = arguments.from; seed < arguments.from + arguments.seeds; ++seed) {
    const auto outcome = run_seed(seed, arguments.thrashing, false, false, nullptr);
    if (!outcome.violation) continue;
    const auto found = name_of(outcome.violation->invariant);
    if (found == name.another) continue;
    fmt::print("{:28} {:18} seed {}, after {} seeds{}\n", name.name, found, seed, seed - arguments.from + 1,
               found == name.invariant ? "" : fmt::format(": WRONG, {} was to be broken", name.invariant));
    std::fflush(stdout);
    return found == name.invariant;
  }
  fmt::print("{:28} NOT FOUND in {} seeds\n", name.name, arguments.seeds);
  std::fflush(stdout);
  return false;
}

int run_planted(const Arguments& arguments, const char* program) {
  if (arguments.plant != "all") {
    const auto name = std::ranges::find(kDefects, arguments.plant, &DefectName::name);
    if (name == kDefects.end()) {
      fmt::print(stderr, "simulation: no defect '{}'; there are:\n", arguments.plant);
      for (const auto& one : kDefects) fmt::print(stderr, "  {:28} breaks {}\n", one.name, one.invariant);
      return 2;
    }
    planted_defect = name->defect;
    if (arguments.trace) return run_seed(*arguments.trace, arguments.thrashing, true, true, program).violation ? 1 : 0;
    return find_planted(*name, arguments) ? 0 : 1;
  }
  const auto all = in_processes(arguments.jobs, [&](unsigned job) {
    Sums sums;
    for (auto i = std::size_t{job}; i < kDefects.size(); i += arguments.jobs) {
      ++sums.seeds;
      sums.failed += find_planted(kDefects[i], arguments) ? 0 : 1;
    }
    return sums;
  });
  if (!all) return 1;
  fmt::print("{} defects, {} not found as they should be\n", all->seeds, all->failed);
  return all->failed == 0 && all->seeds == kDefects.size() ? 0 : 1;
}
#endif

// Other seeds each day; a failure names its own.
std::uint64_t todays_start() {
  const auto days = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now()).time_since_epoch().count();
  return static_cast<std::uint64_t>(days) * 1'000'000;
}

std::optional<Arguments> parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--thrashing") {
      arguments.thrashing = true;
      continue;
    }
    if (option == "--trace-hash") {
      arguments.trace_hash = true;
      continue;
    }
    if (i + 1 >= argc) return std::nullopt;
    const char* value = argv[++i];
    const auto number = std::strtoull(value, nullptr, 10);
    if (option == "--seeds")
      arguments.seeds = number;
    else if (option == "--from")
      arguments.from = value == std::string_view{"today"} ? todays_start() : number;
    else if (option == "--jobs")
      arguments.jobs = static_cast<unsigned>(std::clamp<unsigned long long>(number, 1, 256));
    else if (option == "--trace")
      arguments.trace = number;
    else if (option == "--plant")
      arguments.plant = value;
    else
      return std::nullopt;
  }
  return arguments;
}

int run(int argc, char** argv) {
  const auto arguments = parse(argc, argv);
  if (!arguments) {
    fmt::print(stderr,
               "usage: simulation [--thrashing] [--seeds N] [--from S|today] [--jobs J] [--trace SEED] [--trace-hash] "
               "[--plant DEFECT|all]\n");
    return 2;
  }
  if (!arguments->plant.empty()) {
#ifdef MIP6_PLANTS
    return run_planted(*arguments, argv[0]);
#else
    fmt::print(stderr, "simulation: this program has no defects to plant; simulation-planted has\n");
    return 2;
#endif
  }
  if (arguments->trace) return run_seed(*arguments->trace, arguments->thrashing, true, true, argv[0]).violation ? 1 : 0;
  return run_seeds(*arguments, argv[0]);
}

}  // namespace
}  // namespace mip6::simulation

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOFBF, 1 << 16);
  return mip6::simulation::run(argc, argv);
}
