// INI configuration files, shared by mnd and mip6-ha: every mistake is told with file, line and remedy.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace mnd::kernel {

// One mistake. to_string(): "/etc/mnd/mnd.conf:3: home-agent: 'fe80::1' is not a global address; write ...".
struct ConfigMistake {
  std::string file;
  int line = 0;  // 0: concerns the whole file
  std::string what;
  std::string remedy;
  std::string to_string() const;
};

struct ConfigSetting {
  std::string key;
  std::string value;
  std::string file;
  int line = 0;
};

// A section; the settings before the first header are in a section with an empty name.
struct ConfigSection {
  std::string name;  // the text between the brackets: "interface \"wl*\"" gives kind "interface", argument "wl*"
  std::string kind;
  std::string argument;
  std::string file;
  int line = 0;
  std::vector<ConfigSetting> settings;
  // The last setting of that key, nullptr if none.
  const ConfigSetting* find(std::string_view key) const;
};

// Reads `path` and then `path`.d/*.conf in order of name. Sections of the same name are kept apart. Mistakes:
// unreadable file, a line that is neither `key = value`, `[section]`, comment (# or ;) nor blank, a key given twice in
// a section.
tl::expected<std::vector<ConfigSection>, std::vector<ConfigMistake>> read_config(const std::filesystem::path& path);
// The same from text (for tests and fuzzing); `name` is used as the file's name.
tl::expected<std::vector<ConfigSection>, std::vector<ConfigMistake>> parse_config(std::string_view text,
                                                                                  const std::string& name);

// Both at once, for a caller that checks what could be read in spite of mistakes elsewhere. A mistake with line 0: that
// file or folder could not be read at all.
struct ConfigContent {
  std::vector<ConfigSection> sections;
  std::vector<ConfigMistake> mistakes;
};
ConfigContent read_config_content(const std::filesystem::path& path);
// `folder`/*.conf alone, in order of name; a folder that is not there is empty.
ConfigContent read_config_folder(const std::filesystem::path& folder);
ConfigContent parse_config_content(std::string_view text, const std::string& name);

}  // namespace mnd::kernel
