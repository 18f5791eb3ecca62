// See json.hpp.
#include "mnd/ctl/json.hpp"

#include <array>
#include <string_view>

namespace mip6ctl {

namespace {

// UTF-8 of U+202A..U+202E and U+2066..U+2069, which turn the direction of writing.
bool turns_direction(std::string_view three) {
  if (three.size() < 3 || three[0] != '\xe2') return false;
  const auto third = static_cast<unsigned char>(three[2]);
  return (three[1] == '\x80' && third >= 0xaa && third <= 0xae) ||
         (three[1] == '\x81' && third >= 0xa6 && third <= 0xa9);
}

// UTF-8 of U+0080..U+009F.
bool is_c1(std::string_view two) {
  return two.size() >= 2 && two[0] == '\xc2' && static_cast<unsigned char>(two[1]) < 0xa0;
}

}  // namespace

const json& member(const json& object, const char* name) {
  static const json none;
  if (!object.is_object()) return none;
  const auto found = object.find(name);
  return found == object.end() ? none : *found;
}

std::string text(const json& object, const char* name) {
  const auto& value = member(object, name);
  return value.is_string() ? printable(value.get_ref<const std::string&>()) : std::string{};
}

std::optional<double> number(const json& object, const char* name) {
  const auto& value = member(object, name);
  if (!value.is_number()) return std::nullopt;
  return value.get<double>();
}

std::optional<bool> flag(const json& object, const char* name) {
  const auto& value = member(object, name);
  if (!value.is_boolean()) return std::nullopt;
  return value.get<bool>();
}

std::string printable(const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto rest = std::string_view{text}.substr(i);
    const auto byte = static_cast<unsigned char>(text[i]);
    if (text[i] == '\n' || text[i] == '\t')
      result += ' ';
    else if (is_c1(rest))
      i += 1;
    else if (turns_direction(rest))
      i += 2;
    else if (byte >= 0x20 && byte != 0x7f)
      result += text[i];
  }
  return result;
}

std::string one_line(const json& value) { return value.dump(-1, ' ', true, json::error_handler_t::replace); }

}  // namespace mip6ctl
