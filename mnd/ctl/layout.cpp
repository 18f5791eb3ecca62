// See layout.hpp.
#include "mnd/ctl/layout.hpp"

#include <fmt/format.h>

namespace mip6ctl {

namespace {

constexpr std::string_view kPlain = "\x1b[0m";

// Characters, not bytes.
std::size_t width(std::string_view text) {
  std::size_t count = 0;
  for (const char byte : text) count += (static_cast<unsigned char>(byte) & 0xc0) != 0x80;
  return count;
}

}  // namespace

std::string coloured(std::string_view content, std::string_view colour, Colours colours) {
  if (colours == Colours::kOff || colour.empty()) return std::string{content};
  return fmt::format("{}{}{}", colour, content, kPlain);
}

std::vector<std::string> wrapped(std::string_view content, std::size_t columns) {
  std::vector<std::string> lines(1);
  while (!content.empty()) {
    const auto word = content.substr(0, content.find(' '));
    content.remove_prefix(std::min(word.size() + 1, content.size()));
    if (word.empty()) continue;
    if (!lines.back().empty() && width(lines.back()) + 1 + width(word) > columns) lines.emplace_back();
    if (!lines.back().empty()) lines.back() += ' ';
    lines.back() += word;
  }
  return lines;
}

std::string row(std::string_view name, std::string_view content, std::string_view colour, Colours colours) {
  std::string result;
  for (const auto& line : wrapped(content, kColumns - kNameColumns)) {
    result += fmt::format("{:<{}}{}\n", name, kNameColumns, coloured(line, colour, colours));
    name = {};
  }
  return result;
}

std::string or_unknown(std::string content) {
  if (content.empty()) return "unknown";
  return content;
}

}  // namespace mip6ctl
