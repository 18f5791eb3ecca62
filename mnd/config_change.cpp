// See config_change.hpp.
#include "mnd/config_change.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <variant>

namespace mnd {
namespace {

std::string joined(const auto& texts) { return fmt::format("{}", fmt::join(texts, " ")); }

std::string addresses(const Config& config) {
  std::vector<std::string> words;
  for (const auto& agent : config.home_agents) words.push_back(agent.to_string());
  if (config.discover) words.emplace_back("discover");
  return joined(words);
}

std::string prefixes(const std::vector<mip6::Ipv6Prefix>& prefixes) {
  std::vector<std::string> words;
  for (const auto& prefix : prefixes) words.push_back(fmt::format("{}/{}", prefix.address.to_string(), prefix.length));
  return joined(words);
}

void add_keys(std::vector<ShownSetting>& settings, const Config& config) {
  settings.push_back({"keying", std::string{method_name(config)}});
  if (config.keying == Keying::kManual) {
    settings.push_back({"manual-keys", config.manual_keys_file.string()});
    return;
  }
  const bool secret = std::holds_alternative<ike::PreSharedKey>(config.proof);
  settings.push_back({"identity", config.identity});
  if (!config.home_agent_identities.empty())
    settings.push_back({"home-agent-identity", joined(config.home_agent_identities)});
  settings.push_back({secret ? "secret-file" : "certificate", config.proof_file.string()});
  if (secret && config.keying == Keying::kIkev1)
    settings.push_back({std::string{ike::kConsentKey}, std::string{ike::kConsentValue}});
  settings.push_back({"ike-proposals", joined(config.method.ike_proposals.texts())});
  settings.push_back({"esp-proposals", joined(config.method.esp_proposals.texts())});
  settings.push_back({"signature-hash", joined(config.method.signature_hashes.texts())});
  settings.push_back({"rekey", fmt::format("{}", config.rekey.count())});
  settings.push_back({"ike-rekey", fmt::format("{}", config.ike_rekey.count())});
}

std::vector<ShownInterface> interfaces(const Config& config) {
  std::vector<ShownInterface> sections;
  const auto section = [&](const std::string& pattern) -> ShownInterface& {
    const auto found = std::ranges::find(sections, pattern, &ShownInterface::pattern);
    return found != sections.end() ? *found : sections.emplace_back(ShownInterface{.pattern = pattern});
  };
  // Of several the first one counts.
  for (const auto& one : config.preference)
    if (auto& of = section(one.pattern); !of.preference) of.preference = one.preference;
  for (const auto& pattern : config.exclude) section(pattern).exclude = true;
  for (const auto& pattern : config.optimistic_dad) section(pattern).optimistic_dad = true;
  return sections;
}

bool same(const ike::Proof& one, const ike::Proof& other) {
  const auto* a = ike::certificate_of(one);
  const auto* b = ike::certificate_of(other);
  if ((a == nullptr) != (b == nullptr)) return false;
  if (a == nullptr) return std::get<ike::PreSharedKey>(one).secret == std::get<ike::PreSharedKey>(other).secret;
  return a->private_key == b->private_key && a->own == b->own && a->authorities == b->authorities &&
         a->root == b->root && a->revocation_lists == b->revocation_lists;
}

bool same(const kernel::ManualSa& a, const kernel::ManualSa& b) {
  return a.spi == b.spi && a.encryption_key == b.encryption_key && a.integrity == b.integrity &&
         a.integrity_key == b.integrity_key;
}

bool same(const std::optional<kernel::ManualKeys>& a, const std::optional<kernel::ManualKeys>& b) {
  if (!a || !b) return !a && !b;
  return same(a->to_home_agent, b->to_home_agent) && same(a->to_node, b->to_node);
}

constexpr std::array<std::string_view, 2> kTimes{"lifetime", "first-timeout"};
constexpr std::array<std::string_view, 10> kCredentials{
    "identity",      "home-agent-identity", "secret-file", "certificate", "ike-proposals",
    "esp-proposals", "signature-hash",      "rekey",       "ike-rekey",   ike::kConsentKey};
constexpr std::array<std::string_view, 5> kTakenOver{"bypass", "protect", "prefix-discovery", "control-socket",
                                                     "control-read"};
constexpr std::array<std::string_view, 5> kBegunAnew{"home-address", "keying", "manual-keys", "vici-socket",
                                                     "state-directory"};

bool contains(const auto& list, std::string_view key) { return std::ranges::find(list, key) != list.end(); }

// Also where a setting is written in the one and not in the other.
std::vector<std::string> different(const std::vector<ShownSetting>& from, const std::vector<ShownSetting>& to) {
  std::vector<std::string> keys;
  const auto add = [&](const auto& list, const auto& other) {
    for (const auto& one : list)
      if (!contains(keys, one.key) && std::ranges::find(other, one) == other.end()) keys.push_back(one.key);
  };
  add(to, from);
  add(from, to);
  return keys;
}

Effect effect_of(std::string_view key, const Config& from, const Config& to, const mip6::Ipv6Address& home_agent) {
  if (contains(kBegunAnew, key)) return Effect::kAnew;
  if (contains(kTakenOver, key)) return Effect::kTakeOver;
  if (key != "home-agent") return Effect::kAtOnce;
  // The file of the sequence numbers has the first one's name.
  const bool goes_on = !home_agent.is_unspecified() && first_of(from.home_agents) == first_of(to.home_agents) &&
                       std::ranges::find(to.home_agents, home_agent) != to.home_agents.end();
  return goes_on ? Effect::kTakeOver : Effect::kAnew;
}

}  // namespace

ShownConfig shown(const Config& config) {
  std::vector<ShownSetting> settings{
      {"home-address", fmt::format("{}/{}", config.home_address.to_string(), config.home_prefix.length)},
      {"home-agent", addresses(config)}};
  add_keys(settings, config);
  settings.push_back({"protect", config.protect_payload ? "payload" : "signalling"});
  settings.push_back({"prefix-discovery", config.prefix_discovery ? "yes" : "no"});
  settings.push_back({"lifetime", fmt::format("{}", config.lifetime.count())});
  settings.push_back({"first-timeout", fmt::format("{}", config.first_timeout.count())});
  settings.push_back({"forecast-horizon", fmt::format("{}", config.forecast_horizon.count())});
  if (!config.bypass.empty()) settings.push_back({"bypass", prefixes(config.bypass)});
  settings.push_back({"vici-socket", config.vici_socket.string()});
  settings.push_back({"control-socket", config.control_socket.string()});
  settings.push_back({"control-read", config.control_read == kernel::Readers::kEveryone ? "everyone" : "group"});
  settings.push_back({"state-directory", config.state_directory.string()});
  return {std::move(settings), interfaces(config)};
}

ConfigChange compare(const Config& from, const Config& to, const mip6::Ipv6Address& home_agent) {
  const auto before = shown(from);
  const auto after = shown(to);
  auto changed = different(before.settings, after.settings);
  const auto add = [&](std::string_view key) {
    if (!contains(changed, key)) changed.emplace_back(key);
  };
  // The same file, with another content.
  if (from.keying != Keying::kManual && to.keying != Keying::kManual && !same(from.proof, to.proof))
    add(ike::certificate_of(to.proof) ? "certificate" : "secret-file");
  if (!same(from.manual_keys, to.manual_keys)) add("manual-keys");
  ConfigChange change;
  for (const auto& key : changed) {
    change.effect = std::max(change.effect, effect_of(key, from, to, home_agent));
    change.times |= contains(kTimes, key);
    change.credentials |= contains(kCredentials, key);
  }
  if (before.interfaces != after.interfaces) {
    change.effect = std::max(change.effect, Effect::kAtOnce);
    changed.emplace_back("interface");
  }
  change.changed = std::move(changed);
  return change;
}

}  // namespace mnd
