// See jobs.hpp.
#include "tests/simulation/jobs.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <type_traits>
#include <vector>

namespace mip6::simulation {

static_assert(std::is_trivially_copyable_v<Sums>);

std::optional<Sums> in_processes(unsigned jobs, const std::function<Sums(unsigned job)>& work) {
  if (jobs == 1) return work(0);
  std::fflush(stdout);
  std::vector<int> ends;
  for (unsigned job = 0; job < jobs; ++job) {
    std::array<int, 2> pipe_ends{};
    if (pipe(pipe_ends.data()) != 0) return std::perror("simulation: pipe"), std::nullopt;
    const auto child = fork();
    if (child < 0) return std::perror("simulation: fork"), std::nullopt;
    if (child == 0) {
      const Sums sums = work(job);
      std::fflush(stdout);
      const bool told = write(pipe_ends[1], &sums, sizeof sums) == static_cast<ssize_t>(sizeof sums);
      _exit(told ? 0 : 1);
    }
    close(pipe_ends[1]);
    ends.push_back(pipe_ends[0]);
  }
  Sums all;
  bool complete = true;
  for (const int end : ends) {
    Sums sums;
    complete &= read(end, &sums, sizeof sums) == static_cast<ssize_t>(sizeof sums);
    close(end);
    all.seeds += sums.seeds;
    all.failed += sums.failed;
    all.hash += sums.hash;
    all.totals.add(sums.totals);
  }
  while (wait(nullptr) > 0) continue;
  if (!complete) std::fputs("simulation: a process ended early\n", stderr);
  return complete ? std::optional{all} : std::nullopt;
}

}  // namespace mip6::simulation
