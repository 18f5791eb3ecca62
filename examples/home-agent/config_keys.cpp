// Settings to values: how nodes and home agent prove who they are.
#include <system_error>

#include "examples/home-agent/config_reader.hpp"
#include "mnd/linux/durable_file.hpp"

namespace mip6ha {
namespace {

std::string cause_of(const mip6::Error& error) {
  return error.reason.empty() ? std::generic_category().message(error.os_error) : error.reason;
}

}  // namespace

void read_certificate(Reader& reader, Config& config) {
  const ConfigSetting* setting = reader.find("certificate");
  const auto path = reader.path("certificate");
  if (!path) return;
  const auto content = mnd::kernel::read_key_file(*path);
  auto parsed = content.and_then([](const std::string& bundle) { return ike::parse_certificate(bundle); });
  if (parsed)
    config.certificate = std::move(*parsed);
  else
    reader.mistake(*setting, fmt::format("cannot be used: {}", cause_of(parsed.error())), parsed.error().remedy);
}

void read_proof(Reader& reader, const Config& config, bool by_certificate, NodeConfig& node) {
  const auto* setting = reader.find("secret-file");
  if (setting == nullptr && by_certificate) {
    if (config.certificate) node.proof = *config.certificate;
    return;
  }
  const auto example = fmt::format("/etc/mip6-ha/{}.secret", node.name);
  setting = reader.require("secret-file", example + ", or, for nodes with certificates, certificate = FILE at the top");
  if (setting == nullptr) return;
  if (!setting->value.starts_with('/')) {
    reader.mistake(*setting, "is not an absolute path", "begin it with /");
    return;
  }
  auto secret = mnd::kernel::read_secret(setting->value);
  if (!secret)
    reader.mistake(*setting, fmt::format("cannot be used: {}", cause_of(secret.error())), secret.error().remedy);
  else if (secret->empty())
    reader.mistake(*setting, "is empty", "write the pre-shared key into it, such as 32 random characters");
  else
    node.proof = ike::PreSharedKey{std::move(*secret)};
}

}  // namespace mip6ha
