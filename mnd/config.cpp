// See config.hpp: file, addresses, times, interfaces, paths.
#include "mnd/config_checker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>
#include <system_error>
#include <utility>

#include "mnd/connections.hpp"
#include "mnd/linux/nearest_key.hpp"

namespace mnd {

namespace {

constexpr long kMinLifetime = 4;               // seconds: one unit on the wire
constexpr long kMinFirstTimeout = 100;         // milliseconds
constexpr long kMaxFirstTimeout = 32000;       // milliseconds: later ones are no longer, either
constexpr long kMinRekey = 10;                 // seconds
constexpr long kMaxRekey = 86400;              // seconds
constexpr long kMaxForecastHorizon = 36500;    // days
constexpr std::size_t kMaxSocketPath = 107;    // sun_path
constexpr std::size_t kMaxInterfaceName = 15;  // IFNAMSIZ - 1
constexpr std::size_t kMaxBypass = 16;         // each is a route of every address

constexpr std::array<std::string_view, 27> kKeys{"rekey",
                                                 "ike-rekey",
                                                 "home-address",
                                                 "home-agent",
                                                 "identity",
                                                 "secret-file",
                                                 "certificate",
                                                 "keying",
                                                 "ike-proposals",
                                                 "esp-proposals",
                                                 "signature-hash",
                                                 "lifetime",
                                                 "first-timeout",
                                                 "prefer",
                                                 "exclude",
                                                 "bypass",
                                                 "vici-socket",
                                                 "protect",
                                                 "control-socket",
                                                 "manual-keys",
                                                 "home-agent-identity",
                                                 "state-directory",
                                                 "forecast-horizon",
                                                 "prefix-discovery",
                                                 ike::kConsentKey,
                                                 "home-agent-prefix",
                                                 "control-read"};
constexpr std::array<std::string_view, 3> kInterfaceKeys{"preference", "exclude", "optimistic-dad"};
// What others call it, or what others have; whoever writes them is told our way.
struct Foreign {
  std::string_view key;
  std::string_view reason;
  std::string_view remedy;
};
constexpr std::string_view kUnknown = "unknown setting";
constexpr std::string_view kBundle = "certificate = FILE has private key, certificate and CA certificates in one";
constexpr std::string_view kGroup = "a secret of a group: any member could pose as another node, or as the home agent";
constexpr std::string_view kOwn = "write secret-file = FILE, with a secret that only this node and the home agent have";
constexpr std::string_view kMode = "certificate goes with main mode, secret-file with aggressive mode";
constexpr std::array kForeign{Foreign{"private-key", kUnknown, kBundle},
                              Foreign{"ca-certificate", kUnknown, kBundle},
                              Foreign{"home-agent-certificate", kUnknown, kBundle},
                              Foreign{"group-secret", kGroup, kOwn},
                              Foreign{"group-secret-file", kGroup, kOwn},
                              Foreign{"aggressive", kUnknown, kMode},
                              Foreign{"mode", kUnknown, kMode}};

// As the kernel has it: no bits beyond the length.
mip6::Ipv6Prefix masked(mip6::Ipv6Prefix prefix) {
  for (std::size_t bit = prefix.length; bit < 128; ++bit)
    prefix.address.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80U >> (bit % 8)));
  return prefix;
}

// Of interfaces' names.
bool is_pattern(std::string_view word) {
  const bool wild = word.find_first_of("*?[") != std::string_view::npos;
  return !word.empty() && word.find_first_of(",/\"# \t") == std::string_view::npos &&
         (wild || word.size() <= kMaxInterfaceName);
}

bool contains(const auto& list, const auto& item) { return std::find(list.begin(), list.end(), item) != list.end(); }

}  // namespace

void ConfigChecker::unknown(const ConfigSetting& setting, std::span<const std::string_view> keys) {
  const auto meant = kernel::nearest_key(setting.key, keys);
  mistake(setting, "unknown setting",
          meant.empty() ? "see mnd.conf(5) for the list of settings" : fmt::format("did you mean '{}'?", meant));
}

