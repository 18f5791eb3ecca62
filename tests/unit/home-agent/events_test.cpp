// The ring of events, and what the doctor makes of a machine.
#include "examples/home-agent/events.hpp"

#include <nlohmann/json.hpp>

#include "examples/home-agent/machine.hpp"
#include "tests/catch.hpp"

namespace mip6ha {
namespace {

using nlohmann::json;

TEST_CASE("events have time, node, what and remedy, oldest first", "[events]") {
  Events events;
  CHECK(events.to_json() == json::array());
  events.add(1'700'000'000'250, "laptop", "registered");
  events.add(1'700'000'001'000, "", "charon is away", "start it");
  CHECK(events.to_json().at(0) == json{{"time", "2023-11-14T22:13:20.250Z"},
                                       {"node", "laptop"},
                                       {"what", "registered"},
                                       {"remedy", ""},
                                       {"count", 1}});
  CHECK(events.to_json().at(1).at("remedy") == "start it");
}

TEST_CASE("the last thousand are kept, and what is said again is counted", "[events]") {
  Events events;
  for (std::size_t i = 0; i < Events::kKept + 5; ++i) events.add(0, "laptop", std::to_string(i));
  CHECK(events.to_json().size() == Events::kKept);
  CHECK(events.to_json().front().at("what") == "5");
  for (int i = 0; i < 5000; ++i) {
    events.add(i, "thief", "Binding Update refused: x");
    events.add(i, "thief", "Binding Update refused: y");
  }
  const auto all = events.to_json();
  CHECK(all.front().at("what") == "7");
  CHECK(all.back().at("count") == 5000);
  CHECK(all.back().at("time") == "1970-01-01T00:00:04.999Z");
}

TEST_CASE("an answer is bounded and one line, whatever peers put into it", "[events]") {
  Events events;
  for (std::size_t i = 0; i < Events::kKept; ++i)
    events.add(0, std::string(5000, '\xff'), std::to_string(i) + std::string(5000, '\n'), std::string(5000, '"'));
  const auto all = events.to_json();
  const auto text = all.dump(-1, ' ', false, json::error_handler_t::replace);
  CHECK(text.size() <= Events::kMaxAnswer + Events::kKept * 2);
  CHECK(all.size() > 100);
  CHECK(all.back().at("what").get<std::string>().starts_with("999?"));
  CHECK(all.back().at("what").get<std::string>().size() == Events::kMaxText);
}

Health well() {
  Health health;
  health.address = *mip6::Ipv6Address::parse("2001:db8:1::1");
  health.interface = "home";
  health.forwarding = health.link_up = health.address_there = health.tunnel_there = true;
  health.charon_limits = CharonLimits{.half_open = true, .cookies = true};
  health.charon_version = "5.9.8";
  health.charon_plugins = {"openssl", "kernel-netlink"};
  health.state_bytes_free = 1'000'000'000;
  health.unix_now = 1'800'000'000;
  return health;
}

TEST_CASE("a machine that is well has no findings, nor has one of which nothing could be read", "[doctor]") {
  CHECK(examine(well()).empty());
  Health unread;
  unread.unix_now = 1'800'000'000;
  CHECK(examine(unread).empty());
}

TEST_CASE("each thing that is wrong is found alone, with a remedy", "[doctor]") {
  auto health = well();
  std::string check;
  SECTION("forwarding") {
    health.forwarding = false;
    check = "forwarding";
  }
  SECTION("link") {
    health.link_up = false;
    check = "home-link";
  }
  SECTION("address") {
    health.address_there = false;
    check = "address";
  }
  SECTION("next-prefix") {
    health.next_prefix = mip6::Ipv6Prefix::parse("2001:db8:2::/64");
    health.next_prefix_there = false;
    check = "next-prefix";
  }
  SECTION("tunnel") {
    health.tunnel_there = false;
    check = "tunnel";
  }
  SECTION("ipsec") {
    health.ipsec = false;
    check = "ipsec";
  }
  SECTION("charon") {
    health.charon_connected = false;
    check = "charon";
  }
  SECTION("half-open connections without bound") {
    health.charon_limits = CharonLimits{.half_open = false, .cookies = true};
    check = "charon-limits";
  }
  SECTION("no cookies") {
    health.charon_limits = CharonLimits{.half_open = true, .cookies = false};
    check = "charon-limits";
  }
  SECTION("modules") {
    health.missing_modules = {"mip6"};
    check = "modules";
  }
  SECTION("an old charon") {
    health.charon_version = "5.8.4";
    check = "charon-version";
  }
  SECTION("a charon without our kernel interface") {
    health.charon_plugins = {"openssl", "kernel-pfkey"};
    check = "charon-plugins";
  }
  SECTION("the disk has refused") {
    health.disk = TroubleView{.what = "disk full", .remedy = "make room"};
    check = "database";
  }
  SECTION("a disk that is read-only") {
    health.state_writable = false;
    check = "database";
  }
  SECTION("a disk that is nearly full") {
    health.state_bytes_free = 1000;
    check = "database";
  }
  SECTION("the clock") {
    health.unix_now = 0;
    check = "clock";
  }
  const auto findings = examine(health);
  REQUIRE(findings.size() == 1);
  CHECK(findings.front().check == check);
  CHECK_FALSE(findings.front().what.empty());
  CHECK_FALSE(findings.front().remedy.empty());
}

TEST_CASE("versions of charon that are newer, or written in other ways, are no finding", "[doctor]") {
  auto health = well();
  for (const char* version : {"5.9", "5.9.14dr1", "5.10.0", "6.0.1", "", "charon", "6"}) {
    INFO(version);
    health.charon_version = version;
    CHECK(examine(health).empty());
  }
}

TEST_CASE("a charon that nobody needs is not missed", "[doctor]") {
  auto health = well();
  health.charon_needed = health.charon_connected = false;
  health.charon_limits = CharonLimits{.half_open = false, .cookies = false};
  CHECK(examine(health).empty());
}

TEST_CASE("what is read of this machine is a judgement of each thing", "[doctor]") {
  Config config;
  config.address = *mip6::Ipv6Address::parse("2001:db8:1::1");
  config.interface = "no such interface";
  config.state_directory = "/no/such/folder";
  const auto health = read_health(config);
  CHECK(health.link_up == false);
  CHECK(health.address_there == false);
  CHECK_FALSE(health.state_writable);
  CHECK_FALSE(health.state_bytes_free);
  CHECK(health.unix_now > 1'700'000'000);
  CHECK(health.charon_limits);
  config.state_directory = "/";
  CHECK(read_health(config).state_bytes_free);
}

}  // namespace
}  // namespace mip6ha
