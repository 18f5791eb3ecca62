// The daemon with keys set by hand: their SAs, the numbers that they have seen, and what the user is told of both.
#include <algorithm>

#include "mnd/daemon.hpp"
#include "mnd/doctor.hpp"
#include "mnd/health.hpp"
#include "mnd/linux/ike_probe.hpp"
#include "mnd/linux/kernel.hpp"

namespace mnd {

using nlohmann::json;

// Before the registration starts: with which numbers depends on what the keys have seen.
tl::expected<void, mip6::Error> Daemon::set_up_manual_keys() {
  if (!manual()) return xfrm_->remove_manual(kernel::kNodeReqid, kernel::kNodeReqid);
  if (!manual_start_) {
    const auto loaded = manual_store_.load();
    auto start = start_with(*config_.manual_keys, loaded);
    if (!start) return tl::unexpected(start.error());
    had_manual_record_ = loaded && *loaded;
    manual_start_ = std::move(*start);
  }
  if (!manual_start_->usable) {
    trouble("keys", manual_start_->what, manual_start_->remedy, true);
    delete_esp_states_except(kernel::kNodeReqid, {});  // of a former process
    return {};
  }
  return xfrm_->install_manual(ends_, kernel::kNodeReqid, *config_.manual_keys);
}

void Daemon::tell_manual_keys() {
  if (!manual_start_ || !manual_start_->usable) return;
  feed(mip6::node::KeysUsable{.can_migrate = false, .fresh = false, .endpoint = {}, .dynamic = false});
}

// Whoever flushes SAs takes ours along, and what is sent then vanishes without an error.
void Daemon::restore_manual_states() {
  if (!manual_start_ || !manual_start_->usable) return;
  const auto states = xfrm_->esp_states(ends_, kernel::kNodeReqid);
  if (states && states->size() == 2) return;
  done("xfrm", xfrm_->install_manual(ends_, kernel::kNodeReqid, *config_.manual_keys));
}

bool Daemon::store_numbers(const mip6::SequenceState& numbers) {
  const auto stored = [&] {
    if (!manual()) return store_.store(numbers, stored_agent_);
    manual_start_->record.numbers = numbers;
    return manual_store_.store(manual_start_->record);
  }();
  if (stored) stored_numbers_ = numbers;
  return done("disk", stored);
}

// Once at half and once at nine tenths of the numbers, and where they end.
void Daemon::warn_of_numbers() {
  if (!manual() || !registration() || !manual_start_->usable) return;
  const auto use = mip6::use_of_half_space(registration()->used_under_keys());
  if (std::exchange(sequence_use_, use) == use || use == mip6::SequenceUse::kPlenty) return;
  const auto findings = examine(health());
  for (const auto& finding : findings)
    if (finding.check == "sequence-numbers") journal_.add("numbers", finding.what, finding.remedy);
}

Health Daemon::health() const {
  const auto wrong = [this](const char* source) -> std::optional<Health::Wrong> {
    const auto* report = troubles_.find(source);
    if (!report || !report->current) return std::nullopt;
    return Health::Wrong{report->what, report->remedy};
  };
  Health health{.manual_keys = manual(),
                .charon_connected = fast_connected_ && slow_connected_,
                .horizon = config_.forecast_horizon,
                .keys = manual() ? wrong("keys") : std::nullopt,
                .state = wrong("disk"),
                .vici_forbidden = vici_forbidden_,
                .charon_plugins = charon_plugins_,
                .has_address = !registration() || ends_.home_agent.is_unspecified() || registration()->attachment(),
                .send_forbidden = send_forbidden_,
                .key_exchange = manual() ? std::nullopt : wrong("keys"),
                .home_agent = wrong("registration"),
                .discovery = wrong("discovery"),
                .prefixes = wrong("prefixes")};
  if (!health.key_exchange) health.key_exchange = wrong("payload keys");
  if (const auto* report = troubles_.shown_local({"disk", "keys"}))
    health.kernel = Health::Wrong{report->what, report->remedy};
  if (!registration()) return health;
  if (registration()->numbers().first_under_keys)
    health.numbers_used = registration()->used_under_keys();
  else
    health.numbers_used.reset();
  health.movement_rate = registration()->forecast().movement_rate(kernel::boot_now());
  health.highest_rate = registration()->forecast().highest_rate();
  health.held_back = registration()->forecast().held_back_in_window(kernel::boot_now());
  return health;
}

// What cannot be read is not judged.
void Daemon::read_others(Health& seen) const {
  const auto& attachment = *registration()->attachment();
  if (attachment.at_home) return;
  if (auto policies = xfrm_->policies_of_others(ends_, attachment.care_of)) seen.other_policies = std::move(*policies);
  const auto bypassed = [](const auto& prefix) { return prefix.contains(kernel::kSomewhere); };
  if (!tunnel_ || registration()->state() != mip6::node::State::kRegistered ||
      std::ranges::any_of(config_.bypass, bypassed))
    return;
  if (const auto way = tunnel_->other_way()) seen.other_way = *way;
}

json Daemon::findings(const json& missing) const {
  auto seen = health();
  read_machine(seen, config_);
  if (seen.kernel) read_kernel(seen);  // nothing else is done meanwhile
  add_missing(seen, missing);
  if (seen.key_exchange) seen.ike_forbidden = kernel::ike_forbidden(ends_.home_agent);
  if (const auto* present = registration(); present && present->attachment()) {
    seen.interface = interface_name(present->attachment()->interface);
    seen.mtu = kernel::mtu_of(seen.interface);
    read_others(seen);
  }
  json list = json::array();
  for (const auto& finding : examine(seen)) list.push_back(to_json(finding));
  return list;
}

json Daemon::advice() const {
  json list = json::array();
  for (const auto& finding : examine(health()))
    if (finding.advice) list.push_back(to_json(finding));
  return list;
}

json Daemon::sequence() const {
  constexpr double kEveryTenMinutes = 1.0 / 600;
  json answer{{"version", kernel::kControlVersion},
              {"method", method_name(config_)},
              {"last", nullptr},
              {"limit", mip6::kHalfSpace},
              {"used", nullptr},
              {"reserved_until", nullptr},
              {"forecast", json::array()}};
  if (stored_numbers_) answer["reserved_until"] = stored_numbers_->first_unused.value();
  if (!registration()) return answer;
  if (const auto last = registration()->last_sequence()) answer["last"] = last->value();
  const auto used = registration()->used_under_keys();
  const bool known = registration()->numbers().first_under_keys.has_value();
  if (known) answer["used"] = used;
  const auto& forecast = registration()->forecast();
  const auto now = kernel::boot_now();
  const auto until = [&](std::uint32_t limit, double rate) {
    const auto time = mip6::SequenceForecast::time_until(limit, used, rate);
    return time ? json(std::chrono::duration<double>(*time).count()) : json(nullptr);
  };
  const auto add = [&](const char* name, double rate) {
    answer["forecast"].push_back({{"rate", name},
                                  {"per_ten_minutes", rate * 600},
                                  {"until_half_s", known ? until(mip6::kHalfSpace, rate) : json(nullptr)},
                                  {"until_whole_s", known ? until(mip6::kWholeSpace, rate) : json(nullptr)}});
  };
  add("present", forecast.current_rate(now));
  add("average", forecast.average_rate(now));
  add("highest", forecast.highest_rate());
  add("every 10 minutes", kEveryTenMinutes);
  return answer;
}

}  // namespace mnd
