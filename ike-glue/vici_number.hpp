// Numbers as charon writes them.
#pragma once

#include <charconv>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "ike-glue/vici.hpp"

namespace ike {

// Zero if it is absent or nonsense.
template <typename Number>
Number number(const Section& section, std::string_view key, int base) {
  Number value = 0;
  const auto* text = section.text(key);
  if (!text) return 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value, base);
  return error == std::errc{} && end == text->data() + text->size() ? value : Number{0};
}

// Seconds that have passed. Nonsense of charon must not make a time that cannot be counted with.
inline std::chrono::seconds age(const Section& section, std::string_view key) {
  return std::chrono::seconds(number<std::uint32_t>(section, key, 10));
}

}  // namespace ike
