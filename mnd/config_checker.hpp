// The inside of load_config(): settings to a checked Config, a function per topic. Included by its two sources only:
// config.cpp (file, addresses, times, interfaces, paths) and config_keys.cpp (keying, manual keys, identities, proof,
// protection).
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mnd/config.hpp"

namespace mnd {

using kernel::ConfigMistake;
using kernel::ConfigSetting;

class ConfigChecker {
 public:
  ConfigChecker(const std::filesystem::path& path, std::vector<ConfigMistake> mistakes)
      : path_{path}, mistakes_{std::move(mistakes)} {}

  tl::expected<Config, std::vector<ConfigMistake>> check(const std::vector<kernel::ConfigSection>& sections) {
    collect(sections);
    addresses();
    keying();
    if (config_.keying == Keying::kManual) {
      manual_keys();
    } else {
      identities();
      proof();
      home_agent_identities();
      key_management();
    }
    protection();
    prefix_discovery();
    times();
    interfaces();
    bypass();
    paths();
    if (!mistakes_.empty()) return tl::unexpected(std::move(mistakes_));
    return std::move(config_);
  }

 private:
  void collect(const std::vector<kernel::ConfigSection>& sections);
  void unknown(const ConfigSetting& setting, std::span<const std::string_view> keys);
  void interface_section(const kernel::ConfigSection& section);
  void addresses();
  void home_address(const ConfigSetting& setting);
  void home_agent_prefix(const ConfigSetting& setting);
  void home_agents(const ConfigSetting& setting);
  void home_agent(const ConfigSetting& setting, const std::string& text);
  void identities();
  void home_agent_identities();
  void proof();
  void certificate(const ConfigSetting& setting);
  void keying();
  void manual_keys();
  void key_management();  // after proof()
  void protection();
  void prefix_discovery();
  void consent(ike::IkeVersion version);
  void algorithms(ike::IkeVersion version);
  std::optional<long> number(std::string_view key, std::string_view what, std::string_view unit, long from, long to);
  std::optional<long> number(const ConfigSetting& setting, std::string_view what, std::string_view unit, long from,
                             long to);
  void times();
  void interfaces();
  void bypass();
  void paths();
  static std::vector<std::string> words_of(const std::string& text);
  std::vector<std::string> patterns(std::string_view key);
  bool yes(const ConfigSetting& setting, std::string_view what);
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
  // What is no reason to refuse the configuration.
  static void told_beside(std::vector<ConfigMistake>& list, const ConfigSetting& setting, std::string_view what,
                          std::string remedy) {
    list.push_back({setting.file, setting.line, fmt::format("{}: {}", setting.key, what), std::move(remedy)});
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
  std::optional<mip6::Ipv6Prefix> agent_prefix_;  // home-agent-prefix = P, beside home-address's
  Config config_;
};

}  // namespace mnd