void ConfigChecker::collect(const std::vector<kernel::ConfigSection>& sections) {
  for (const auto& section : sections) {
    if (!section.name.empty()) {
      interface_section(section);
      continue;
    }
    for (const auto& setting : section.settings) {
      if (contains(kKeys, setting.key)) {
        settings_.insert_or_assign(setting.key, setting);
      } else if (const auto foreign = std::find_if(kForeign.begin(), kForeign.end(),
                                                   [&](const Foreign& one) { return one.key == setting.key; });
                 foreign != kForeign.end()) {
        mistake(setting, foreign->reason, std::string{foreign->remedy});
      } else {
        unknown(setting, kKeys);
      }
    }
  }
}

void ConfigChecker::interface_section(const kernel::ConfigSection& section) {
  if (section.kind != "interface" || !is_pattern(section.argument)) {
    mistakes_.push_back(
        {section.file, section.line,
         fmt::format("[{}]: {}", section.name,
                     section.kind == "interface" ? "names no interface, nor a pattern of names" : "unknown section"),
         "write [interface \"wl*\"], with an interface's name or a pattern; all other settings stand above it"});
    return;
  }
  for (const auto& setting : section.settings) {
    if (setting.key == "preference") {
      if (const auto preference = number(setting, "preference", "", -kMaxPreference, kMaxPreference))
        config_.preference.push_back({section.argument, static_cast<int>(*preference)});
    } else if (setting.key == "exclude") {
      if (yes(setting, "the interface is not used")) config_.exclude.push_back(section.argument);
    } else if (setting.key == "optimistic-dad") {
      if (yes(setting, "addresses are used while they are looked for on the link"))
        config_.optimistic_dad.push_back(section.argument);
    } else if (contains(kKeys, setting.key)) {
      mistake(setting, "no setting of an interface", "move the line above the first section");
    } else {
      unknown(setting, kInterfaceKeys);
    }
  }
}

