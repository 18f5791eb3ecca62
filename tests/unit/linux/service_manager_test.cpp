// What the service manager is told.
#include "mnd/linux/service_manager.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <string>

#include "mnd/linux/descriptor.hpp"
#include "tests/catch.hpp"
#include "tests/unit/temporary_folder.hpp"

namespace mnd::kernel {
namespace {

// Listens where a service manager would.
struct Manager {
  TemporaryFolder folder;
  std::string path = (folder / "notify").string();
  Descriptor socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};

  Manager() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  ~Manager() {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
  }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  std::string heard() const {
    std::array<char, 64> text{};
    const auto size = ::recv(socket.get(), text.data(), text.size(), 0);
    return {text.data(), size < 0 ? 0 : static_cast<std::size_t>(size)};
  }
};

TEST_CASE("the service manager is told once that we serve", "[service]") {
  const Manager manager;
  ::setenv("NOTIFY_SOCKET", manager.path.c_str(), 1);
  tell_ready();
  CHECK(manager.heard() == "READY=1");
  CHECK(manager.heard().empty());
}

TEST_CASE("nobody is told where nobody asked, or does not listen", "[service]") {
  const Manager manager;
  tell_ready();
  CHECK(manager.heard().empty());
  for (const auto& path : {std::string{}, manager.path + ".gone", std::string(200, 'x')}) {
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    tell_ready();
  }
  CHECK(manager.heard().empty());
}

TEST_CASE("a watchdog hears of us twice in its time, as long as the loop goes round", "[service]") {
  constexpr std::chrono::milliseconds kPeriod{20};
  const Manager manager;
  ::setenv("NOTIFY_SOCKET", manager.path.c_str(), 1);
  ::setenv("WATCHDOG_USEC", "20000", 1);
  if (GENERATE(true, false)) ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  boost::asio::io_context loop;
  const auto begin = boot_now();
  {
    const Watchdog watchdog{loop};
    CHECK(manager.heard() == "WATCHDOG=1");
    for (int i = 1; i <= 3; ++i) {
      std::string heard;
      while ((heard = manager.heard()).empty()) loop.run_one();
      CHECK(heard == "WATCHDOG=1");
      CHECK(boot_now() - begin >= i * kPeriod / 2);
    }
  }
  loop.run();  // nothing is left in it
}

TEST_CASE("without a watchdog that is meant for us nothing ever wakes us up", "[service]") {
  const Manager manager;
  ::setenv("NOTIFY_SOCKET", manager.path.c_str(), 1);
  SECTION("none") {}
  SECTION("another process's") {
    ::setenv("WATCHDOG_USEC", "20000", 1);
    ::setenv("WATCHDOG_PID", "1", 1);
  }
  SECTION("nonsense") { ::setenv("WATCHDOG_USEC", GENERATE("", "0", "soon", "-1"), 1); }
  boost::asio::io_context loop;
  const Watchdog watchdog{loop};
  CHECK(loop.run() == 0);
  CHECK(manager.heard().empty());
}

}  // namespace
}  // namespace mnd::kernel
