// Signals of this process, raised by itself.
#include "mnd/linux/signals.hpp"

#include <csignal>
#include <vector>

#include "tests/catch.hpp"

using mnd::kernel::Signals;

namespace {

// The mask of this process comes back.
class Blocked {
 public:
  Blocked() { ::pthread_sigmask(SIG_BLOCK, nullptr, &former_); }
  ~Blocked() { ::pthread_sigmask(SIG_SETMASK, &former_, nullptr); }
  Blocked(const Blocked&) = delete;
  Blocked& operator=(const Blocked&) = delete;

 private:
  sigset_t former_{};
};

struct Process {
  boost::asio::io_context loop;
  std::vector<int> caught;
  Signals signals{loop, {SIGTERM, SIGHUP}, [this](int number) { caught.push_back(number); }};
};

}  // namespace

TEST_CASE("each signal is told") {
  const Blocked blocked;
  Process process;
  std::raise(SIGHUP);
  process.loop.poll();
  CHECK(process.caught == std::vector{SIGHUP});
  std::raise(SIGHUP);
  std::raise(SIGTERM);
  while (process.caught.size() < 3) process.loop.run_one();
  CHECK(process.caught.size() == 3);
}

// An exec closes the descriptor and keeps what is pending (signal(7)).
TEST_CASE("a signal that nobody was told of yet is the next one's") {
  const Blocked blocked;
  {
    Process former;
    former.loop.poll();
    std::raise(SIGTERM);
    CHECK(former.caught.empty());
  }
  Process next;
  next.loop.poll();
  CHECK(next.caught == std::vector{SIGTERM});
}
