// What `mip6ctl` is told over the control socket.
#include <fmt/format.h>

#include <chrono>

#include "mnd/daemon.hpp"
#include "mnd/linux/kernel.hpp"
#include "mnd/linux/kernel_counters.hpp"

namespace mnd {

using nlohmann::json;

namespace {

constexpr std::chrono::days kRenewBefore{14};

double seconds_between(mip6::BootTime from, mip6::BootTime to) {
  return std::chrono::duration<double>(to - from).count();
}

template <class T>
json or_null(const std::optional<T>& value, auto&& convert) {
  return value ? json(convert(*value)) : json(nullptr);
}

}  // namespace

std::string Daemon::interface_name(std::uint32_t index) const {
  const auto& links = monitor_->state().links;
  const auto link = links.find(index);
  return link != links.end() ? link->second.name : std::to_string(index);
}

Trace::Place Daemon::place_of(const mip6::Attachment& attachment) const {
  return {.interface = interface_name(attachment.interface), .address = attachment.care_of.to_string()};
}

json Daemon::warnings() const {
  json found = json::array();
  if (config_.keying == Keying::kIkev1 && std::holds_alternative<ike::PreSharedKey>(config_.proof))
    found.push_back({{"what", ike::kAggressiveRisk.what}, {"remedy", ike::kAggressiveRisk.remedy}});
  if (const auto* certificate = ike::certificate_of(config_.proof); certificate && certificate->valid_until) {
    const auto left =
        std::chrono::system_clock::from_time_t(certificate->valid_until) - std::chrono::system_clock::now();
    const auto days = std::chrono::duration_cast<std::chrono::days>(left).count();
    if (left < kRenewBefore)
      found.push_back({{"what", left.count() < 0 ? "our certificate has expired"
                                                 : fmt::format("our certificate expires in {} days", days)},
                       {"remedy", "have it renewed, replace the file, then: systemctl reload mnd"}});
  }
  return found;
}

std::string Daemon::keying_state() const {
  if (manual()) return !manual_start_ ? "not started" : manual_start_->usable ? "set" : "not used";
  return fast_ ? std::string{keying_->state()} : "not started";
}

std::string_view Daemon::payload_text() const {
  if (!config_.protect_payload) return "not protected";
  if (registration() && registration()->attachment() && registration()->attachment()->at_home)
    return "at home, not protected";
  return payload_sa_ ? "under ESP" : "waits for an SA";
}

json Daemon::status() const {
  const auto now = kernel::boot_now();
  json state{{"version", kernel::kControlVersion},
             {"home_address", config_.home_address.to_string()},
             {"home_agent", ends_.home_agent.is_unspecified() ? json(nullptr) : json(ends_.home_agent.to_string())},
             {"lifetime_s", config_.lifetime.count()},
             {"keying",
              {{"method", method_name(config_)},
               {"state", keying_state()},
               {"endpoint", or_null(keying_->endpoint(), [](const auto& a) { return a.to_string(); })},
               {"migration_failed", keying_->migration_failed()}}},
             {"payload", payload_text()},
             {"state", wishes_.deregistered && !node_ ? "de-registered" : "starting"},
             {"paused_on", or_null(wishes_.paused_on, [](const auto& name) { return name; })},
             {"attachment", nullptr},
             {"registered_at", nullptr},
             {"expires_in_s", nullptr},
             {"sequence", nullptr},
             {"key_mobility", nullptr},
             {"warnings", warnings()},
             {"advice", advice()},
             {"last_error", nullptr}};
  if (const auto* trouble = troubles_.shown())
    state["last_error"] = {{"what", trouble->what},
                           {"remedy", trouble->remedy},
                           {"ago_s", seconds_between(trouble->since, now)},
                           {"current", trouble->current}};
  if (!registration()) return state;
  const auto& present = *registration();
  const auto& counters = present.counters();
  state["state"] = std::string{mip6::node::name_of(present.state())};
  if (const auto& attachment = present.attachment()) {
    state["attachment"] = {{"interface", interface_name(attachment->interface)},
                           {"care_of", attachment->care_of.to_string()},
                           {"at_home", attachment->at_home},
                           {"reason", attachment_reason_}};
  }
  state["registered_at"] = or_null(present.registered_at(), [](const auto& a) { return a.care_of.to_string(); });
  state["expires_in_s"] = or_null(present.expires(), [&](mip6::BootTime at) { return seconds_between(now, at); });
  state["sequence"] = or_null(present.last_sequence(), [](auto number) { return number.value(); });
  if (present.registered_at()) state["key_mobility"] = present.key_mobility();
  std::uint64_t dropped = 0;
  for (const auto& [reason, count] : dropped_) dropped += count;
  state["counters"] = {{"updates_sent", counters.updates_sent},
                       {"retransmissions", counters.retransmissions},
                       {"acknowledged", counters.acknowledged},
                       {"refused", counters.refused},
                       {"ignored", counters.ignored_acknowledgements},
                       {"rate_limited", counters.rate_limited},
                       {"sent_for_new_keys", counters.sent_for_new_keys},
                       {"binding_errors", counters.binding_errors},
                       {"parameter_problems", counters.parameter_problems},
                       {"unchanged_notifications", monitor_->unchanged()},
                       {"malformed", dropped},
                       {"dropped", dropped_}};
  const auto kernel = kernel::read_kernel_counters(kernel::kTunnelName);
  state["counters"]["kernel"] = kernel.xfrm;
  state["counters"]["tunnel_dropped"] = or_null(kernel.tunnel_dropped, [](auto count) { return count; });
  return state;
}

void Daemon::publish_status() {
  if (control_ && control_->has_streams()) control_->publish(kernel::control_line(status()));
}

}  // namespace mnd
