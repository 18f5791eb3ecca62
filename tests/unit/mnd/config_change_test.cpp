// What is told of a configuration, and what it takes to go from one to another.
#include "mnd/config_change.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "tests/catch.hpp"
#include "tests/unit/source_folder.hpp"
#include "tests/unit/temporary_folder.hpp"

using namespace mnd;

namespace {

const std::string kFiveLines =
    "home-address = 2001:db8:1::42/64\n"
    "home-agent = 2001:db8:1::1\n"
    "identity = laptop@example.org\n"
    "secret-file = secret\n"
    "keying = ikev2\n";

const auto kAgent = mip6::Ipv6Address::parse("2001:db8:1::1").value();

Config config_of(const std::string& text, const std::string& secret = "geheim\n") {
  static const TemporaryFolder folder;
  folder.file("secret", secret, 0640);
  const auto config = load_config(folder.file("mnd.conf", text));
  for (const auto& mistake : config ? std::vector<kernel::ConfigMistake>{} : config.error())
    UNSCOPED_INFO(mistake.what);
  REQUIRE(config);
  return *config;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

ConfigChange change(const std::string& to, const mip6::Ipv6Address& home_agent = kAgent) {
  return compare(config_of(kFiveLines), config_of(to), home_agent);
}

std::string value_of(const ShownConfig& config, const std::string& key) {
  const auto found = std::ranges::find(config.settings, key, &ShownSetting::key);
  return found == config.settings.end() ? "none" : found->value;
}

}  // namespace

TEST_CASE("a configuration is shown with its defaults and without its secret") {
  const auto config =
      shown(config_of(kFiveLines + "bypass = 2001:db8:2::/48\n[interface \"wl*\"]\npreference = 3\nexclude = no\n"));
  CHECK(value_of(config, "home-address") == "2001:db8:1::42/64");
  CHECK(value_of(config, "home-agent") == "2001:db8:1::1");
  CHECK(value_of(config, "lifetime") == "420");
  CHECK(value_of(config, "bypass") == "2001:db8:2::/48");
  CHECK(value_of(config, "control-read") == "group");
  CHECK(value_of(config, "certificate") == "none");
  CHECK(value_of(config, "secret-file").ends_with("/secret"));
  for (const auto& setting : config.settings) CHECK(setting.value.find("geheim") == std::string::npos);
  CHECK(config.interfaces == std::vector<ShownInterface>{{.pattern = "wl*", .preference = 3}});
}

TEST_CASE("what is shown is a configuration that means the same") {
  const auto config =
      config_of(kFiveLines + "home-agent-identity = ha\nprefer = w1 w2\nexclude = docker*\nlifetime = 600\n");
  std::string text;
  for (const auto& setting : shown(config).settings) text += setting.key + " = " + setting.value + "\n";
  for (const auto& one : shown(config).interfaces) {
    text += "[interface \"" + one.pattern + "\"]\n";
    if (one.preference) text += "preference = " + std::to_string(*one.preference) + "\n";
    if (one.exclude) text += "exclude = yes\n";
  }
  const auto again = config_of(text);
  CHECK(compare(config, again, kAgent).changed.empty());
  CHECK(again.preference == config.preference);
}

TEST_CASE("nothing that means another thing is no change") {
  const auto same = change("# a word\n" + kFiveLines + "lifetime = 420\n");
  CHECK(same.effect == Effect::kNone);
  CHECK(same.changed.empty());
}

TEST_CASE("what a running daemon can take over at once is applied at once") {
  const auto times = change(kFiveLines + "lifetime = 600\n");
  CHECK(times.effect == Effect::kAtOnce);
  CHECK(times.times);
  CHECK_FALSE(times.credentials);
  CHECK(times.changed == std::vector<std::string>{"lifetime"});
  const auto links = change(kFiveLines + "[interface \"w1\"]\nexclude = yes\n");
  CHECK(links.effect == Effect::kAtOnce);
  CHECK(links.changed == std::vector<std::string>{"interface"});
  const auto name = change(replaced(kFiveLines, "laptop@", "phone@"));
  CHECK(name.effect == Effect::kAtOnce);
  CHECK(name.credentials);
}

TEST_CASE("another secret in the same file is seen") {
  const auto seen = compare(config_of(kFiveLines), config_of(kFiveLines, "another\n"), kAgent);
  CHECK(seen.effect == Effect::kAtOnce);
  CHECK(seen.credentials);
  CHECK(seen.changed == std::vector<std::string>{"secret-file"});
}

TEST_CASE("with the same registration another daemon takes over, with another one it starts anew") {
  CHECK(change(kFiveLines + "protect = payload\n").effect == Effect::kTakeOver);
  CHECK(change(kFiveLines + "bypass = 2001:db8:2::/48\nlifetime = 600\n").effect == Effect::kTakeOver);
  CHECK(change(replaced(kFiveLines, "::1\n", "::1 2001:db8:1::2\n")).effect == Effect::kTakeOver);
  CHECK(change(replaced(kFiveLines, "::1\n", "::2\n")).effect == Effect::kAnew);
  // The numbers are kept under the first one's name.
  CHECK(change(replaced(kFiveLines, "::1\n", "::2 2001:db8:1::1\n")).effect == Effect::kAnew);
  CHECK(change(replaced(kFiveLines, "::1\n", "::1 2001:db8:1::2\n"), {}).effect == Effect::kAnew);
  CHECK(change(replaced(kFiveLines, "::42", "::43")).effect == Effect::kAnew);
}

TEST_CASE("the manual's file with all settings is valid, and has the defaults") {
  std::ifstream file{source_folder() / "packaging/man/mnd.conf.5"};
  std::string text{std::istreambuf_iterator{file}, {}};
  text.erase(0, text.find(".Sh ALL SETTINGS"));
  text.erase(0, text.find("\nhome-address") + 1);
  text.erase(text.find("\n.Ed") + 1);
  auto changed = change(replaced(text, "/etc/mnd/secret", "secret")).changed;
  std::ranges::sort(changed);
  CHECK(changed == std::vector<std::string>{"bypass", "home-agent-identity", "interface"});
}
