// Requests and answers of charon as values.
#include "ike-glue/charon.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "ike-glue/vici_number.hpp"
#include "libmip6/defect.hpp"

namespace ike {
namespace {

std::optional<mip6::Ipv6Address> address(const Section& section, std::string_view key) {
  const auto* text = section.text(key);
  return text ? mip6::Ipv6Address::parse(*text) : std::nullopt;
}

// An event wraps the IKE_SA in the one section that is named after its connection.
const std::pair<std::string, Section::Value>* wrapped(const Section& message) {
  const auto& entries = message.entries();
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [](const auto& entry) { return std::holds_alternative<Section>(entry.second); });
  return found == entries.end() ? nullptr : &*found;
}

std::string seconds_text(std::chrono::seconds value) { return fmt::format("{}s", value.count()); }

std::string authority_prefix(const std::string& id) { return id + "-ca-"; }

// `identity`: Ed25519 and Ed448, which have their hash built in. On a peer the hashes bind its certificates, too.
std::string pubkey_auth(const Method& method) {
  return fmt::format("pubkey-{}-identity", fmt::join(method.signature_hashes, "-"));
}

Section local_auth(const Credentials& credentials) {
  Section local;
  local.set("id", credentials.local_identity);
  if (const auto* certificate = certificate_of(credentials.proof))
    local.set("auth", pubkey_auth(credentials.method)).set("certs", Section::List{certificate->own});
  else
    local.set("auth", "psk");
  return local;
}

Section remote_auth(const Credentials& credentials) {
  Section remote;
  remote.set("id", credentials.remote_identity);
  // By its root's name and not as `cacerts`: charon would keep those for good, and trust them for other connections.
  if (const auto* certificate = certificate_of(credentials.proof))
    remote.set("auth", pubkey_auth(credentials.method)).set("ca_id", "asn1dn:#" + certificate->root);
  else
    remote.set("auth", "psk");
  // Beside the root, not in its place. charon keeps it for good.
  if (!credentials.remote_certificate.empty()) remote.set("certs", Section::List{credentials.remote_certificate});
  return remote;
}

}  // namespace

Section load_conn(const Connection& connection, const Credentials& credentials) {
  const auto& method = credentials.method;
  const bool first_version = method.version == IkeVersion::kV1;
  Section children;
  for (auto child : connection.children) {
    if (mip6::planted(mip6::Defect::kPeerSelectorAny) && connection.remote == "%any") child.remote.prefix = {};
    children.set(std::string(name_of(child.kind)), describe(child, method.esp_proposals));
  }
  Section ike;
  ike.set("version", first_version ? "1" : "2")
      .set("mobike", "no")  // the K flag moves the endpoint
      .set("unique", "no")  // make before break needs two IKE_SAs for a moment
      .set("local_addrs", Section::List{connection.local})
      .set("remote_addrs", Section::List{connection.remote})
      .set("fragmentation", "yes")  // by IKE itself (RFC 7383): big certificates on a link of MTU 1280
      .set("proposals", method.ike_proposals)
      .set("rekey_time", seconds_text(connection.ike_rekey));
  if (connection.dpd_delay.count() > 0) ike.set("dpd_delay", seconds_text(connection.dpd_delay));
  // Main mode has no identity yet when it needs the secret, only the node's address, which changes.
  if (first_version && std::holds_alternative<PreSharedKey>(credentials.proof)) ike.set("aggressive", "yes");
  ike.set("local", local_auth(credentials))
      .set("remote", remote_auth(credentials))
      .set("children", std::move(children));
  return Section{}.set(connection.name, std::move(ike));
}

std::vector<CredentialRequest> load_credentials(const std::string& id, const Credentials& credentials) {
  if (const auto* key = std::get_if<PreSharedKey>(&credentials.proof)) {
    Section message;
    message.set("id", id)
        .set("type", "IKE")
        .set("data", key->secret)
        .set("owners", Section::List{credentials.local_identity, credentials.remote_identity});
    return {{"load-shared", std::move(message), "the secret"}};
  }
  const auto& certificate = *certificate_of(credentials.proof);
  Section authorities;
  for (std::size_t i = 0; i < certificate.authorities.size(); ++i)
    authorities.set(authority_prefix(id) + std::to_string(i), Section{}.set("cacert", certificate.authorities[i]));
  std::vector<CredentialRequest> requests{{"load-authority", std::move(authorities), "the CA certificates"},
                                          {"load-key", load_key(certificate), "the private key"}};
  for (const auto& list : certificate.revocation_lists)
    requests.push_back({"load-cert", Section{}.set("type", "x509_crl").set("flag", "none").set("data", list), "a CRL"});
  return requests;
}

Section load_key(const Certificate& certificate) {
  return Section{}.set("type", "any").set("data", certificate.private_key);
}

bool is_authority(std::string_view name, const std::string& id) { return name.starts_with(authority_prefix(id)); }

Section initiate(const std::string& name, ChildKind child) {
  return Section{}.set("child", std::string(name_of(child))).set("ike", name).set("timeout", "-1");
}

Section terminate_by_id(std::uint64_t uniqueid, bool force) {
  Section message;
  message.set("ike-id", std::to_string(uniqueid)).set("timeout", "-1");
  if (force) message.set("force", "yes");
  return message;
}

Section terminate_child(std::uint64_t id) { return Section{}.set("child-id", std::to_string(id)).set("timeout", "-1"); }

Section terminate_by_name(const std::string& name) {
  return Section{}.set("ike", name).set("timeout", "-1").set("force", "yes");
}

