// What the control socket tells beside the status: links, keys, configuration, version.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "mnd/candidates.hpp"
#include "mnd/daemon.hpp"
#include "mnd/linux/kernel.hpp"

namespace mnd {

using nlohmann::json;

namespace {

std::string_view name_of(mip6::Verdict::Use use) {
  switch (use) {
    case mip6::Verdict::Use::kChosen:
      return "chosen";
    case mip6::Verdict::Use::kUsable:
      return "usable";
    case mip6::Verdict::Use::kUnusable:
      break;
  }
  return "unusable";
}

// Why nothing of that link is a candidate.
std::string_view no_candidate(const kernel::Link& link, const mip6::MovementPolicy& policy) {
  if (link.loopback) return "the loopback";
  if (link.ours) return "the tunnel of mnd";
  if (link.tunnel) return "a tunnel or VPN of others";
  if (mip6::is_excluded(link.name, policy)) return "the interface is excluded";
  if (!link.up || !link.running) return "the link is down";
  return "no IPv6 address";
}

std::string_view name_of_reqid(std::uint32_t reqid) {
  switch (reqid) {
    case kernel::kNodeReqid:
      return "signalling";
    case kernel::kNodePayloadReqid:
      return "payload";
    default:
      return "prefix discovery";
  }
}

std::string utc_seconds(std::int64_t seconds) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(seconds)));
}

}  // namespace

json Daemon::links() const {
  json answer{{"links", json::array()}, {"paused_on", wishes_.paused_on ? json(*wishes_.paused_on) : json(nullptr)}};
  if (!monitor_) return answer;
  auto& list = answer["links"];
  const auto& network = monitor_->state();
  const auto present = registration() ? registration()->attachment() : std::optional<mip6::Attachment>{};
  const auto verdicts = link_health_.explain(candidates(network), movement_, present);
  for (const auto& [candidate, use, why] : verdicts)
    list.push_back({{"interface", candidate.interface_name},
                    {"address", candidate.address.to_string()},
                    {"gateway", candidate.gateway ? json(candidate.gateway->to_string()) : json(nullptr)},
                    {"metric", candidate.gateway ? json(candidate.metric) : json(nullptr)},
                    {"use", name_of(use)},
                    {"why", why}});
  for (const auto& [index, link] : network.links) {
    const auto of_link = [&, interface = index](const auto& one) { return one.candidate.interface == interface; };
    if (std::ranges::any_of(verdicts, of_link)) continue;
    list.push_back({{"interface", link.name},
                    {"address", nullptr},
                    {"gateway", nullptr},
                    {"metric", nullptr},
                    {"use", name_of(mip6::Verdict::Use::kUnusable)},
                    {"why", no_candidate(link, movement_)}});
  }
  return answer;
}

json Daemon::keying_view() {
  json answer{{"method", method_name(config_)},
              {"state", keying_state()},
              {"home_agent", ends_.home_agent.is_unspecified() ? json(nullptr) : json(ends_.home_agent.to_string())},
              {"endpoint", nullptr},
              {"key_mobility", nullptr},
              {"migration_failed", keying_->migration_failed()},
              {"protects", config_.protect_payload ? "payload" : "signalling"},
              {"identity", nullptr},
              {"home_agent_identity", nullptr},
              {"proof", "manual keys"},
              {"certificate_until", nullptr},
              {"ike_proposals", json::array()},
              {"esp_proposals", json::array()},
              {"rekey_s", nullptr},
              {"ike_rekey_s", nullptr},
              {"charon", nullptr},
              {"associations", json::array()}};
  if (const auto endpoint = keying_->endpoint()) answer["endpoint"] = endpoint->to_string();
  if (registration() && registration()->registered_at()) answer["key_mobility"] = registration()->key_mobility();
  if (!manual()) {
    const auto* certificate = ike::certificate_of(config_.proof);
    answer["identity"] = config_.identity;
    answer["home_agent_identity"] = identity_of(config_, ends_.home_agent);
    answer["proof"] = certificate ? "certificate" : "secret";
    if (certificate && certificate->valid_until) answer["certificate_until"] = utc_seconds(certificate->valid_until);
    answer["ike_proposals"] = config_.method.ike_proposals.texts();
    answer["esp_proposals"] = config_.method.esp_proposals.texts();
    answer["rekey_s"] = config_.rekey.count();
    answer["ike_rekey_s"] = config_.ike_rekey.count();
    answer["charon"] = {{"reachable", fast_connected_ && slow_connected_},
                        {"version", charon_version_ ? json(*charon_version_) : json(nullptr)}};
  }
  if (!xfrm_) return answer;
  const auto states = xfrm_->esp_states(kernel::kNodeReqid, kernel::kNodePrefixesReqid);
  if (!states) return answer;
  for (const auto& state : *states)
    answer["associations"].push_back({{"use", name_of_reqid(state.reqid)},
                                      {"source", state.source.to_string()},
                                      {"destination", state.destination.to_string()},
                                      {"spi", fmt::format("{:#010x}", state.spi)}});
  return answer;
}

json Daemon::config_view() const {
  const auto config = shown(config_);
  json answer{{"file", config_file_.string()}, {"settings", json::array()}, {"interfaces", json::array()}};
  for (const auto& setting : config.settings)
    answer["settings"].push_back({{"key", setting.key}, {"value", setting.value}});
  for (const auto& one : config.interfaces)
    answer["interfaces"].push_back({{"pattern", one.pattern},
                                    {"preference", one.preference ? json(*one.preference) : json(nullptr)},
                                    {"exclude", one.exclude},
                                    {"optimistic_dad", one.optimistic_dad}});
  return answer;
}

json Daemon::version_view() const { return {{"mnd", MND_VERSION}, {"started", utc(started_)}}; }

}  // namespace mnd
