// The daemon's answers as text for people.
#pragma once

#include <string>

#include "mnd/ctl/json.hpp"

namespace mip6ctl {

enum class Colours { kOff, kOn };

// One screen, with a newline at the end.
std::string render_status(const json& status, Colours colours);
// The state in one line without newline, without figures that change by themselves.
std::string render_change(const json& status, Colours colours);
// One line without newline.
std::string render_event(const json& event, Colours colours);

// The same for the answers to sequence, trace and doctor, with a newline at the end.
std::string render_sequence(const json& answer);
std::string render_trace(const json& answer);
std::string render_findings(const json& answer);
std::string render_home(const json& answer);
std::string render_links(const json& answer);
std::string render_keying(const json& answer);
std::string render_config(const json& answer);
// A line per mistake of a configuration, empty if there is none.
std::string render_mistakes(const json& answer);
// A line per advice, empty if there is none.
std::string render_advice(const json& status);

// 19,660,800 -> "227 days".
std::string days_text(double seconds);
// 398.2 -> "6 min 38 s".
std::string duration_text(double seconds);

// Whether the daemon is in trouble now.
bool in_trouble(const json& status);

}  // namespace mip6ctl
