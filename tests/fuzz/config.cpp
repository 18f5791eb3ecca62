// Fuzz target: any bytes as a configuration file. Every mistake has a line of the text and a remedy, every setting a
// key and a line, and a file without mistakes means the same when its settings are written anew.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "mnd/linux/config_file.hpp"

using namespace mnd::kernel;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

std::string written(const std::vector<ConfigSection>& sections) {
  std::string text;
  for (const auto& section : sections) {
    if (&section != &sections.front()) text += "[" + section.name + "]\n";
    for (const auto& setting : section.settings) text += setting.key + " = " + setting.value + "\n";
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
  const auto content = parse_config_content(text, "fuzz.conf");
  for (const auto& mistake : content.mistakes) {
    require(mistake.line >= 1 && mistake.line <= lines && !mistake.remedy.empty());
    require(mistake.to_string().starts_with("fuzz.conf:"));
  }
  for (const auto& section : content.sections)
    for (const auto& setting : section.settings)
      require(!setting.key.empty() && setting.line >= 1 && setting.line <= lines &&
              section.find(setting.key) == &setting);
  if (!content.mistakes.empty()) return 0;
  const auto again = parse_config_content(written(content.sections), "fuzz.conf");
  require(again.mistakes.empty() && again.sections.size() == content.sections.size());
  require(written(again.sections) == written(content.sections));
  return 0;
}
