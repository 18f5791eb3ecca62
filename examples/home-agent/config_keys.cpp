// Settings to values: how nodes and home agent prove who they are, how keys are agreed, and keys set by hand.
#include <array>
#include <system_error>
#include <variant>

#include "examples/home-agent/config_reader.hpp"
#include "mnd/linux/certificate_key.hpp"
#include "mnd/linux/durable_file.hpp"

namespace mip6ha {
namespace {

// Of no use with manual keys.
constexpr std::array<std::string_view, 8> kIkeKeys{"identity",       "secret-file",   "certificate",
                                                   "keying",         "ike-proposals", "esp-proposals",
                                                   "signature-hash", ike::kConsentKey};

std::string cause_of(const mip6::Error& error) {
  return error.reason.empty() ? std::generic_category().message(error.os_error) : error.reason;
}

// The one that a node must prove itself by.
void read_node_certificate(Reader& reader, NodeConfig& node) {
  const ConfigSetting* setting = reader.find("certificate");
  const auto path = reader.path("certificate");
  if (!path) return;
  auto content = mnd::kernel::read_durable(*path);
  if (!content)
    reader.mistake(*setting, fmt::format("cannot be used: {}", cause_of(content.error())), content.error().remedy);
  else if (!*content || !(*content)->starts_with("-----BEGIN CERTIFICATE-----"))
    reader.mistake(*setting, "is no certificate", "name a file with the node's certificate in PEM form");
  else
    node.certificate = std::move(**content);
}

}  // namespace

void read_certificate(Reader& reader, Config& config) {
  const ConfigSetting* setting = reader.find("certificate");
  const auto path = reader.path("certificate");
  if (!path) return;
  const auto content = mnd::kernel::read_key_file(*path);
  auto parsed = content.and_then([](const std::string& bundle) { return ike::parse_certificate(bundle); });
  const auto right =
      parsed.and_then([](const ike::Certificate& one) { return mnd::kernel::check_key_of(one.own, one.private_key); });
  if (right)
    config.certificate = std::move(*parsed);
  else
    reader.mistake(*setting, fmt::format("cannot be used: {}", cause_of(right.error())), right.error().remedy);
}

void read_proof(Reader& reader, const Config& config, bool by_certificate, NodeConfig& node) {
  const auto* setting = reader.find("secret-file");
  if (setting == nullptr && by_certificate) {
    if (config.certificate) node.proof = *config.certificate;
    read_node_certificate(reader, node);
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

void doubt_secret(const ConfigSection& section, const NodeConfig& node, Mistakes& warnings) {
  const auto* setting = section.find("secret-file");
  const auto* key = std::get_if<ike::PreSharedKey>(&node.proof);
  if (setting == nullptr || key == nullptr) return;
  if (const auto objection = ike::objection_to_secret(key->secret))
    warnings.push_back({setting->file, setting->line, fmt::format("node {}: {}", node.name, objection->reason),
                        fmt::format("mip6-ha rotate {} makes a random one; for a section written by hand: openssl rand "
                                    "-base64 24, the same at the node",
                                    node.name)});
}

// --- how keys are agreed ---

namespace {

void refuse_group_secret(Reader& reader) {
  for (const std::string_view key : {"secret-file", "group-secret", "group-secret-file"})
    if (const auto* setting = reader.find_unfit(key))
      reader.refuse(*setting,
                    {.reason = "a secret of all nodes: any of them could pose as another, or as the home agent",
                     .remedy = "give every [node NAME] a secret-file of its own"});
}

void read_consent(Reader& reader, ike::IkeVersion version, const ConfigSetting* keying, const NodeConfig& node) {
  const auto* setting = reader.find(ike::kConsentKey);
  if (setting != nullptr && setting->value != ike::kConsentValue) {
    reader.mistake(*setting, "is no consent", fmt::format("remove the line, or write {}", ike::kConsentValue));
    return;
  }
  const auto* key = std::get_if<ike::PreSharedKey>(&node.proof);
  if (key != nullptr && key->secret.empty()) return;  // told already
  const auto error =
      ike::check_method(version, key != nullptr ? std::optional{key->secret} : std::nullopt, setting != nullptr);
  if (error && (setting != nullptr || keying != nullptr))
    reader.refuse(setting != nullptr ? *setting : *keying, *error);
}

}  // namespace

void read_keying_defaults(Reader& reader) {
  refuse_group_secret(reader);
  for (const std::string_view key : {"keying", "ike-proposals", "esp-proposals", "signature-hash"}) reader.find(key);
  if (const auto* setting = reader.find_unfit(ike::kConsentKey))
    reader.mistake(*setting, "is said of all nodes at once", "write it into the section of each node that needs it");
}

void read_keying(Reader& reader, const ConfigSection& top, NodeConfig& node) {
  const auto find = [&](std::string_view key) {
    const auto* own = reader.find(key);
    return own != nullptr ? own : top.find(key);
  };
  auto version = ike::IkeVersion::kV2;
  const auto* keying = find("keying");
  if (keying != nullptr && keying->value == "ikev1")
    version = ike::IkeVersion::kV1;
  else if (keying != nullptr && keying->value != "ikev2")
    reader.refuse(*keying, {.reason = fmt::format("'{}' is no keying method", keying->value),
                            .remedy = "write keying = ikev2, or ikev1 for a node that has nothing else; keys set by "
                                      "hand come by manual-keys = FILE"});
  read_consent(reader, version, keying, node);

  node.method = ike::default_method(version);
  const bool aggressive = version == ike::IkeVersion::kV1 && std::holds_alternative<ike::PreSharedKey>(node.proof);
  const auto take = [&](std::string_view key, ike::SharedTexts& target, auto&& parse) {
    const auto* setting = find(key);
    if (setting == nullptr) return;
    auto parsed = parse(setting->value);
    if (parsed)
      target = std::move(*parsed);
    else
      reader.refuse(*setting, parsed.error());
  };
  const auto proposals = [&](ike::ProposalUse use) {
    return [=](const std::string& text) { return ike::parse_proposals(text, use, version, aggressive); };
  };
  take("ike-proposals", node.method.ike_proposals, proposals(ike::ProposalUse::kIke));
  take("esp-proposals", node.method.esp_proposals, proposals(ike::ProposalUse::kEsp));
  take("signature-hash", node.method.signature_hashes, ike::parse_signature_hashes);
}

// --- keys set by hand: no IKE, and so nothing that proves an identity ---

void read_manual_keys(Reader& reader, NodeConfig& node, Mistakes& mistakes) {
  for (const auto key : kIkeKeys)
    if (const auto* setting = reader.find_unfit(key))
      reader.mistake(*setting, "is not used with manual-keys", "remove this line or manual-keys");
  const auto path = reader.path("manual-keys");
  if (!path) return;
  auto keys = mnd::kernel::read_manual_keys(*path);
  if (keys)
    node.manual_keys = std::move(*keys);
  else
    mistakes.insert(mistakes.end(), keys.error().begin(), keys.error().end());
}

}  // namespace mip6ha