void ConfigChecker::home_address(const ConfigSetting& setting) {
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

void ConfigChecker::addresses() {
  if (const auto* home = require("home-address", "home-address = 2001:db8:1::42/64")) home_address(*home);
  if (const auto* prefix = find("home-agent-prefix")) home_agent_prefix(*prefix);
  if (const auto* agents = require("home-agent", "home-agent = 2001:db8:1::1")) home_agents(*agents);
}

void ConfigChecker::home_agent_prefix(const ConfigSetting& setting) {
  agent_prefix_ = mip6::Ipv6Prefix::parse(setting.value);
  if (!agent_prefix_ || agent_prefix_->length == 0 || agent_prefix_->length > 127)
    mistake(setting, fmt::format("'{}' is not the prefix of a link", setting.value),
            "write the prefix that the home agent's address is of, 2001:db8:1::/64");
}

void ConfigChecker::home_agents(const ConfigSetting& setting) {
  const auto words = words_of(setting.value);
  if (words.empty()) home_agent(setting, setting.value);
  const auto before = mistakes_.size();
  for (const auto& word : words) {
    if (word == "discover")
      config_.discover = true;
    else
      home_agent(setting, word);
    if (mistakes_.size() > before) return;  // one is enough of a line
  }
  // RFC 2526: the anycast address that is asked has seven bits of its own.
  constexpr std::uint8_t kLongest = 121;
  if (config_.discover && config_.home_prefix.length > kLongest)
    mistake(setting,
            fmt::format("a prefix of {} bits has no room for the address that is asked for home agents",
                        config_.home_prefix.length),
            "write the home agents' addresses in place of 'discover'");
}

void ConfigChecker::home_agent(const ConfigSetting& setting, const std::string& text) {
  const auto address = mip6::Ipv6Address::parse(text);
  if (!address)
    return mistake(setting, fmt::format("'{}' is not an IPv6 address", text), "write its address, 2001:db8:1::1");
  if (!address->is_global_unicast())
    return mistake(setting, fmt::format("'{}' is not a global address", text),
                   "write the address under which the home agent is reachable from everywhere");
  if (contains(config_.home_agents, *address))
    return mistake(setting, fmt::format("'{}' is there twice", text), "write each home agent once");
  config_.home_agents.push_back(*address);
  if (config_.home_address.is_unspecified()) return;
  if (config_.home_address == *address)
    mistake(setting, "the home agent has the node's home address", "write the home agent's own address");
  else if (!config_.home_prefix.contains(*address) && !(agent_prefix_ && agent_prefix_->contains(*address)))
    // the home agent intercepts packets on the home link, so it has an address of its prefix (RFC 6275 section 3.1), or
    // of another one while the link is renumbered
    mistake(setting,
            fmt::format("'{}' is not in the home prefix {}", text,
                        find("home-address") ? find("home-address")->value : std::string{}),
            "write the home agent's address on the home link, or correct the prefix length of home-address; while the "
            "home link is renumbered, name the home agent's prefix in home-agent-prefix");
}

void ConfigChecker::prefix_discovery() {
  const auto* setting = find("prefix-discovery");
  if (!setting || setting->value == "no") return;
  if (setting->value == "yes" && config_.keying == Keying::kManual)
    mistake(*setting, "manual keys protect the Mobility Header only",
            "write 'keying = ikev2' to have prefixes asked for under ESP, or remove this line");
  else if (setting->value == "yes")
    config_.prefix_discovery = true;
  else
    mistake(
        *setting, fmt::format("'{}' is neither yes nor no", setting->value),
        "write 'prefix-discovery = yes' to have the home network's prefixes asked for after the first registration");
}

// Empty if the setting is missing or wrong.
std::optional<long> ConfigChecker::number(std::string_view key, std::string_view what, std::string_view unit, long from,
                                          long to) {
  const auto* setting = find(key);
  return setting ? number(*setting, what, unit, from, to) : std::nullopt;
}

std::optional<long> ConfigChecker::number(const ConfigSetting& setting, std::string_view what, std::string_view unit,
                                          long from, long to) {
  const auto& text = setting.value;
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size() && value >= from && value <= to) return value;
  mistake(setting, fmt::format("'{}' is not a {}", text, what),
          fmt::format("write a number {}from {} to {}", unit.empty() ? "" : fmt::format("of {} ", unit), from, to));
  return std::nullopt;
}

bool ConfigChecker::yes(const ConfigSetting& setting, std::string_view what) {
  if (setting.value != "yes" && setting.value != "no")
    mistake(setting, fmt::format("'{}' is neither yes nor no", setting.value),
            fmt::format("write '{} = yes': {}", setting.key, what));
  return setting.value == "yes";
}

void ConfigChecker::times() {
  if (const auto seconds = number("lifetime", "lifetime", "seconds", kMinLifetime, mip6::kMaxLifetime.count()))
    config_.lifetime = mip6::Lifetime{*seconds};
  if (const auto wait = number("first-timeout", "timeout", "milliseconds", kMinFirstTimeout, kMaxFirstTimeout))
    config_.first_timeout = std::chrono::milliseconds{*wait};
  if (const auto seconds = number("rekey", "time", "seconds", kMinRekey, kMaxRekey))
    config_.rekey = std::chrono::seconds{*seconds};
  if (const auto seconds = number("ike-rekey", "time", "seconds", kMinRekey, kMaxRekey))
    config_.ike_rekey = std::chrono::seconds{*seconds};
  if (const auto days = number("forecast-horizon", "number of days", "days", 1, kMaxForecastHorizon))
    config_.forecast_horizon = std::chrono::days{*days};
}

std::vector<std::string> ConfigChecker::patterns(std::string_view key) {
  std::vector<std::string> found;
  const auto* setting = find(key);
  if (!setting) return found;
  for (auto& word : words_of(setting->value)) {
    if (!is_pattern(word))
      mistake(*setting, fmt::format("'{}' is no interface pattern", word),
              "write names or patterns with blanks between them, eth* wl*");
    else
      found.push_back(std::move(word));
  }
  return found;
}

std::vector<std::string> ConfigChecker::words_of(const std::string& text) {
  std::istringstream words{text};
  return {std::istream_iterator<std::string>{words}, {}};
}

