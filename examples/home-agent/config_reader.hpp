// A section of mip6-ha's configuration while it is read, and the topics that have a source of their own. Included by
// config.cpp and config_keys.cpp only.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "examples/home-agent/config.hpp"
#include "mnd/linux/nearest_key.hpp"

namespace mip6ha {

using mip6::Ipv6Address;
using mip6::Ipv6Prefix;
using mnd::kernel::ConfigSection;
using mnd::kernel::ConfigSetting;

inline constexpr std::size_t kMaxIdentity = 255;

// One section while it is read: looks settings up, takes note of mistakes and of keys nobody asked for.
class Reader {
 public:
  Reader(const ConfigSection& section, Mistakes& mistakes) : section_{section}, mistakes_{mistakes} {}

  const ConfigSetting* find(std::string_view key) {
    known_.push_back(key);
    return section_.find(key);
  }
  // One that its caller refuses: it is not suggested to anybody.
  const ConfigSetting* find_unfit(std::string_view key) {
    unfit_.push_back(key);
    return section_.find(key);
  }
  const ConfigSetting* require(std::string_view key, std::string_view example) {
    const ConfigSetting* setting = find(key);
    if (setting == nullptr)
      mistakes_.push_back({section_.file, section_.line, fmt::format("{} is missing", key),
                           fmt::format("write {} = {}", key, example)});
    return setting;
  }
  void mistake(const ConfigSetting& setting, std::string_view problem, std::string remedy) {
    mistakes_.push_back({setting.file, setting.line, fmt::format("{}: '{}' {}", setting.key, setting.value, problem),
                         std::move(remedy)});
  }
  // In the words of whoever judged the value. A setting at the top is judged for each node, and told once.
  void refuse(const ConfigSetting& setting, const mip6::Error& error) {
    const auto what = fmt::format("{}: {}", setting.key, error.reason);
    const auto told = [&](const auto& one) {
      return one.file == setting.file && one.line == setting.line && one.what == what;
    };
    if (std::none_of(mistakes_.begin(), mistakes_.end(), told))
      mistakes_.push_back({setting.file, setting.line, what, error.remedy});
  }
  void refuse_unknown() {
    const auto has = [](const auto& keys, const auto& key) {
      return std::find(keys.begin(), keys.end(), key) != keys.end();
    };
    for (const auto& setting : section_.settings) {
      if (has(known_, setting.key) || has(unfit_, setting.key)) continue;
      const auto meant = mnd::kernel::nearest_key(setting.key, known_);
      mistakes_.push_back(
          {setting.file, setting.line, fmt::format("{}: no such setting here", setting.key),
           meant.empty() ? "see mip6-ha(8) for the list of settings" : fmt::format("did you mean '{}'?", meant)});
    }
  }

  std::optional<Ipv6Address> address(const ConfigSetting& setting, std::string_view example) {
    const auto parsed = Ipv6Address::parse(setting.value);
    if (parsed && parsed->is_global_unicast()) return parsed;
    mistake(setting, parsed ? "is not a global unicast address" : "is not an IPv6 address",
            fmt::format("write an address such as {}", example));
    return std::nullopt;
  }
  std::optional<std::filesystem::path> path(std::string_view key) {
    const ConfigSetting* setting = find(key);
    if (setting == nullptr) return std::nullopt;
    if (!setting->value.starts_with('/')) {
      mistake(*setting, "is not an absolute path", "begin it with /");
      return std::nullopt;
    }
    return setting->value;
  }
  std::optional<std::string> identity() {
    const ConfigSetting* setting = find("identity");
    if (setting == nullptr) return std::nullopt;
    const auto printable = [](char character) { return character > 0x20 && character < 0x7f; };
    const auto& text = setting->value;
    if (text.empty() || text.size() > kMaxIdentity || !std::all_of(text.begin(), text.end(), printable)) {
      mistake(*setting, "is not an identity",
              fmt::format("write 1 to {} characters without blanks, such as laptop@example.org", kMaxIdentity));
      return std::nullopt;
    }
    return text;
  }

 private:
  const ConfigSection& section_;
  Mistakes& mistakes_;
  std::vector<std::string_view> known_;  // keys in the program's text
  std::vector<std::string_view> unfit_;
};

// --- config_watch.cpp: what an operator watches, and how much he bears ---
void read_watch(Reader& reader, Config& config);

// --- config_keys.cpp ---
void read_certificate(Reader& reader, Config& config);
// `by_certificate`: a setting `certificate` stands at the top, right or wrong.
void read_proof(Reader& reader, const Config& config, bool by_certificate, NodeConfig& node);
// After it: of a secret that works and is too short to be a good one.
void doubt_secret(const ConfigSection& section, const NodeConfig& node, Mistakes& warnings);
// At the top they are only found here: each node judges them together with its own.
void read_keying_defaults(Reader& reader);
// After read_proof().
void read_keying(Reader& reader, const ConfigSection& top, NodeConfig& node);
// In place of identity, proof and keying.
void read_manual_keys(Reader& reader, NodeConfig& node, Mistakes& mistakes);

}  // namespace mip6ha
