// Each finding of the doctor, and that a healthy node has none.
#include "mnd/doctor.hpp"

#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "libmip6/forecast.hpp"
#include "tests/catch.hpp"

using namespace mnd;
using namespace std::chrono_literals;

namespace {

// The rate at which a round through all sequence numbers takes so long.
double round_in(mip6::Duration time) { return mip6::kWholeSpace / std::chrono::duration<double>(time).count(); }

Health healthy(bool manual) {
  return {.manual_keys = manual,
          .charon_connected = !manual,
          .numbers_used = std::uint16_t{100},
          .movement_rate = round_in(std::chrono::days{500}),
          .highest_rate = round_in(std::chrono::days{2}),
          .horizon = std::chrono::days{400}};
}

Finding only(const Health& health) {
  const auto findings = examine(health);
  REQUIRE(findings.size() == 1);
  CHECK_FALSE(findings.front().what.empty());
  CHECK_FALSE(findings.front().remedy.empty());
  return findings.front();
}

}  // namespace

TEST_CASE("nothing is found of a healthy node", "[doctor]") {
  const bool manual = GENERATE(true, false);
  CHECK(examine(healthy(manual)).empty());
  auto still = healthy(manual);
  still.movement_rate = 0;
  CHECK(examine(still).empty());
}

TEST_CASE("a charon that is missing is found where it makes the keys", "[doctor]") {
  auto health = healthy(false);
  health.charon_connected = false;
  CHECK(only(health).check == "charon");
  CHECK(examine(healthy(true)).empty());
}

TEST_CASE("the use of the sequence space is found from half on, with manual keys", "[doctor]") {
  auto health = healthy(true);
  health.numbers_used = std::uint16_t{16383};
  CHECK(examine(health).empty());
  health.numbers_used = std::uint16_t{16384};
  CHECK(only(health).what == "16384 of the 32768 sequence numbers that are safe under the manual keys are used (50 %)");
  CHECK(only(health).advice);
  health.numbers_used = std::uint16_t{29500};
  CHECK(only(health).what.find("(90 %)") != std::string::npos);
  health.numbers_used = std::uint16_t{32768};
  CHECK(only(health).what.starts_with("all 32768"));
  health.numbers_used.reset();
  CHECK(only(health).check == "sequence-numbers");
  health.manual_keys = false;
  health.charon_connected = true;
  CHECK(examine(health).empty());
}

TEST_CASE("IKE should be used where the sequence space is cycled within the horizon", "[doctor]") {
  auto health = healthy(true);
  health.movement_rate = round_in(std::chrono::days{400} - 1h);
  const auto finding = only(health);
  CHECK(finding.check == "movement");
  CHECK(finding.advice);
  CHECK(finding.what.find("in 399 days, earlier than in the 400 days of forecast-horizon") != std::string::npos);
  CHECK(finding.remedy.find("keying = ikev2") != std::string::npos);
  health.movement_rate = round_in(std::chrono::days{400} + 1h);
  CHECK(examine(health).empty());
  health = healthy(false);
  health.movement_rate = round_in(1h);
  CHECK(examine(health).empty());
}

TEST_CASE("that refreshes use up the numbers is no reason for IKE", "[doctor]") {
  mip6::SequenceForecast forecast;
  mip6::BootTime now{1h};
  const auto end = now + std::chrono::days{30};
  forecast.used(now);
  forecast.used_for_move();                        // registers, and stands still from then on
  while ((now += 315s) < end) forecast.used(now);  // at the default lifetime of 420 s
  auto health = healthy(true);
  health.movement_rate = forecast.movement_rate(now);
  health.highest_rate = forecast.highest_rate();
  const auto round = mip6::SequenceForecast::time_until(mip6::kWholeSpace, 0, forecast.average_rate(now));
  REQUIRE(round);
  CHECK(*round < health.horizon);
  CHECK(examine(health).empty());
}

TEST_CASE("IKE should be used after thrashing, whatever the average is", "[doctor]") {
  auto health = healthy(true);
  health.highest_rate = 3;  // as many updates a second as the core sends at most
  const auto finding = only(health);
  CHECK(finding.check == "thrashing");
  CHECK(finding.advice);
  CHECK(finding.what.starts_with("IKE should be used"));
  CHECK(finding.what.ends_with("come round again in 6 h"));
  CHECK(finding.remedy.find("keying = ikev2") != std::string::npos);
  health.highest_rate = round_in(24h - 1min);
  CHECK(only(health).what.ends_with("in 23 h"));
  health.highest_rate = round_in(24h + 1min);
  CHECK(examine(health).empty());
  health = healthy(false);
  health.highest_rate = 3;
  CHECK(examine(health).empty());
}

