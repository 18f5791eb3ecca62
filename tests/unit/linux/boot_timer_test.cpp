// The timer is tested on the loop with deadlines that have passed already, or never come: nothing waits here.
#include "mnd/linux/boot_timer.hpp"

#include <chrono>

#include "tests/catch.hpp"

using namespace std::chrono_literals;
using mnd::kernel::boot_now;
using mnd::kernel::BootTimer;

namespace {

// Runs what is ready; the timer may need the kernel for a moment.
void run_until(boost::asio::io_context& loop, const int& count, int wanted) {
  while (count < wanted) loop.run_one();
}

}  // namespace

TEST_CASE("the boot clock goes forward") {
  const auto first = boot_now();
  CHECK(first > mip6::BootTime{});
  CHECK(boot_now() >= first);
}

TEST_CASE("a deadline in the past fires at once, and once") {
  boost::asio::io_context loop;
  int fired = 0;
  BootTimer timer{loop, [&] { ++fired; }};
  timer.arm(boot_now() - 1h);
  run_until(loop, fired, 1);
  loop.poll();
  CHECK(fired == 1);
}

TEST_CASE("the beginning of time is a deadline like any other") {
  boost::asio::io_context loop;
  int fired = 0;
  BootTimer timer{loop, [&] { ++fired; }};
  timer.arm(mip6::BootTime{});
  run_until(loop, fired, 1);
  CHECK(fired == 1);
}

TEST_CASE("a deadline ahead does not fire before its time") {
  boost::asio::io_context loop;
  int fired = 0;
  BootTimer timer{loop, [&] { ++fired; }};
  const auto deadline = boot_now() + 20ms;
  timer.arm(deadline);
  loop.poll();
  if (boot_now() < deadline) CHECK(fired == 0);
  run_until(loop, fired, 1);
  CHECK(boot_now() >= deadline);
}

TEST_CASE("a disarmed timer does not fire, even if its time had come") {
  boost::asio::io_context loop;
  int fired = 0;
  BootTimer timer{loop, [&] { ++fired; }};
  timer.arm(boot_now() - 1s);
  timer.arm({});
  loop.poll();
  CHECK(fired == 0);
}

TEST_CASE("the same deadline can be armed again after it fired") {
  boost::asio::io_context loop;
  int fired = 0;
  BootTimer timer{loop, [&] { ++fired; }};
  const auto deadline = boot_now() - 1s;
  timer.arm(deadline);
  run_until(loop, fired, 1);
  timer.arm(deadline);
  run_until(loop, fired, 2);
  CHECK(fired == 2);
}

TEST_CASE("a new deadline replaces the former one") {
  boost::asio::io_context loop;
  int fired = 0;
  BootTimer timer{loop, [&] { ++fired; }};
  timer.arm(boot_now() + 1000h);
  timer.arm(boot_now() - 1s);
  run_until(loop, fired, 1);
  CHECK(fired == 1);
}

TEST_CASE("a timer can be destroyed by what it calls") {
  boost::asio::io_context loop;
  int fired = 0;
  std::unique_ptr<BootTimer> timer;
  timer = std::make_unique<BootTimer>(loop, [&] {
    timer.reset();
    ++fired;
  });
  timer->arm(boot_now() - 1s);
  run_until(loop, fired, 1);
  loop.run();  // nothing is left to wait for
  CHECK(fired == 1);
}

TEST_CASE("a timer that is gone does not call any more") {
  boost::asio::io_context loop;
  int fired = 0;
  {
    BootTimer timer{loop, [&] { ++fired; }};
    timer.arm(boot_now() - 1s);
  }
  loop.run();
  CHECK(fired == 0);
}
