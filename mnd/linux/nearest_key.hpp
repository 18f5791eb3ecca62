// Which word was meant. Without a source file of its own: mip6ctl has it, and links no library of ours.
#pragma once

#include <algorithm>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mnd::kernel {

// Letters to insert, remove or replace to get from one to the other (Levenshtein).
inline std::size_t distance(std::string_view from, std::string_view to) {
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

// The one of `keys` that is likely meant by an unknown one; empty: none is like it.
inline std::string nearest_key(std::string_view key, std::span<const std::string_view> keys) {
  constexpr std::size_t kMostDifferent = 3;  // letters; and no more than half of the word
  if (keys.empty()) return {};
  std::string plain{key};
  std::replace(plain.begin(), plain.end(), '_', '-');
  const auto best = std::min_element(
      keys.begin(), keys.end(), [&](auto one, auto other) { return distance(plain, one) < distance(plain, other); });
  const auto most = std::min(kMostDifferent, plain.size() / 2);
  return distance(plain, *best) <= most ? std::string{*best} : std::string{};
}

}  // namespace mnd::kernel
