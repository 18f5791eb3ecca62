// Settings of interfaces, in a folder that looks like the kernel's.
#include "mnd/linux/interface_settings.hpp"

#include <fstream>

#include "tests/catch.hpp"
#include "tests/unit/temporary_folder.hpp"

using mnd::kernel::OptimisticDad;

namespace {

struct Kernel {
  TemporaryFolder folder;
  std::filesystem::path record = folder.path() / "record";

  void interface(const std::string& name, const std::string& address, const std::string& source) const {
    std::filesystem::create_directory(folder.path() / name);
    std::ofstream{folder.path() / name / "optimistic_dad"} << address << '\n';
    std::ofstream{folder.path() / name / "use_optimistic"} << source << '\n';
  }
  std::pair<int, int> values(const std::string& name) const {
    std::pair<int, int> found{-1, -1};
    std::ifstream{folder.path() / name / "optimistic_dad"} >> found.first;
    std::ifstream{folder.path() / name / "use_optimistic"} >> found.second;
    return found;
  }
  OptimisticDad process(const std::string& boot = "boot-1") const { return {record, boot, folder.path()}; }
};

std::optional<std::string> names(std::uint32_t interface) {
  if (interface == 3) return "w1";
  if (interface == 4) return "w9";  // w2 has another name meanwhile
  return std::nullopt;
}

const std::pair<int, int> kOn{1, 1};

}  // namespace

TEST_CASE("optimistic detection is asked for on one interface, and what it had comes back") {
  const Kernel kernel;
  kernel.interface("w1", "0", "1");
  kernel.interface("eth0", "0", "0");
  auto process = kernel.process();
  REQUIRE(process.ask(3, "w1"));
  CHECK(kernel.values("w1") == kOn);
  CHECK(kernel.values("eth0") == std::pair{0, 0});
  REQUIRE(process.restore(names));
  CHECK(kernel.values("w1") == std::pair{0, 1});
  CHECK_FALSE(std::filesystem::exists(kernel.record));
}

TEST_CASE("an interface where optimistic detection is not wanted any more gets back what it had, the others keep it") {
  const Kernel kernel;
  kernel.interface("w1", "0", "1");
  kernel.interface("w9", "0", "0");
  kernel.interface("eth0", "1", "0");
  auto process = kernel.process();
  REQUIRE(process.ask(3, "w1"));
  REQUIRE(process.ask(4, "w9"));
  REQUIRE(process.give_back(3, "w1"));
  CHECK(kernel.values("w1") == std::pair{0, 1});
  CHECK(kernel.values("w9") == kOn);
  SECTION("that is over: what others set afterwards stays") {
    kernel.interface("w1", "1", "0");
    REQUIRE(process.give_back(3, "w1"));
    REQUIRE(kernel.process().restore(names));
    CHECK(kernel.values("w1") == std::pair{1, 0});
    CHECK(kernel.values("w9") == std::pair{0, 0});
  }
  SECTION("it can be asked for again") {
    REQUIRE(process.ask(3, "w1"));
    CHECK(kernel.values("w1") == kOn);
  }
  SECTION("where it was never asked for nothing changes") {
    REQUIRE(process.give_back(7, "eth0"));
    CHECK(kernel.values("eth0") == std::pair{1, 0});
  }
}

TEST_CASE("what others set after it was asked for stays until the end") {
  const Kernel kernel;
  kernel.interface("w1", "0", "0");
  auto process = kernel.process();
  REQUIRE(process.ask(3, "w1"));
  kernel.interface("w1", "0", "1");
  REQUIRE(process.ask(3, "w1"));
  CHECK(kernel.values("w1") == std::pair{0, 1});
}

TEST_CASE("the next process knows what a dead one has changed, of the same boot") {
  const Kernel kernel;
  kernel.interface("w1", "0", "0");
  REQUIRE(kernel.process().ask(3, "w1"));
  auto next = kernel.process();
  SECTION("and goes on") {
    REQUIRE(next.ask(3, "w1"));
    REQUIRE(next.restore(names));
    CHECK(kernel.values("w1") == std::pair{0, 0});
  }
  SECTION("in another boot it counts for nothing") {
    REQUIRE(kernel.process("boot-2").restore(names));
    CHECK(kernel.values("w1") == kOn);
  }
}

TEST_CASE("an interface that was renamed gets its values back, one that is gone costs nothing") {
  const Kernel kernel;
  kernel.interface("w2", "0", "0");
  kernel.interface("usb0", "0", "0");
  auto process = kernel.process();
  REQUIRE(process.ask(4, "w2"));
  REQUIRE(process.ask(5, "usb0"));
  kernel.interface("w9", "1", "1");
  REQUIRE(process.restore(names));
  CHECK(kernel.values("w9") == std::pair{0, 0});
}

TEST_CASE("a kernel without these settings is told with what it needs") {
  const Kernel kernel;
  auto process = kernel.process();
  const auto asked = process.ask(3, "w1");
  REQUIRE_FALSE(asked);
  CHECK(asked.error().os_error == ENOENT);
  CHECK(asked.error().remedy.find("CONFIG_IPV6_OPTIMISTIC_DAD") != std::string::npos);
  CHECK(process.restore(names));
}
