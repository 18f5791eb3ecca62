// The other home agents of the link, and how often strangers are answered.
#include "examples/home-agent/other_agents.hpp"

#include "tests/catch.hpp"
#include "tests/unit/temporary_folder.hpp"

using namespace std::chrono_literals;
using mip6::Ipv6Address;
using mip6ha::OtherAgents;

TEST_CASE("another home agent that was seen once is known from then on", "[other-agents]") {
  const TemporaryFolder folder;
  const auto other = *Ipv6Address::parse("2001:db8:1::2");
  OtherAgents first{folder.path()};
  CHECK_FALSE(first.any());
  REQUIRE(first.saw(other));
  CHECK(first.any());
  const OtherAgents next{folder.path()};
  CHECK(next.any());
  CHECK(next.known() == std::set{other});
}

TEST_CASE("a damaged file of other home agents may have named one", "[other-agents]") {
  const TemporaryFolder folder;
  folder.file("other-agents", "2001:db8:1::\nnonsense\n");
  const OtherAgents others{folder.path()};
  CHECK(others.any());
}

TEST_CASE("however many advertise themselves, so many are remembered", "[other-agents]") {
  const TemporaryFolder folder;
  OtherAgents others{folder.path()};
  auto address = *Ipv6Address::parse("2001:db8:1::");
  for (int i = 0; i < 100; ++i) {
    ++address.bytes[15];
    REQUIRE(others.saw(address));
  }
  CHECK(others.known().size() == OtherAgents::kMost);
}

TEST_CASE("who asks for home agents is answered at a bounded rate", "[other-agents]") {
  mip6ha::RequestLimit limit;
  mip6::BootTime now{100s};
  int answered = 0;
  for (int i = 0; i < 1000; ++i) answered += limit.allows(now) ? 1 : 0;
  CHECK(answered == mip6ha::RequestLimit::kBurst);
  now += mip6ha::RequestLimit::kInterval;
  CHECK(limit.allows(now));
  CHECK_FALSE(limit.allows(now));
}