void ConfigChecker::interfaces() {
  const auto preferred = patterns("prefer");
  for (std::size_t i = 0; i < preferred.size(); ++i)
    config_.preference.push_back({preferred[i], static_cast<int>(preferred.size() - i)});
  const auto excluded = patterns("exclude");
  for (const auto& pattern : preferred)
    if (contains(excluded, pattern))
      mistake(*find("exclude"), fmt::format("'{}' is preferred and excluded", pattern),
              "remove it from one of the two");
  config_.exclude.insert(config_.exclude.end(), excluded.begin(), excluded.end());
}

void ConfigChecker::bypass() {
  const auto* setting = find("bypass");
  if (!setting) return;
  constexpr std::string_view kRemedy = "write prefixes with blanks between them, 2001:db8:2::/48 2001:db8:3::7/128";
  for (const auto& word : words_of(setting->value)) {
    const auto prefix = mip6::Ipv6Prefix::parse(word);
    if (!prefix || word.find('/') == std::string::npos)
      mistake(*setting, fmt::format("'{}' is not a prefix", word), std::string{kRemedy});
    else if (prefix->length == 0)
      mistake(*setting, fmt::format("'{}' leaves nothing for the home address", word), std::string{kRemedy});
    else if (!prefix->address.is_global_unicast())
      mistake(*setting, fmt::format("'{}' is not of global addresses, and never goes through the tunnel", word),
              "remove it");
    else if (prefix->contains(config_.home_address) || config_.home_prefix.contains(prefix->address))
      mistake(*setting, fmt::format("'{}' is of the home network, which is reached by the home agent only", word),
              "remove it");
    else if (config_.bypass.size() == kMaxBypass)
      return mistake(*setting, fmt::format("more than {} prefixes", kMaxBypass), "write shorter prefixes");
    else
      config_.bypass.push_back(masked(*prefix));
  }
}

void ConfigChecker::path_of(std::string_view key, std::filesystem::path& target, bool is_socket) {
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

void ConfigChecker::paths() {
  path_of("vici-socket", config_.vici_socket, true);
  path_of("control-socket", config_.control_socket, true);
  path_of("state-directory", config_.state_directory, false);
  if (const auto* readers = find("control-read"); readers && readers->value == "everyone")
    config_.control_read = kernel::Readers::kEveryone;
  else if (readers && readers->value != "group")
    mistake(*readers, fmt::format("'{}' is neither group nor everyone", readers->value),
            "write 'control-read = everyone' to let other users look, who can change nothing");
  if (config_.vici_socket == config_.control_socket)
    if (const auto* setting = find("control-socket") ? find("control-socket") : find("vici-socket"))
      mistake(*setting, "charon's socket and ours are the same", "give mnd a socket of its own");
}

std::string_view method_name(const Config& config) {
  return config.keying == Keying::kManual ? "manual" : ike::name_of(config.method.version);
}

mip6::Ipv6Address first_of(const std::vector<mip6::Ipv6Address>& home_agents) {
  return home_agents.empty() ? mip6::Ipv6Address{} : home_agents.front();
}

std::string identity_of(const Config& config, const mip6::Ipv6Address& home_agent) {
  const auto& names = config.home_agent_identities;
  if (names.size() == 1) return names.front();
  const auto place = std::find(config.home_agents.begin(), config.home_agents.end(), home_agent);
  const auto index = static_cast<std::size_t>(place - config.home_agents.begin());
  return index < names.size() ? names[index] : home_agent.to_string();
}

tl::expected<Config, std::vector<ConfigMistake>> load_config(const std::filesystem::path& path) {
  auto content = kernel::read_config_content(path);
  const auto unreadable = [](const ConfigMistake& mistake) { return mistake.line == 0; };
  if (std::any_of(content.mistakes.begin(), content.mistakes.end(), unreadable))
    return tl::unexpected(std::move(content.mistakes));
  return ConfigChecker{path, std::move(content.mistakes)}.check(content.sections);
}

}  // namespace mnd
