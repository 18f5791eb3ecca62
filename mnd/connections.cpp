#include "mnd/connections.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "mnd/linux/config_file.hpp"

namespace mnd {
namespace {

std::optional<int> preference(const std::string& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  return whole && std::abs(value) <= kMaxPreference ? std::optional{value} : std::nullopt;
}

// Names that a file gives are no patterns: an interface may be called so.
bool is_name(const std::string& text) { return !text.empty() && text.find_first_of("*?") == std::string::npos; }

}  // namespace

Connections read_connections(const std::filesystem::path& folder) {
  Connections found;
  const auto content = kernel::read_config_folder(folder);
  for (const auto& mistake : content.mistakes) found.mistakes.push_back(mistake.to_string());
  const auto wrong = [&found](const kernel::ConfigSetting& setting) {
    found.mistakes.push_back(fmt::format("{}:{}: '{} = {}' is not known of a connection", setting.file, setting.line,
                                         setting.key, setting.value));
  };
  for (const auto& section : content.sections) {
    if (section.kind != "interface" || !is_name(section.argument)) {
      if (!section.settings.empty()) wrong(section.settings.front());
      continue;
    }
    for (const auto& setting : section.settings) {
      const bool yes = setting.value == "yes";
      if (const auto number = preference(setting.value); setting.key == "preference" && number)
        found.preference.push_back({section.argument, *number});
      else if (!yes && setting.value != "no")
        wrong(setting);
      else if (setting.key == "home")
        (yes ? found.home : found.not_home).push_back(section.argument);
      else if (setting.key != "exclude")
        wrong(setting);
      else if (yes)
        found.exclude.push_back(section.argument);
    }
  }
  return found;
}

mip6::MovementPolicy with_connections(mip6::MovementPolicy policy, const Connections& connections) {
  policy.preference.insert(policy.preference.begin(), connections.preference.begin(), connections.preference.end());
  policy.exclude.insert(policy.exclude.end(), connections.exclude.begin(), connections.exclude.end());
  policy.home = connections.home;
  policy.not_home = connections.not_home;
  return policy;
}

}  // namespace mnd
