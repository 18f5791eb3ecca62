// Snapshot to JSON, JSON to text.
#include "examples/home-agent/snapshot.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "mnd/linux/control_server.hpp"

namespace mip6ha {
namespace {

using nlohmann::json;

template <typename Counts>
json by_name(const Counts& counts) {
  json object = json::object();
  for (const auto& [name, count] : counts) object[std::string{name}] = count;
  return object;
}

json counters_json(const Snapshot& snapshot) {
  json refused = json::object();
  json refused_as = json::object();
  for (const auto& [status, count] : snapshot.counters.refused) {
    refused[std::to_string(static_cast<unsigned>(status))] = count;
    refused_as[std::string{mip6::name_of(status)}] = count;
  }
  json tunnel = nullptr;
  if (snapshot.kernel.tunnel_dropped) tunnel = *snapshot.kernel.tunnel_dropped;
  return {{"updates", snapshot.counters.updates},
          {"accepted", snapshot.counters.accepted},
          {"dropped", snapshot.counters.dropped},
          {"dropped_because", by_name(snapshot.counters.dropped_because)},
          {"refused", refused},
          {"refused_as", refused_as},
          {"malformed", by_name(snapshot.malformed)},
          {"discovery_answered", snapshot.requests_answered},
          {"keys_refused", by_name(snapshot.keys_refused)},
          {"kernel", by_name(snapshot.kernel.xfrm)},
          {"ip_refused", by_name(snapshot.kernel.ip)},
          {"socket_dropped", snapshot.socket_dropped},
          {"control_refused", by_name(snapshot.control_refused)},
          {"metrics_refused", by_name(snapshot.metrics_refused)},
          {"tunnel_dropped", tunnel},
          {"offences", by_name(snapshot.offences)},
          {"kernel_failures", snapshot.kernel_failures},
          {"sent_again", snapshot.sent_again}};
}

std::string sum_text(const json& counters, const char* key) {
  std::uint64_t sum = 0;
  std::string parts;
  if (counters.is_object() && counters.contains(key) && counters.at(key).is_object())
    for (const auto& [name, count] : counters.at(key).items()) {
      if (!count.is_number_unsigned()) continue;
      sum += count.get<std::uint64_t>();
      parts += fmt::format("{}{}: {}", parts.empty() ? "" : ", ", name, count.get<std::uint64_t>());
    }
  return parts.empty() ? "0" : fmt::format("{} ({})", sum, parts);
}

std::string keys_text(const json& binding) {
  if (binding.is_object() && binding.contains("banned")) return "banned";
  return shown(binding, "manual_keys") == "yes" ? "manual" : shown(binding, "keys_up");
}

std::string table_text(const json& answer) {
  std::vector<std::vector<std::string>> rows{
      {"NAME", "HOME ADDRESS", "CARE-OF", "LEFT", "SEQ", "K", "KEYS", "REFUSED"}};
  if (answer.is_object() && answer.contains("bindings") && answer.at("bindings").is_array())
    for (const auto& one : answer.at("bindings"))
      rows.push_back({shown(one, "name"), shown(one, "home_address"), shown(one, "care_of"),
                      shown(one, "lifetime_left"), shown(one, "sequence"), shown(one, "k"), keys_text(one),
                      shown(one, "refused")});
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

}  // namespace

TroubleView trouble_of(mip6::Error error) {
  auto remedy = std::exchange(error.remedy, {});
  return {.what = error.to_string(), .remedy = std::move(remedy)};
}

std::string shown(const json& object, const char* key) {
  if (!object.is_object() || !object.contains(key)) return "?";
  const json& value = object.at(key);
  if (value.is_null()) return "-";
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string utc(std::int64_t unix_time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(unix_time)));
}

json binding_json(const BindingView& binding) {
  json object{{"name", binding.name},       {"home_address", binding.home_address.to_string()},
              {"care_of", nullptr},         {"lifetime_left", nullptr},
              {"sequence", nullptr},        {"k", nullptr},
              {"keys_up", binding.keys_up}, {"manual_keys", binding.manual_keys},
              {"refused", binding.refused}};
  if (!binding.payload.empty()) object["payload"] = binding.payload;
  if (binding.ban) object["banned"] = {{"since", utc(binding.ban->since)}, {"why", binding.ban->why}};
  if (binding.sequence) object["sequence"] = *binding.sequence;
  if (binding.care_of) {
    object["care_of"] = binding.care_of->to_string();
    object["lifetime_left"] = binding.lifetime_left;
    object["k"] = binding.key_mobility;
  }
  return object;
}

json status_json(const Snapshot& snapshot) {
  json status{{"version", mnd::kernel::kControlVersion}};
  status["program"] = "mip6-ha";
  status["release"] = MND_VERSION;
  status["address"] = snapshot.address.to_string();
  status["interface"] = snapshot.interface;
  status["charon"] = snapshot.charon_connected ? "connected" : snapshot.charon_needed ? "not connected" : "not needed";
  status["home_agents"] = json::array();
  for (const auto& [address, preference] : snapshot.listed_agents)
    status["home_agents"].push_back({{"address", address.to_string()}, {"preference", preference}});
  status["home_agents_seen"] = json::array();
  for (const auto& address : snapshot.other_agents) status["home_agents_seen"].push_back(address.to_string());
  status["advice"] = json::array();
  for (const auto& one : snapshot.advice) status["advice"].push_back({{"what", one.what}, {"remedy", one.remedy}});
  status["counters"] = counters_json(snapshot);
  status["warnings"] = json::array();
  for (const auto& one : snapshot.warnings) status["warnings"].push_back({{"what", one.what}, {"remedy", one.remedy}});
  status["trouble"] = nullptr;
  if (snapshot.trouble) status["trouble"] = {{"what", snapshot.trouble->what}, {"remedy", snapshot.trouble->remedy}};
  return status;
}

std::string list_text(const json& list) { return table_text(list); }

std::string status_text(const json& status) {
  const json counters = status.is_object() && status.contains("counters") ? status.at("counters") : json::object();
  std::string text = fmt::format("home agent {} on {} (mip6-ha {}), charon {}\n", shown(status, "address"),
                                 shown(status, "interface"), shown(status, "release"), shown(status, "charon"));
  text +=
      fmt::format("updates {}, accepted {}, dropped {}, refused {}, malformed {}, kernel failures {}\n",
                  shown(counters, "updates"), shown(counters, "accepted"), sum_text(counters, "dropped_because"),
                  sum_text(counters, "refused"), sum_text(counters, "malformed"), shown(counters, "kernel_failures"));
  text +=
      fmt::format("keys refused {}, tunnel packets dropped {}, IPsec refused {}\n", sum_text(counters, "keys_refused"),
                  shown(counters, "tunnel_dropped"), sum_text(counters, "kernel"));
  text += fmt::format("IPv6 refused {}, dropped at the socket {}, requests refused {}, for metrics {}\n",
                      sum_text(counters, "ip_refused"), shown(counters, "socket_dropped"),
                      sum_text(counters, "control_refused"), sum_text(counters, "metrics_refused"));
  if (status.is_object() && status.contains("warnings") && status.at("warnings").is_array())
    for (const auto& one : status.at("warnings"))
      text += fmt::format("warning: {}\nremedy:  {}\n", shown(one, "what"), shown(one, "remedy"));
  if (status.is_object() && status.contains("trouble") && status.at("trouble").is_object()) {
    text += fmt::format("trouble: {}\n", shown(status.at("trouble"), "what"));
    text += fmt::format("remedy:  {}\n", shown(status.at("trouble"), "remedy"));
  }
  if (status.is_object() && status.contains("advice") && status.at("advice").is_array())
    for (const auto& one : status.at("advice"))
      text += fmt::format("advice:  {}\nremedy:  {}\n", shown(one, "what"), shown(one, "remedy"));
  return text + '\n' + table_text(status);
}

}  // namespace mip6ha
