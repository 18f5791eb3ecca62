// See config.hpp: from the file's settings to a checked Config.
#include "mnd/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <numeric>
#include <optional>
#include <sstream>
#include <system_error>
#include <utility>

#include "mnd/linux/durable_file.hpp"

namespace mnd {

namespace {

using kernel::ConfigMistake;
using kernel::ConfigSetting;

constexpr long kMinLifetime = 4;                // seconds: one unit on the wire
constexpr long kMinFirstTimeout = 100;          // milliseconds
constexpr long kMaxFirstTimeout = 32000;        // milliseconds: later ones are no longer, either
constexpr std::size_t kMaxSocketPath = 107;     // sun_path
constexpr std::size_t kMaxInterfaceName = 15;   // IFNAMSIZ - 1
constexpr std::size_t kSuggestionDistance = 3;  // letters of difference up to which a key is thought to be meant

constexpr std::array<std::string_view, 16> kKeys{"home-address",   "home-agent",      "identity", "home-agent-identity",
                                                 "secret-file",    "certificate",     "keying",   "lifetime",
                                                 "first-timeout",  "prefer",          "exclude",  "vici-socket",
                                                 "control-socket", "state-directory", "protect",  "prefix-discovery"};
// What others call it; whoever writes them is told our way.
constexpr std::array<std::string_view, 3> kCertificateKeys{"private-key", "ca-certificate", "home-agent-certificate"};

// Letters to insert, remove or replace to get from one to the other (Levenshtein).
std::size_t distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= from.size(); ++i) {
    auto diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const auto replaced = diagonal + (from[i - 1] == to[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

std::string nearest_key(std::string_view key) {
  std::string plain{key};
  std::replace(plain.begin(), plain.end(), '_', '-');
  const auto best = std::min_element(
      kKeys.begin(), kKeys.end(), [&](auto one, auto other) { return distance(plain, one) < distance(plain, other); });
  return distance(plain, *best) <= kSuggestionDistance ? std::string{*best} : std::string{};
}

bool contains(const auto& list, const auto& item) { return std::find(list.begin(), list.end(), item) != list.end(); }

std::string reason_of(const mip6::Error& error) {
  return error.os_error == 0 ? error.reason : std::generic_category().message(error.os_error);
}

class Checker {
 public:
  Checker(const std::filesystem::path& path, std::vector<ConfigMistake> mistakes)
      : path_{path}, mistakes_{std::move(mistakes)} {}

  tl::expected<Config, std::vector<ConfigMistake>> check(const std::vector<kernel::ConfigSection>& sections) {
    collect(sections);
    addresses();
    identities();
    proof();
    keying();
    protection();
    prefix_discovery();
    times();
    interfaces();
    paths();
    if (!mistakes_.empty()) return tl::unexpected(std::move(mistakes_));
    return std::move(config_);
  }

 private:
  void collect(const std::vector<kernel::ConfigSection>& sections);
  void addresses();
  void home_address(const ConfigSetting& setting);
  void identities();
  void proof();
  void certificate(const ConfigSetting& setting);
  void keying();
  void protection();
  void prefix_discovery();
  std::optional<long> number(std::string_view key, std::string_view what, std::string_view unit, long from, long to);
  void times();
  void interfaces();
  void paths();
  std::vector<std::string> patterns(std::string_view key);
  void path_of(std::string_view key, std::filesystem::path& target, bool is_socket);

  const ConfigSetting* find(std::string_view key) const {
    const auto found = settings_.find(key);
    return found == settings_.end() ? nullptr : &found->second;
  }
  const ConfigSetting* require(std::string_view key, std::string_view example) {
    const auto* found = find(key);
    if (!found)
      mistakes_.push_back(
          {path_.string(), 0, fmt::format("{}: is missing", key), fmt::format("add a line '{}'", example)});
    return found;
  }
  void mistake(const ConfigSetting& setting, std::string_view what, std::string remedy) {
    // the most likely reason for a value that is right at its beginning
    if (setting.value.find(" #") != std::string::npos || setting.value.find(" ;") != std::string::npos)
      remedy += " (a comment needs a line of its own)";
    mistakes_.push_back({setting.file, setting.line, fmt::format("{}: {}", setting.key, what), std::move(remedy)});
  }

  const std::filesystem::path& path_;
  std::map<std::string, ConfigSetting, std::less<>> settings_;  // of all files; a later one wins
  std::vector<ConfigMistake> mistakes_;
  Config config_;
};

void Checker::collect(const std::vector<kernel::ConfigSection>& sections) {
  for (const auto& section : sections) {
    if (!section.name.empty()) {
      mistakes_.push_back({section.file, section.line, fmt::format("[{}]: unknown section", section.name),
                           "this version has no sections: remove the header, keep the settings"});
      continue;
    }
    for (const auto& setting : section.settings) {
      if (contains(kKeys, setting.key)) {
        settings_.insert_or_assign(setting.key, setting);
      } else if (contains(kCertificateKeys, setting.key)) {
        mistake(setting, "unknown setting",
                "certificate = FILE has private key, certificate and CA certificates in one");
      } else {
        const auto meant = nearest_key(setting.key);
        mistake(setting, "unknown setting",
                meant.empty() ? "see mnd.conf(5) for the list of settings" : fmt::format("did you mean '{}'?", meant));
      }
    }
  }
}

void Checker::home_address(const ConfigSetting& setting) {
  constexpr std::string_view kRemedy = "write an address with the prefix length of the home link, 2001:db8:1::42/64";
  const bool has_length = setting.value.find('/') != std::string::npos;
  const auto prefix = mip6::Ipv6Prefix::parse(has_length ? setting.value : setting.value + "/64");
  if (!prefix) {
    mistake(setting, fmt::format("'{}' is not an IPv6 address", setting.value), std::string{kRemedy});
  } else if (!prefix->address.is_global_unicast()) {
    mistake(setting, fmt::format("'{}' is not a global address", setting.value), std::string{kRemedy});
  } else if (prefix->length == 0 || prefix->length > 127) {
    mistake(setting, fmt::format("a home link does not have a prefix of {} bits", prefix->length),
            std::string{kRemedy});
  } else {
    config_.home_address = prefix->address;
    config_.home_prefix = *prefix;
  }
}

void Checker::addresses() {
  if (const auto* home = require("home-address", "home-address = 2001:db8:1::42/64")) home_address(*home);
  const auto* agent = require("home-agent", "home-agent = 2001:db8:1::1");
  if (!agent) return;
  const auto address = mip6::Ipv6Address::parse(agent->value);
  if (!address) {
    mistake(*agent, fmt::format("'{}' is not an IPv6 address", agent->value), "write its address, 2001:db8:1::1");
    return;
  }
  if (!address->is_global_unicast()) {
    mistake(*agent, fmt::format("'{}' is not a global address", agent->value),
            "write the address under which the home agent is reachable from everywhere");
    return;
  }
  config_.home_agent = *address;
  if (config_.home_address.is_unspecified()) return;
  if (config_.home_address == *address)
    mistake(*agent, "the home agent has the node's home address", "write the home agent's own address");
  else if (!config_.home_prefix.contains(*address))
    // the home agent intercepts packets on the home link, so it has an address of its prefix (RFC 6275 section 3.1)
    mistake(*agent,
            fmt::format("'{}' is not in the home prefix {}", agent->value,
                        find("home-address") ? find("home-address")->value : std::string{}),
            "write the home agent's address on the home link, or correct the prefix length of home-address");
}

void Checker::identities() {
  const auto take = [&](const ConfigSetting& setting, std::string& target) {
    if (setting.value.empty())
      mistake(setting, "is empty", "write the name under which the home agent knows this node, laptop@example.org");
    else if (setting.value.find_first_of("\"\t") != std::string::npos)
      mistake(setting, "contains quotes or tabs", "write the plain name, laptop@example.org");
    else
      target = setting.value;
  };
  if (const auto* identity = require("identity", "identity = laptop@example.org")) take(*identity, config_.identity);
  if (const auto* identity = find("home-agent-identity"))
    take(*identity, config_.home_agent_identity);
  else
    config_.home_agent_identity = config_.home_agent.to_string();
  if (!config_.identity.empty() && config_.identity == config_.home_agent_identity)
    if (const auto* identity = find("identity"))
      mistake(*identity, "node and home agent have the same identity", "give each a name of its own");
}

void Checker::certificate(const ConfigSetting& setting) {
  const auto content = kernel::read_key_file(config_.proof_file);
  auto parsed = content.and_then([](const std::string& bundle) { return ike::parse_certificate(bundle); });
  if (parsed)
    config_.proof = std::move(*parsed);
  else
    mistake(setting, fmt::format("{}: {}", config_.proof_file.string(), reason_of(parsed.error())),
            parsed.error().remedy);
}

void Checker::proof() {
  const auto* by_certificate = find("certificate");
  if (by_certificate && find("secret-file")) {
    mistake(*by_certificate, "there is also a secret-file", "keep the one of the two that the home agent expects");
    return;
  }
  const auto* setting =
      by_certificate ? by_certificate
                     : require("secret-file", "secret-file = /etc/mnd/secret' or 'certificate = /etc/mnd/laptop.pem");
  if (!setting) return;
  if (setting->value.empty()) {
    mistake(*setting, "is empty",
            by_certificate ? "write the path of the file with private key and certificates, /etc/mnd/laptop.pem"
                           : "write the path of the file with the shared secret, /etc/mnd/secret");
    return;
  }
  // relative paths count from the configuration's folder
  config_.proof_file = path_.parent_path() / setting->value;
  if (by_certificate) return certificate(*setting);
  auto secret = kernel::read_secret(config_.proof_file);
  if (secret)
    config_.proof = ike::PreSharedKey{std::move(*secret)};
  else
    mistake(*setting, fmt::format("{}: {}", config_.proof_file.string(), reason_of(secret.error())),
            secret.error().remedy);
}

void Checker::keying() {
  const auto* setting = find("keying");
  if (!setting || setting->value == "ikev2") return;
  if (setting->value == "ikev1" || setting->value == "manual")
    mistake(*setting, fmt::format("'{}' is not available in this version", setting->value), "write 'keying = ikev2'");
  else
    mistake(*setting, fmt::format("'{}' is no keying method", setting->value), "write 'keying = ikev2'");
}

void Checker::protection() {
  const auto* setting = find("protect");
  if (!setting || setting->value == "signalling") return;
  if (setting->value == "payload")
    config_.protect_payload = true;
  else
    mistake(*setting, fmt::format("'{}' is neither signalling nor payload", setting->value),
            "write 'protect = payload' to have all that is tunnelled under ESP, as the home agent must have it too");
}

void Checker::prefix_discovery() {
  const auto* setting = find("prefix-discovery");
  if (!setting || setting->value == "no") return;
  if (setting->value == "yes")
    config_.prefix_discovery = true;
  else
    mistake(
        *setting, fmt::format("'{}' is neither yes nor no", setting->value),
        "write 'prefix-discovery = yes' to have the home network's prefixes asked for after the first registration");
}

// Empty if the setting is missing or wrong.
std::optional<long> Checker::number(std::string_view key, std::string_view what, std::string_view unit, long from,
                                    long to) {
  const auto* setting = find(key);
  if (!setting) return std::nullopt;
  const auto& text = setting->value;
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size() && value >= from && value <= to) return value;
  mistake(*setting, fmt::format("'{}' is not a {}", text, what),
          fmt::format("write a number of {} from {} to {}", unit, from, to));
  return std::nullopt;
}

void Checker::times() {
  if (const auto seconds = number("lifetime", "lifetime", "seconds", kMinLifetime, mip6::kMaxLifetime.count()))
    config_.lifetime = mip6::Lifetime{*seconds};
  if (const auto wait = number("first-timeout", "timeout", "milliseconds", kMinFirstTimeout, kMaxFirstTimeout))
    config_.first_timeout = std::chrono::milliseconds{*wait};
}

std::vector<std::string> Checker::patterns(std::string_view key) {
  std::vector<std::string> found;
  const auto* setting = find(key);
  if (!setting) return found;
  std::istringstream words{setting->value};
  for (std::string word; words >> word;) {
    const bool wild = word.find_first_of("*?[") != std::string::npos;
    if (word.find_first_of(",/\"#") != std::string::npos || (!wild && word.size() > kMaxInterfaceName))
      mistake(*setting, fmt::format("'{}' is no interface pattern", word),
              "write names or patterns with blanks between them, eth* wl*");
    else
      found.push_back(word);
  }
  return found;
}

void Checker::interfaces() {
  config_.preference = patterns("prefer");
  config_.exclude = patterns("exclude");
  for (const auto& pattern : config_.preference)
    if (contains(config_.exclude, pattern))
      mistake(*find("exclude"), fmt::format("'{}' is preferred and excluded", pattern),
              "remove it from one of the two");
}

void Checker::path_of(std::string_view key, std::filesystem::path& target, bool is_socket) {
  const auto* setting = find(key);
  if (!setting) return;
  std::filesystem::path path{setting->value};
  if (!path.is_absolute())
    mistake(*setting, fmt::format("'{}' is not an absolute path", setting->value), "begin it with /");
  else if (is_socket && setting->value.size() > kMaxSocketPath)
    mistake(*setting, fmt::format("longer than {} characters", kMaxSocketPath), "a socket needs a shorter path");
  else
    target = std::move(path);
}

void Checker::paths() {
  path_of("vici-socket", config_.vici_socket, true);
  path_of("control-socket", config_.control_socket, true);
  path_of("state-directory", config_.state_directory, false);
  if (config_.vici_socket == config_.control_socket)
    if (const auto* setting = find("control-socket") ? find("control-socket") : find("vici-socket"))
      mistake(*setting, "charon's socket and ours are the same", "give mnd a socket of its own");
}

}  // namespace

tl::expected<Config, std::vector<ConfigMistake>> load_config(const std::filesystem::path& path) {
  auto content = kernel::read_config_content(path);
  const auto unreadable = [](const ConfigMistake& mistake) { return mistake.line == 0; };
  if (std::any_of(content.mistakes.begin(), content.mistakes.end(), unreadable))
    return tl::unexpected(std::move(content.mistakes));
  return Checker{path, std::move(content.mistakes)}.check(content.sections);
}

}  // namespace mnd
