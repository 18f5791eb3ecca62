// Answers of the commands that look at one thing or change something: values to JSON, JSON to text. Those of `status`
// and `list` are in snapshot.hpp.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "examples/home-agent/steering.hpp"

namespace mip6ha {

// So many names or mistakes at most are in an answer; it says how many there are.
inline constexpr std::size_t kMostNamed = 100;

nlohmann::json node_json(const NodeView& node);
nlohmann::json findings_json(const std::vector<Finding>& findings);
nlohmann::json reloaded_json(const Reloaded& reloaded);
nlohmann::json imported_json(const Imported& imported);
nlohmann::json mistakes_json(const Mistakes& mistakes);
std::string mistakes_text(const Mistakes& mistakes);  // one a line

// From the JSON, as it came over the control socket: whatever is missing or of another type is shown as "?".
std::string show_text(const nlohmann::json& answer);
std::string events_text(const nlohmann::json& answer);
std::string doctor_text(const nlohmann::json& answer);
std::string reload_text(const nlohmann::json& answer);
std::string import_text(const nlohmann::json& answer);
bool no_findings(const nlohmann::json& answer);
bool imported_whole(const nlohmann::json& answer);
bool reloaded_whole(const nlohmann::json& answer);  // nothing was refused, and nothing waits for a restart

}  // namespace mip6ha