Section rekey_child(std::uint64_t ike_uniqueid, ChildKind child) {
  return Section{}.set("child", std::string(name_of(child))).set("ike-id", std::to_string(ike_uniqueid));
}

Section rekey_ike(std::uint64_t uniqueid) { return Section{}.set("ike-id", std::to_string(uniqueid)); }

Section named(std::string_view key, const std::string& value) { return Section{}.set(std::string(key), value); }

std::optional<IkeSa> read_ike_sa(const Section& message, std::uint32_t reqid) {
  const auto* outer = wrapped(message);
  if (!outer) return std::nullopt;
  const auto& section = std::get<Section>(outer->second);
  IkeSa sa;
  sa.name = outer->first;
  sa.uniqueid = number<std::uint64_t>(section, "uniqueid", 10);
  sa.state = section.text_or("state", "");
  sa.local = address(section, "local-host");
  sa.remote = address(section, "remote-host");
  sa.remote_id = section.text_or("remote-id", "");
  sa.first_version = section.text_or("version", "") == "1";
  sa.age = age(section, "established");
  const auto* children = section.section("child-sas");
  if (!children) return sa;
  for (const auto& [key, value] : children->entries()) {
    const auto* child = std::get_if<Section>(&value);
    if (!child || number<std::uint32_t>(*child, "reqid", 10) != reqid) continue;
    // A request for payload, where nothing but mobility is configured, is narrowed to that.
    if (child->text_or("mode", "") == "TUNNEL") continue;
    const auto state = child->text_or("state", "");
    const bool installed = state == "INSTALLED" || state == "REKEYING";
    // After a rekey the old CHILD_SA is listed for some seconds as DELETED or REKEYED, beside the new one.
    if (sa.child_installed && !installed) continue;
    sa.child_installed = installed;
    sa.spi_in = number<std::uint32_t>(*child, "spi-in", 16);
    sa.spi_out = number<std::uint32_t>(*child, "spi-out", 16);
    sa.child_age = age(*child, "install-time");
  }
  return sa;
}

const Section* children_of(const Section& message) {
  const auto* outer = wrapped(message);
  return outer ? std::get<Section>(outer->second).section("child-sas") : nullptr;
}

Closing read_closing(const Section& message) {
  const auto* outer = wrapped(message);
  if (!outer) return Closing::kUnknown;
  const auto& section = std::get<Section>(outer->second);
  const auto* passive = section.list("tasks-passive");
  const auto* active = section.list("tasks-active");
  const auto deletes = [](const std::string& task) { return task == "IKE_DELETE" || task == "ISAKMP_DELETE"; };
  if (passive && std::ranges::any_of(*passive, deletes)) return Closing::kByPeer;
  const auto state = section.text_or("state", "");
  if (state == "DELETING") return Closing::kHere;
  // IKEv1 does not keep what asks whether the peer is there as a task.
  const bool waiting = (active && !active->empty()) || section.text_or("version", "") == "1";
  const bool established = state == "ESTABLISHED" || state == "REKEYING";
  return established && waiting ? Closing::kSilent : Closing::kUnknown;
}

bool is_up(const Section& message) { return message.text_or("up", "no") == "yes"; }

std::optional<IkeRekeyed> read_ike_rekey(const Section& message) {
  const auto* outer = wrapped(message);
  if (!outer) return std::nullopt;
  const auto& section = std::get<Section>(outer->second);
  const auto* before = section.section("old");
  const auto* after = section.section("new");
  if (!before || !after) return std::nullopt;
  IkeRekeyed rekeyed{outer->first, number<std::uint64_t>(*before, "uniqueid", 10),
                     number<std::uint64_t>(*after, "uniqueid", 10)};
  if (rekeyed.old_uniqueid == 0 || rekeyed.uniqueid == 0) return std::nullopt;
  return rekeyed;
}

std::optional<ChildRekeyed> read_child_rekey(const Section& message, std::uint32_t reqid) {
  const auto* outer = wrapped(message);
  if (!outer) return std::nullopt;
  const auto& section = std::get<Section>(outer->second);
  const auto* children = section.section("child-sas");
  if (!children) return std::nullopt;
  for (const auto& [key, value] : children->entries()) {
    const auto* child = std::get_if<Section>(&value);
    const auto* after = child ? child->section("new") : nullptr;
    if (!after || number<std::uint32_t>(*after, "reqid", 10) != reqid) continue;
    ChildRekeyed rekeyed{number<std::uint64_t>(section, "uniqueid", 10), number<std::uint32_t>(*after, "spi-in", 16),
                         number<std::uint32_t>(*after, "spi-out", 16)};
    if (rekeyed.ike_uniqueid == 0 || rekeyed.spi_in == 0 || rekeyed.spi_out == 0) return std::nullopt;
    return rekeyed;
  }
  return std::nullopt;
}

std::optional<std::string> refusal(const Response& response) {
  if (response.message.text_or("success", "yes") == "yes") return std::nullopt;
  return response.message.text_or("errmsg", "no reason given");
}

Trouble trouble_of(const mip6::Error& why) {
  if (why.os_error == EACCES || why.os_error == EPERM) {
    return {fmt::format("charon's socket {} may not be opened: permission denied", why.on), why.remedy};
  }
  return {fmt::format("charon is not reachable: {}", why.reason.empty() ? why.to_string() : why.reason),
          why.remedy.empty() ? "start strongSwan: systemctl start strongswan" : why.remedy};
}

bool same_identity(const std::string& one, const std::string& other) {
  if (one == other) return true;
  const auto first = mip6::Ipv6Address::parse(one);
  return first && first == mip6::Ipv6Address::parse(other);
}

}  // namespace ike