TEST_CASE("thrashing is told whatever the keys, once many updates were held back", "[doctor]") {
  for (const bool manual_keys : {false, true}) {
    auto health = healthy(manual_keys);
    health.held_back = 9;
    CHECK(examine(health).empty());
    health.held_back = 10;
    const auto finding = only(health);
    CHECK(finding.check == "thrashing");
    CHECK(finding.advice);
    CHECK(finding.what.find("10 updates were held back") != std::string::npos);
    CHECK(finding.remedy.starts_with("prefer and exclude"));
  }
  auto health = healthy(true);
  health.held_back = 10;
  health.highest_rate = 3;  // the graver one of the two
  CHECK(only(health).what.starts_with("IKE should be used"));
}

TEST_CASE("trouble with the keys and with the disk is found, the disk first", "[doctor]") {
  auto health = healthy(true);
  health.keys = Health::Wrong{"no record", "make new keys"};
  CHECK(only(health).check == "manual-keys");
  CHECK_FALSE(only(health).advice);
  health.state = Health::Wrong{"disk full", "make room"};
  const auto findings = examine(health);
  REQUIRE(findings.size() == 2);
  CHECK(findings.front().check == "state-file");
  CHECK(findings.front().remedy == "make room");
}

namespace {

struct Break {
  std::string check;
  void (*make)(Health&);
};
const std::vector<Break> kBreaks{
    {"running", [](Health& health) { health.running = false; }},
    {"configuration",
     [](Health& health) {
       health.config_mistakes = {{"mnd.conf:3: what", "write that"}};
     }},
    {"ipv6", [](Health& health) { health.ipv6_off = true; }},
    {"modules",
     [](Health& health) {
       health.missing_modules = {"mip6", "esp6"};
     }},
    {"kernel-options", [](Health& health) { health.missing_options = {"CONFIG_XFRM_MIGRATE"}; }},
    {"state-file",
     [](Health& health) {
       health.state = Health::Wrong{"disk full", "make room"};
     }},
    {"state-directory", [](Health& health) { health.state_writable = false; }},
    {"vici", [](Health& health) { health.vici_forbidden = true, health.charon_connected = false; }},
    {"charon", [](Health& health) { health.charon_connected = false; }},
    {"charon-plugins",
     [](Health& health) {
       health.charon_plugins = {"vici", "socket-default", "nonce"};
     }},
    {"clock", [](Health& health) { health.unix_now = 1'000'000'000; }},
    {"clock", [](Health& health) { health.certificate_from = health.unix_now + 1; }},
    {"certificate", [](Health& health) { health.certificate_until = health.unix_now - 1; }},
    {"certificate", [](Health& health) { health.certificate_until = health.unix_now + 14 * 24 * 60 * 60 - 1; }},
    {"certificate-name",
     [](Health& health) {
       health.certificate_name = Health::Wrong{"no name", "have one issued"};
     }},
    {"other-vpn", [](Health& health) { health.other_policies = {"::/0 -> ::/0"}; }},
    {"other-vpn", [](Health& health) { health.other_way = "wg0"; }},
    {"secret", [](Health& health) { health.guessable_secret = true; }},
    {"secret",
     [](Health& health) {
       health.short_secret = Health::Wrong{"short", "take a longer one"};
     }},
    {"kernel",
     [](Health& health) {
       health.kernel = Health::Wrong{"refused", "mend it"};
     }},
    {"network", [](Health& health) { health.has_address = false; }},
    {"mtu", [](Health& health) { health.mtu = 1319; }},
    {"firewall", [](Health& health) { health.send_forbidden = true; }},
    {"firewall",
     [](Health& health) {
       health.ike_forbidden = true;
       health.key_exchange = Health::Wrong{"no answer", "look there"};
     }},
    {"discovery",
     [](Health& health) {
       health.discovery = Health::Wrong{"nobody answers", "name one"};
     }},
    {"key-exchange",
     [](Health& health) {
       health.key_exchange = Health::Wrong{"refused", "mend it"};
     }},
    {"home-agent",
     [](Health& health) {
       health.home_agent = Health::Wrong{"no answer", "look there"};
     }},
    {"prefixes",
     [](Health& health) {
       health.prefixes = Health::Wrong{"renumbered", "change it"};
     }},
};

Health machine() {
  auto health = healthy(false);
  health.vici_socket = "/run/charon.vici";
  health.charon_plugins = {"vici", "kernel-netlink", "socket-default", "nonce", "openssl"};
  health.unix_now = 1'800'000'000;
  health.certificate_from = health.unix_now;
  health.certificate_until = health.unix_now + 14 * 24 * 60 * 60;
  health.mtu = 1320;
  return health;
}

}  // namespace

TEST_CASE("each thing that is wrong with the machine is found alone, with a remedy", "[doctor]") {
  REQUIRE(examine(machine()).empty());
  for (const auto& one : kBreaks) {
    INFO(one.check);
    auto health = machine();
    one.make(health);
    const auto finding = only(health);
    CHECK(finding.check == one.check);
    CHECK_FALSE(finding.advice);
  }
}

TEST_CASE("each check is in this test, and has a name of its own", "[doctor]") {
  std::set<std::string, std::less<>> tried{"manual-keys", "sequence-numbers", "movement", "thrashing"};
  for (const auto& one : kBreaks) tried.insert(one.check);
  std::set<std::string, std::less<>> named;
  for (const auto name : check_names()) CHECK(named.insert(std::string{name}).second);
  CHECK(tried == named);
}

TEST_CASE("where more mistakes are told is said of two or more", "[doctor]") {
  auto health = machine();
  health.config_file = "/etc/mnd/mnd.conf";
  health.config_mistakes = {{"mnd.conf:3: what", "write that"}};
  CHECK(only(health).what == "mnd.conf:3: what");
  CHECK(only(health).remedy == "write that");
  health.config_mistakes.push_back({"mnd.conf:4: what", "write this"});
  CHECK(only(health).what == "mnd.conf:3: what, and 1 more mistake");
  CHECK(only(health).remedy == "write that; all of them: mnd --check --config /etc/mnd/mnd.conf");
}

TEST_CASE("what the kernel lacks explains what else is wrong only where the kernel refuses something", "[doctor]") {
  auto health = machine();
  health.missing_modules = {"cls_flower"};
  health.send_forbidden = true;
  const auto both = examine(health);
  REQUIRE(both.size() == 2);
  CHECK(both[0].check == "modules");
  CHECK(both[1].check == "firewall");
  health.kernel = Health::Wrong{"no such device", "modprobe"};
  CHECK(only(health).check == "modules");
}

TEST_CASE("what is missing is named", "[doctor]") {
  auto health = machine();
  health.missing_modules = {"mip6", "esp6"};
  CHECK(only(health).what == "the kernel has no mip6, esp6");
  CHECK(only(health).remedy.starts_with("modprobe -a mip6 esp6;"));
  health = machine();
  health.charon_plugins = {"vici"};
  CHECK(only(health).what.ends_with("plugin kernel-netlink, socket-default, nonce"));
  health = machine();
  health.by_certificate = true;
  CHECK(only(health).what.ends_with("plugin pem"));
  health = machine();
  health.other_way = "wg0";
  CHECK(only(health).what.find("leave by wg0") != std::string::npos);
  CHECK(only(health).remedy.starts_with("ip link set wg0 down"));
  health.other_policies = {"2001:db8:a1::7/128 -> ::/0"};
  CHECK(only(health).what.ends_with("2001:db8:a1::7/128 -> ::/0"));
  health = machine();
  health.missing_options = {"CONFIG_XFRM_MIGRATE"};
  CHECK(only(health).what == "the kernel was built without CONFIG_XFRM_MIGRATE");
}

TEST_CASE("a filter is named with what it drops", "[doctor]") {
  auto health = machine();
  health.send_forbidden = true;
  CHECK(only(health).remedy.find("'{ esp, 135 }'") != std::string::npos);
  health.ike_forbidden = true;
  CHECK(only(health).remedy.find("udp dport '{ 500, 4500 }'") != std::string::npos);
  health.manual_keys = true;
  CHECK(only(health).remedy.find("'{ esp, 135 }'") != std::string::npos);
}

TEST_CASE("an expired certificate may be a wrong clock", "[doctor]") {
  auto health = machine();
  health.certificate_until = health.unix_now - 1;
  CHECK(only(health).remedy.starts_with("date tells whether the clock is right"));
  health.certificate_until = health.unix_now + 1;
  CHECK(only(health).remedy.starts_with("have it renewed"));
}

TEST_CASE("what follows from a cause that was found is not told beside it", "[doctor]") {
  auto health = machine();
  health.home_agent = Health::Wrong{"no answer", "look there"};
  health.key_exchange = Health::Wrong{"no answer", "look there"};
  CHECK(only(health).check == "key-exchange");
  health.has_address = false;
  CHECK(only(health).check == "network");
  health.charon_connected = false;
  CHECK(only(health).check == "charon");
}

TEST_CASE("that the daemon does not run comes first and hides nothing", "[doctor]") {
  auto health = machine();
  health.running = false;
  health.state_writable = false;
  const auto findings = examine(health);
  REQUIRE(findings.size() == 2);
  CHECK(findings.front().check == "running");
  CHECK(findings.front().remedy.starts_with("systemctl start mnd"));
  CHECK(findings.back().check == "state-directory");
}

TEST_CASE("without dynamic keys charon is not missed", "[doctor]") {
  auto health = machine();
  health.manual_keys = true;
  health.charon_connected = false;
  health.vici_forbidden = true;
  health.charon_plugins = {"vici"};
  CHECK(examine(health).empty());
}
