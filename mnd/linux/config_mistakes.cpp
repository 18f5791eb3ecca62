// See config_mistakes.hpp.
#include "mnd/linux/config_mistakes.hpp"

#include <nlohmann/json.hpp>

namespace mnd::kernel {
nlohmann::json to_json(std::span<const ConfigMistake> mistakes) {
  auto list = nlohmann::json::array();
  for (const auto& one : mistakes)
    list.push_back({{"file", one.file}, {"line", one.line}, {"what", one.what}, {"remedy", one.remedy}});
  return list;
}

}  // namespace mnd::kernel
