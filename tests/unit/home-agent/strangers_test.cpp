// Floods from sources that are no node's: when the kernel is to refuse them, and what the home agent does meanwhile.
#include "examples/home-agent/strangers.hpp"

#include "tests/unit/home-agent/agent_harness.hpp"

namespace mip6ha {
namespace {

using mip6::BootTime;
using namespace std::chrono_literals;

constexpr auto kMost = StrangerLimit::kPermitted;

// Whether the last one of `count` that arrive at this time was too many.
bool arrive(StrangerLimit& limit, std::uint64_t count, BootTime now) {
  bool too_many = false;
  for (std::uint64_t i = 0; i < count; ++i) too_many = limit.arrived(now);
  return too_many;
}

TEST_CASE("strangers are refused when one more arrives within a second than is permitted", "[strangers]") {
  StrangerLimit limit;
  const BootTime now{100s};
  CHECK_FALSE(arrive(limit, kMost, now));
  CHECK(arrive(limit, 1, now + 999ms));
  limit.refuse(now + 999ms, 0);
  CHECK(limit.next_deadline() == now + 999ms + StrangerLimit::kInterval);
}

TEST_CASE("as many strangers as are permitted are never refused, for however long they come", "[strangers]") {
  StrangerLimit limit;
  for (int second = 0; second < 10; ++second) CHECK_FALSE(arrive(limit, kMost, BootTime{100s + second * 1s}));
  CHECK_FALSE(limit.next_deadline());
}

TEST_CASE("strangers are admitted again when few have been refused in a second", "[strangers]") {
  StrangerLimit limit;
  const BootTime now{100s};
  REQUIRE(arrive(limit, kMost + 1, now));
  limit.refuse(now, 7'000);
  // Those that wait in the socket.
  CHECK_FALSE(arrive(limit, 10 * kMost, now));
  CHECK_FALSE(limit.look(now + 999ms, 7'000));
  CHECK_FALSE(limit.look(now + 1s, 7'001 + kMost));
  CHECK(limit.next_deadline() == now + 2s);
  CHECK_FALSE(limit.look(now + 1500ms, 7'001 + kMost));
  CHECK(limit.look(now + 2s, 7'001 + 2 * kMost));
  CHECK_FALSE(limit.next_deadline());
  CHECK_FALSE(limit.look(now + 3s, 7'001 + 2 * kMost));
  // What had arrived before counts no more.
  CHECK_FALSE(arrive(limit, kMost, now + 2s));
  CHECK(arrive(limit, 1, now + 2s));
}

TEST_CASE("a flood of strangers is refused by the kernel, and nodes are answered", "[strangers][agent]") {
  RunningAgent here{{"laptop"}};
  const auto laptop = here.home("laptop");
  const auto from = [&](const char* source, bool too_long = false) {
    here.kernel.received({.source = *mip6::Ipv6Address::parse(source),
                          .destination = *mip6::Ipv6Address::parse("2001:db8:1::1"),
                          .home_address_option = std::nullopt,
                          .too_long = too_long,
                          .message = {}});
  };
  for (std::uint64_t i = 0; i < kMost; ++i) from(i % 2 == 0 ? "2001:db8:bad::1" : "2001:db8:1::bad", i % 3 == 0);
  CHECK_FALSE(here.kernel.strangers_refused);
  CHECK(here.update(laptop, 1).status == mip6::Status::kAccepted);
  // Of a node there may be any number: it is looked at by whom they are.
  for (std::uint64_t i = 0; i < 2 * kMost; ++i)
    here.kernel.received({.source = laptop,
                          .destination = *mip6::Ipv6Address::parse("2001:db8:1::1"),
                          .home_address_option = std::nullopt,
                          .message = {}});
  CHECK_FALSE(here.kernel.strangers_refused);
  // The clock is the real one: so many within a second, at some time.
  for (std::uint64_t i = 0; i < 100 * kMost && !here.kernel.strangers_refused; ++i) from("2001:db8:bad::1");
  CHECK(here.kernel.strangers_refused);
  CHECK(here.update(laptop, 2).status == mip6::Status::kAccepted);
}

}  // namespace
}  // namespace mip6ha
