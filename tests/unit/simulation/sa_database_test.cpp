// The pretended kernel's choice of ESP states.
#include "tests/simulation/sa_database.hpp"

#include <array>

#include "tests/catch.hpp"

using namespace mip6;
using namespace mip6::simulation;
using namespace std::chrono_literals;

namespace {

const auto kHome = Ipv6Address::parse("2001:db8:1::42").value();
const auto kOther = Ipv6Address::parse("2001:db8:1::43").value();
const auto kAgent = Ipv6Address::parse("2001:db8:1::1").value();

struct Host {
  BootTime now{1000s};
  std::int64_t wall = 1700000000;
  SaDatabase kernel{{[this] { return now; }, [this] { return wall; }}};

  void add(Direction direction, std::uint32_t spi, std::uint64_t key = 1, BootTime expires_at = BootTime::max()) {
    kernel.add({.direction = direction,
                .spi = spi,
                .reqid = 11,
                .key = key,
                .local = kHome,
                .remote = kAgent,
                .expires_at = expires_at});
  }
  std::uint32_t chosen() {
    const auto* state = kernel.outbound(11, kHome, kAgent);
    return state ? state->spi : 0;
  }
};

}  // namespace

TEST_CASE("the outbound state that was added last by the wall clock is used") {
  Host host;
  host.add(Direction::kOut, 1);
  host.add(Direction::kOut, 2);
  CHECK(host.chosen() == 2);
  host.wall -= 100;
  host.add(Direction::kOut, 3);
  CHECK(host.chosen() == 2);
  host.kernel.remove(Direction::kOut, 2);
  host.kernel.remove(Direction::kOut, 1);
  CHECK(host.chosen() == 3);
  CHECK(host.kernel.outbound(12, kHome, kAgent) == nullptr);
  CHECK(host.kernel.outbound(11, kOther, kAgent) == nullptr);
}

TEST_CASE("what was protected with other keys, or comes twice, is not opened") {
  Host host;
  host.add(Direction::kOut, 1, 77);
  host.add(Direction::kIn, 1, 77);
  const auto header = host.kernel.protect(*host.kernel.outbound(11, kHome, kAgent));
  CHECK(host.kernel.open({header.spi, 78, header.sequence}) == nullptr);
  CHECK(host.kernel.open({2, header.key, header.sequence}) == nullptr);
  REQUIRE(host.kernel.open(header) != nullptr);
  CHECK(host.kernel.open(header) == nullptr);
  CHECK(host.kernel.open({1, 77, 64}) != nullptr);
  CHECK(host.kernel.open({1, 77, 2}) != nullptr);
  CHECK(host.kernel.open({1, 77, 2}) == nullptr);
  CHECK(host.kernel.open({1, 77, 500}) != nullptr);
  CHECK(host.kernel.open({1, 77, 436}) == nullptr);
  CHECK(host.kernel.open({1, 77, 437}) != nullptr);
}

TEST_CASE("a state ends with its hard lifetime") {
  Host host;
  host.add(Direction::kOut, 1, 1, host.now + 10s);
  host.add(Direction::kIn, 2, 1, host.now + 20s);
  host.now += 10s;
  CHECK(host.chosen() == 0);
  CHECK(host.kernel.states().size() == 1);
  host.now += 10s;
  CHECK(host.kernel.states().empty());
}

TEST_CASE("only the states of one reqid between two addresses are removed, and not those to be kept") {
  Host host;
  for (std::uint32_t spi = 1; spi <= 3; ++spi) host.add(Direction::kIn, spi);
  host.kernel.add({.direction = Direction::kIn, .spi = 4, .reqid = 11, .local = kOther, .remote = kAgent});
  host.kernel.add({.direction = Direction::kIn, .spi = 5, .reqid = 12, .local = kHome, .remote = kAgent});
  CHECK(host.kernel.remove_except(11, kHome, kAgent, std::array<std::uint32_t, 1>{2}) == 2);
  CHECK(host.kernel.states().size() == 3);
  CHECK(host.kernel.has(Direction::kIn, 2));
}
