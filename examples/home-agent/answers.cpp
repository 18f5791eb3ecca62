#include "examples/home-agent/answers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "mnd/linux/config_mistakes.hpp"

namespace mip6ha {
namespace {

using nlohmann::json;

json trouble_json(const TroubleView& trouble) { return {{"what", trouble.what}, {"remedy", trouble.remedy}}; }

json names_json(const std::vector<std::string>& names) {
  json named = json::array();
  for (const auto& name : std::span{names}.first(std::min(names.size(), kMostNamed))) named.push_back(name);
  return {{"count", names.size()}, {"names", named}};
}

json failed_json(const std::vector<TroubleView>& failed) {
  json list = json::array();
  for (const auto& one : std::span{failed}.first(std::min(failed.size(), kMostNamed)))
    list.push_back(trouble_json(one));
  return list;
}

const json& member(const json& object, const char* key) {
  static const json kNothing;
  return object.is_object() && object.contains(key) ? object.at(key) : kNothing;
}

// "what" and "remedy" of each, one a line.
std::string pairs_text(const json& list, std::string_view word) {
  std::string text;
  if (!list.is_array()) return text;
  for (const auto& one : list)
    text += fmt::format("{} {}\nremedy:  {}\n", word, shown(one, "what"), shown(one, "remedy"));
  return text;
}

std::string counts_text(const json& counts) {
  std::string text;
  if (counts.is_object())
    for (const auto& [reason, count] : counts.items())
      text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", reason, count.dump());
  return text.empty() ? "none" : text;
}

std::string names_text(const json& names) {
  std::string text = shown(names, "count");
  const auto& list = member(names, "names");
  if (!list.is_array() || list.empty()) return text;
  const char* before = " (";
  for (const auto& name : list) {
    text += before + (name.is_string() ? name.get<std::string>() : name.dump());
    before = ", ";
  }
  const auto& count = member(names, "count");
  const bool all = count.is_number_unsigned() && count.get<std::size_t>() <= list.size();
  return text + (all ? ")" : ", ...)");
}

}  // namespace

json node_json(const NodeView& node) {
  json object = binding_json(node.binding);
  object["identity"] = node.identity.empty() ? json{} : json(node.identity);
  object["method"] = node.method;
  object["reqid"] = node.reqid == 0 ? json{} : json(node.reqid);
  object["keys"] = json::array();
  for (const auto& keys : node.keys)
    object["keys"].push_back({{"age", keys.age},
                              {"spi_in", fmt::format("{:08x}", keys.spi_in)},
                              {"spi_out", fmt::format("{:08x}", keys.spi_out)}});
  object["accepted"] = node.accepted;
  object["refused_because"] = node.refused;
  object["keys_refused"] = node.keys_refused;
  object["trouble"] = node.trouble ? trouble_json(*node.trouble) : json{};
  if (!object.contains("banned")) object["banned"] = nullptr;
  return object;
}

json findings_json(const std::vector<Finding>& findings) {
  json list = json::array();
  for (const auto& one : findings) list.push_back({{"check", one.check}, {"what", one.what}, {"remedy", one.remedy}});
  return list;
}

json reloaded_json(const Reloaded& reloaded) {
  return {{"added", names_json(reloaded.added)},
          {"removed", names_json(reloaded.removed)},
          {"changed", names_json(reloaded.changed)},
          {"restart", reloaded.restart},
          {"failed", failed_json(reloaded.failed)}};
}

json imported_json(const Imported& imported) {
  return {{"renewed", names_json(imported.renewed)},
          {"refused", names_json(imported.refused)},
          {"unbanned", names_json(imported.unbanned)},
          {"failed", failed_json(imported.failed)}};
}

json mistakes_json(const Mistakes& mistakes) {
  return mnd::kernel::to_json(std::span{mistakes}.first(std::min(mistakes.size(), kMostNamed)));
}

std::string mistakes_text(const Mistakes& mistakes) {
  std::string text = fmt::format("the configuration has {} mistakes", mistakes.size());
  for (const auto& one : std::span{mistakes}.first(std::min(mistakes.size(), kMostNamed)))
    text += '\n' + one.to_string();
  return text;
}

std::string show_text(const json& answer) {
  const auto& node = member(answer, "node");
  std::string text =
      fmt::format("{}: home address {}, {}\n", shown(node, "name"), shown(node, "home_address"), shown(node, "method"));
  if (const auto& ban = member(node, "banned"); ban.is_object())
    text += fmt::format("banned:      since {}{}{}\n", shown(ban, "since"), shown(ban, "why").empty() ? "" : ": ",
                        shown(ban, "why"));
  const bool bound = member(node, "care_of").is_string();
  text += bound ? fmt::format("binding:     at {} for {} s, K {}\n", shown(node, "care_of"),
                              shown(node, "lifetime_left"), shown(node, "k"))
                : "binding:     none\n";
  text += fmt::format("updates:     last number {}, accepted {}, refused {} ({})\n", shown(node, "sequence"),
                      shown(node, "accepted"), shown(node, "refused"), counts_text(member(node, "refused_because")));
  const auto& keys = member(node, "keys");
  if (keys.is_array())
    for (const auto& one : keys)
      text += fmt::format("keys:        up for {} s, SPIs {} and {}\n", shown(one, "age"), shown(one, "spi_in"),
                          shown(one, "spi_out"));
  if (!keys.is_array() || keys.empty()) text += "keys:        none\n";
  text += fmt::format("identity:    {}, keys refused {}\n", shown(node, "identity"),
                      counts_text(member(node, "keys_refused")));
  if (const auto& trouble = member(node, "trouble"); trouble.is_object())
    text += fmt::format("trouble:     {}\nremedy:      {}\n", shown(trouble, "what"), shown(trouble, "remedy"));
  return text;
}

std::string events_text(const json& answer) {
  const auto& events = member(answer, "events");
  if (!events.is_array() || events.empty()) return "nothing yet\n";
  std::string text;
  for (const auto& one : events) {
    text += fmt::format("{} {}{}", shown(one, "time"), shown(one, "node"), shown(one, "node").empty() ? "" : ": ");
    text += shown(one, "what");
    const auto& count = member(one, "count");
    if (count.is_number_unsigned() && count.get<std::uint64_t>() > 1) text += fmt::format(" ({} times)", count.dump());
    if (const auto remedy = shown(one, "remedy"); !remedy.empty() && remedy != "?" && remedy != "-")
      text += fmt::format(" (remedy: {})", remedy);
    text += '\n';
  }
  return text;
}

std::string doctor_text(const json& answer) {
  const auto text = pairs_text(member(answer, "findings"), "found:  ");
  return text.empty() ? "nothing found\n" : text;
}

std::string reload_text(const json& answer) {
  std::string text = fmt::format("added {}, removed {}, changed {}\n", names_text(member(answer, "added")),
                                 names_text(member(answer, "removed")), names_text(member(answer, "changed")));
  const auto& restart = member(answer, "restart");
  if (restart.is_array())
    for (const auto& one : restart)
      text += fmt::format("needs a restart: {}\n", one.is_string() ? one.get<std::string>() : one.dump());
  return text + pairs_text(member(answer, "failed"), "failed: ");
}

std::string import_text(const json& answer) {
  std::string text = fmt::format(
      "{} is in place, without bindings and sequence numbers\n"
      "keys by IKE are made anew: {}\nrefused until their manual keys are others: {}\nno longer banned: {}\n",
      shown(answer, "file"), names_text(member(answer, "renewed")), names_text(member(answer, "refused")),
      names_text(member(answer, "unbanned")));
  return text + pairs_text(member(answer, "failed"), "failed: ");
}

bool no_findings(const json& answer) { return member(answer, "findings").empty(); }

bool imported_whole(const json& answer) { return member(answer, "failed").empty(); }

bool reloaded_whole(const json& answer) {
  return member(answer, "failed").empty() && member(answer, "restart").empty();
}

}  // namespace mip6ha
