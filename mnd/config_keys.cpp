// See config.hpp: how keys are agreed, or which were set by hand; who the two are and how they prove it; what is under
// the keys.
#include <algorithm>
#include <array>
#include <iterator>
#include <system_error>
#include <variant>

#include "mnd/config_checker.hpp"
#include "mnd/linux/certificate_key.hpp"
#include "mnd/linux/durable_file.hpp"

namespace mnd {
namespace {

// Of no use with manual keys.
constexpr std::array<std::string_view, 10> kIkeKeys{
    "identity",      "home-agent-identity", "secret-file", "certificate", "ike-proposals",
    "esp-proposals", "signature-hash",      "rekey",       "ike-rekey",   ike::kConsentKey};

std::string reason_of(const mip6::Error& error) {
  return error.os_error == 0 ? error.reason : std::generic_category().message(error.os_error);
}

}  // namespace

void ConfigChecker::identities() {
  const auto take = [&](const ConfigSetting& setting, std::string& target) {
    if (setting.value.empty())
      mistake(setting, "is empty", "write the name under which the home agent knows this node, laptop@example.org");
    else if (setting.value.find_first_of("\"\t") != std::string::npos)
      mistake(setting, "contains quotes or tabs", "write the plain name, laptop@example.org");
    else
      target = setting.value;
  };
  if (const auto* identity = require("identity", "identity = laptop@example.org")) take(*identity, config_.identity);
  if (const auto* names = find("home-agent-identity")) {
    std::string checked;
    take(*names, checked);
    // One may have blanks in it; several are told apart by them.
    if (config_.home_agents.size() > 1)
      config_.home_agent_identities = words_of(checked);
    else if (!checked.empty())
      config_.home_agent_identities = {checked};
  }
}

// After the addresses and the proof.
void ConfigChecker::home_agent_identities() {
  const auto& names = config_.home_agent_identities;
  const auto* setting = find("home-agent-identity");
  if (setting && names.size() > 1 && names.size() != config_.home_agents.size())
    mistake(*setting, fmt::format("{} names for {} home agents", names.size(), config_.home_agents.size()),
            "write one for all of them, or one for each in the order of home-agent");
  auto all = names;
  for (const auto& agent : config_.home_agents) all.push_back(identity_of(config_, agent));
  if (const auto* identity = find("identity");
      identity && !config_.identity.empty() && std::ranges::find(all, config_.identity) != all.end())
    mistake(*identity, "node and home agent have the same identity", "give each a name of its own");
  // A reply to who asks for home agents can be forged. Under a secret that only we and the home agents have, nobody
  // else authenticates itself under whatever address; but another node's certificate is good for its own address.
  const bool by_certificate = find("certificate") != nullptr;
  if (config_.discover && (names.size() > 1 || (by_certificate && names.empty())))
    mistake(*find("home-agent"), "a home agent that is discovered must have a name that is known before",
            "write home-agent-identity = NAME, one that all home agents have in their certificates and no node has");
}

void ConfigChecker::certificate(const ConfigSetting& setting) {
  const auto content = kernel::read_key_file(config_.proof_file);
  auto parsed = content.and_then([](const std::string& bundle) { return ike::parse_certificate(bundle); });
  const auto right =
      parsed.and_then([](const ike::Certificate& one) { return kernel::check_key_of(one.own, one.private_key); });
  if (!right)
    return mistake(setting, fmt::format("{}: {}", config_.proof_file.string(), reason_of(right.error())),
                   right.error().remedy);
  // charon presents the certificate's subject then, and a home agent may know us by that
  if (const auto objection = ike::objection_to_name(*parsed, config_.identity))
    told_beside(config_.doubts, *find("identity"), objection->reason, objection->remedy);
  config_.proof = std::move(*parsed);
}

void ConfigChecker::proof() {
  const auto* by_certificate = find("certificate");
  if (by_certificate && find("secret-file")) {
    mistake(*by_certificate, "there is also a secret-file", "keep the one of the two that the home agent expects");
    return;
  }
  const auto* setting =
      by_certificate ? by_certificate
                     : require("secret-file", "secret-file = /etc/mnd/secret' or 'certificate = /etc/mnd/laptop.pem");
  if (!setting) return;
  if (setting->value.empty()) {
    mistake(*setting, "is empty",
            by_certificate ? "write the path of the file with private key and certificates, /etc/mnd/laptop.pem"
                           : "write the path of the file with the shared secret, /etc/mnd/secret");
    return;
  }
  // relative paths count from the configuration's folder
  config_.proof_file = path_.parent_path() / setting->value;
  if (by_certificate) return certificate(*setting);
  auto secret = kernel::read_secret(config_.proof_file);
  if (!secret)
    return mistake(*setting, fmt::format("{}: {}", config_.proof_file.string(), reason_of(secret.error())),
                   secret.error().remedy);
  if (const auto objection = ike::objection_to_secret(*secret))
    told_beside(config_.warnings, *setting, objection->reason, objection->remedy);
  config_.proof = ike::PreSharedKey{std::move(*secret)};
}

void ConfigChecker::keying() {
  const auto* setting = find("keying");
  if (setting && setting->value == "manual") {
    config_.keying = Keying::kManual;
    return;
  }
  if (const auto* keys = find("manual-keys"))
    mistake(*keys, "is for keying = manual", "write 'keying = manual', or remove this line");
  if (setting && setting->value == "ikev1")
    config_.keying = Keying::kIkev1;
  else if (setting && setting->value != "ikev2")
    mistake(*setting, fmt::format("'{}' is no keying method", setting->value),
            "write 'keying = ikev2', or ikev1 for a home agent that has nothing else, or manual for keys set by hand");
}

void ConfigChecker::manual_keys() {
  // The keys would be the same for all, and what one has seen could be sent once more to another.
  if (config_.discover || config_.home_agents.size() > 1)
    mistake(*find("home-agent"), "manual keys are for one home agent",
            "write its address alone, or 'keying = ikev2': IKE makes keys with each of several");
  for (const auto key : kIkeKeys)
    if (const auto* setting = find(key))
      mistake(*setting, "is not used with keying = manual", "remove this line, or write 'keying = ikev2'");
  const auto* setting = require("manual-keys", "manual-keys = /etc/mnd/manual-keys");
  if (!setting) return;
  if (setting->value.empty()) {
    mistake(*setting, "is empty", "write the path of the key file, /etc/mnd/manual-keys");
    return;
  }
  config_.manual_keys_file = path_.parent_path() / setting->value;
  auto keys = kernel::read_manual_keys(config_.manual_keys_file);
  if (keys)
    config_.manual_keys = std::move(*keys);
  else
    std::move(keys.error().begin(), keys.error().end(), std::back_inserter(mistakes_));
}

void ConfigChecker::key_management() {
  const auto version = config_.keying == Keying::kIkev1 ? ike::IkeVersion::kV1 : ike::IkeVersion::kV2;
  consent(version);
  algorithms(version);
}

void ConfigChecker::consent(ike::IkeVersion version) {
  const auto* setting = find(ike::kConsentKey);
  if (setting && setting->value != ike::kConsentValue) {
    mistake(*setting, fmt::format("'{}' is no consent", setting->value),
            fmt::format("remove the line, or write '{}'", ike::kConsentValue));
    return;
  }
  const auto* key = std::get_if<ike::PreSharedKey>(&config_.proof);
  if (key && key->secret.empty()) return;  // told already
  const auto error = ike::check_method(version, key ? std::optional{key->secret} : std::nullopt, setting != nullptr);
  if (!error) return;
  const auto* place = setting ? setting : find("keying");
  mistake(*place, error->reason, error->remedy);
}

void ConfigChecker::algorithms(ike::IkeVersion version) {
  auto& method = config_.method;
  method = ike::default_method(version);
  const bool aggressive = version == ike::IkeVersion::kV1 && std::holds_alternative<ike::PreSharedKey>(config_.proof);
  const auto take = [&](std::string_view key, ike::SharedTexts& target, auto&& parse) {
    const auto* setting = find(key);
    if (!setting) return;
    auto parsed = parse(setting->value);
    if (parsed)
      target = std::move(*parsed);
    else
      mistake(*setting, parsed.error().reason, parsed.error().remedy);
  };
  const auto proposals = [&](ike::ProposalUse use) {
    return [=](const std::string& text) { return ike::parse_proposals(text, use, version, aggressive); };
  };
  take("ike-proposals", method.ike_proposals, proposals(ike::ProposalUse::kIke));
  take("esp-proposals", method.esp_proposals, proposals(ike::ProposalUse::kEsp));
  take("signature-hash", method.signature_hashes, ike::parse_signature_hashes);
}

void ConfigChecker::protection() {
  const auto* setting = find("protect");
  if (!setting || setting->value == "signalling") return;
  if (setting->value == "payload" && config_.keying == Keying::kManual)
    mistake(*setting, "manual keys protect the Mobility Header only",
            "write 'keying = ikev2' to have payload under ESP, or remove this line");
  else if (setting->value == "payload")
    config_.protect_payload = true;
  else
    mistake(*setting, fmt::format("'{}' is neither signalling nor payload", setting->value),
            "write 'protect = payload' to have all that is tunnelled under ESP, as the home agent must have it too");
}

}  // namespace mnd
