// What an operator watches, and how much is borne of nodes that behave ill.
#include "examples/home-agent/config.hpp"
#include "tests/catch.hpp"
#include "tests/unit/temporary_folder.hpp"

namespace mip6ha {
namespace {

using mip6::Ipv6Address;

tl::expected<Config, Mistakes> checked(const std::string& line) {
  const TemporaryFolder folder;
  const auto secret = folder.file("secret", "not told to anybody\n").string();
  return check_config(mnd::kernel::parse_config_content(
                          "address = 2001:db8:1::1\ninterface = home\nprefix = 2001:db8:1::/64\n" + line +
                              "\n[node laptop]\nhome-address = 2001:db8:1::42\nsecret-file = " + secret + "\n",
                          "ha.conf"),
                      "ha.conf");
}

TEST_CASE("metrics are off unless they are asked for, and on ::1 unless an address is named", "[ha-config]") {
  CHECK_FALSE(checked("")->metrics);
  CHECK(checked("metrics = 9637")->metrics == MetricsEndpoint{*Ipv6Address::parse("::1"), 9637});
  CHECK(checked("metrics = [::1]:1")->metrics == MetricsEndpoint{*Ipv6Address::parse("::1"), 1});
  CHECK(checked("metrics = [2001:db8:1::1]:65535")->metrics ==
        MetricsEndpoint{*Ipv6Address::parse("2001:db8:1::1"), 65535});
}

TEST_CASE("what is borne has sound defaults, and limits", "[ha-config]") {
  CHECK(checked("")->behaviour.tolerance == mip6::agent::kDefaultTolerance);
  CHECK(checked("")->behaviour.first_ban == mip6::agent::kDefaultBan);
  CHECK(checked("tolerate = 20")->behaviour.tolerance == 20U);
  CHECK(checked("tolerate = all")->behaviour.tolerance == std::nullopt);
  CHECK(checked("ban-for = 15")->behaviour.first_ban == std::chrono::seconds{15});
}

TEST_CASE("a wrong port, measure or time is told with its line and a remedy", "[ha-config]") {
  const auto line = GENERATE("metrics = ", "metrics = 0", "metrics = 65536", "metrics = ::1:9637", "metrics = [::1]",
                             "metrics = [::1]:", "metrics = [ff02::1]:9637", "metrics = [x]:9637", "metrics = 96x",
                             "tolerate = 0", "tolerate = some", "tolerate = -1", "tolerate = 1000001", "ban-for = 0",
                             "ban-for = 86401", "ban-for = 10m");
  CAPTURE(line);
  const auto config = checked(line);
  REQUIRE_FALSE(config);
  REQUIRE(config.error().size() == 1);
  CHECK(config.error().front().line == 4);
  CHECK_FALSE(config.error().front().remedy.empty());
}

}  // namespace
}  // namespace mip6ha
