// See health.hpp.
#include "mnd/health.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <nlohmann/json.hpp>

#include "mnd/linux/unix_socket.hpp"

namespace mnd {
namespace {

void read_charon(Health& health, const Config& config) {
  const auto peer = kernel::connect_to(config.vici_socket.native());
  health.charon_connected = peer.has_value();
  health.vici_forbidden = !peer && (peer.error() == EACCES || peer.error() == EPERM);
}

}  // namespace

void read_machine(Health& health, const Config& config, const kernel::KernelPaths& paths) {
  health.manual_keys = config.keying == Keying::kManual;
  health.horizon = config.forecast_horizon;
  health.vici_socket = config.vici_socket.string();
  health.ipv6_off = kernel::ipv6_switched_off(paths);
  health.state_directory = config.state_directory.string();
  health.state_writable = ::faccessat(AT_FDCWD, health.state_directory.c_str(), W_OK, AT_EACCESS) == 0;
  health.unix_now = static_cast<std::int64_t>(std::time(nullptr));
  health.guessable_secret = config.keying == Keying::kIkev1 && std::holds_alternative<ike::PreSharedKey>(config.proof);
  if (const auto* key = std::get_if<ike::PreSharedKey>(&config.proof); key && !health.manual_keys)
    if (auto objection = ike::objection_to_secret(key->secret))
      health.short_secret = Health::Wrong{std::move(objection->reason), std::move(objection->remedy)};
  if (const auto* certificate = ike::certificate_of(config.proof)) {
    health.certificate_from = certificate->valid_from;
    health.certificate_until = certificate->valid_until;
    health.by_certificate = true;
    if (auto objection = ike::objection_to_name(*certificate, config.identity))
      health.certificate_name = Health::Wrong{std::move(objection->reason), std::move(objection->remedy)};
  }
}

void read_kernel(Health& health, const kernel::KernelPaths& paths) {
  health.missing_modules = kernel::missing_modules(paths);
  health.missing_options = kernel::missing_options(paths);
}

void add_missing(Health& health, const nlohmann::json& names) {
  if (!names.is_array()) return;
  for (const auto& one : names) {
    if (!one.is_string()) continue;
    const auto& name = one.get_ref<const std::string&>();
    auto& missing = name.starts_with("CONFIG_") ? health.missing_options : health.missing_modules;
    if (kernel::kernel_needs(name) && std::ranges::find(missing, name) == missing.end()) missing.push_back(name);
  }
}

std::vector<Finding> examine_stopped(const std::filesystem::path& config_file, const kernel::KernelPaths& paths) {
  Health health;
  health.running = false;
  health.config_file = config_file.string();
  read_kernel(health, paths);
  if (const auto config = load_config(config_file)) {
    read_machine(health, *config, paths);
    read_charon(health, *config);
  } else {
    for (const auto& mistake : config.error())
      health.config_mistakes.push_back(
          {kernel::ConfigMistake{mistake.file, mistake.line, mistake.what, {}}.to_string(), mistake.remedy});
    health.ipv6_off = kernel::ipv6_switched_off(paths);
    health.charon_connected = true;  // whether it is needed, and where it is, is not known
  }
  return examine(health);
}

}  // namespace mnd
