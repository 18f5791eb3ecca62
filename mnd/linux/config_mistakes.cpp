// See config_mistakes.hpp.
#include "mnd/linux/config_mistakes.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>
#include <vector>

namespace mnd::kernel {
namespace {

constexpr std::size_t kSuggestionDistance = 3;  // letters of difference up to which a key is thought to be meant

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

}  // namespace

nlohmann::json to_json(std::span<const ConfigMistake> mistakes) {
  auto list = nlohmann::json::array();
  for (const auto& one : mistakes)
    list.push_back({{"file", one.file}, {"line", one.line}, {"what", one.what}, {"remedy", one.remedy}});
  return list;
}

std::string nearest_key(std::string_view key, std::span<const std::string_view> keys) {
  if (keys.empty()) return {};
  std::string plain{key};
  std::replace(plain.begin(), plain.end(), '_', '-');
  const auto best = std::min_element(
      keys.begin(), keys.end(), [&](auto one, auto other) { return distance(plain, one) < distance(plain, other); });
  return distance(plain, *best) <= kSuggestionDistance ? std::string{*best} : std::string{};
}

}  // namespace mnd::kernel
