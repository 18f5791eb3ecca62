// Members of the daemon's answers, whatever it sent: a missing or odd one is null, never an exception.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace mip6ctl {

using nlohmann::json;

// The member of that name, or null.
const json& member(const json& object, const char* name);
// Its text without control characters (see printable()); empty if it is no text.
std::string text(const json& object, const char* name);
std::optional<double> number(const json& object, const char* name);
std::optional<bool> flag(const json& object, const char* name);

// `text` without anything that could steer a terminal: control characters (C0, DEL, C1) and those that turn the
// direction of writing. Blanks stay; a line feed or tab becomes a blank.
std::string printable(const std::string& text);

// One line of JSON in ASCII; nothing in it can steer a terminal.
std::string one_line(const json& value);

}  // namespace mip6ctl
