// charon's log lines at level 1 (strongSwan 5.9 and 6.0), and the words made of them.
#include "ike-glue/reasons.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <utility>

namespace ike {
namespace {

// The first that a line contains counts.
constexpr std::array kLines{
    // what the peer answers: IKEv2 says "notify error", IKEv1 "error notify"
    std::pair{std::string_view{"received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built"}, Reason::kChildProposal},
    std::pair{std::string_view{"received NO_PROPOSAL_CHOSEN"}, Reason::kProposal},
    std::pair{std::string_view{"received AUTHENTICATION_FAILED"}, Reason::kRefused},
    std::pair{std::string_view{"received INVALID_HASH_INFORMATION"}, Reason::kRefused},
    std::pair{std::string_view{"received TS_UNACCEPTABLE"}, Reason::kHomeAddress},
    std::pair{std::string_view{"received INVALID_ID_INFORMATION"}, Reason::kHomeAddress},
    std::pair{std::string_view{"peer not responding"}, Reason::kSilent},
    // what this end finds
    std::pair{std::string_view{"received proposals unacceptable"}, Reason::kProposal},
    std::pair{std::string_view{"no IKE config found for"}, Reason::kProposal},
    std::pair{std::string_view{"no proposal found"}, Reason::kProposal},
    std::pair{std::string_view{"no matching proposal found, sending"}, Reason::kChildProposal},
    std::pair{std::string_view{"no acceptable proposal found"}, Reason::kChildProposal},
    std::pair{std::string_view{"Aggressive Mode PSK disabled"}, Reason::kAggressive},
    std::pair{std::string_view{", but none allows "}, Reason::kMode},
    std::pair{std::string_view{"no matching peer config found"}, Reason::kIdentity},
    std::pair{std::string_view{"no peer config found"}, Reason::kIdentity},
    std::pair{std::string_view{"IDir '"}, Reason::kIdentity},
    std::pair{std::string_view{"constraint check failed: identity"}, Reason::kIdentity},
    std::pair{std::string_view{"MAC mismatched"}, Reason::kSecret},
    std::pair{std::string_view{"calculated HASH does not match"}, Reason::kSecret},
    std::pair{std::string_view{"no shared key found for"}, Reason::kNoSecret},
    std::pair{std::string_view{"no private key found for"}, Reason::kNoKey},
    std::pair{std::string_view{" private key found for"}, Reason::kNoKey},  // IKEv1 names its kind
    std::pair{std::string_view{"certificate was revoked on"}, Reason::kRevoked},
    std::pair{std::string_view{"signature scheme"}, Reason::kWeakSignature},
    std::pair{std::string_view{"no common hash algorithm found"}, Reason::kWeakSignature},
    std::pair{std::string_view{"no issuer certificate found for"}, Reason::kNotTrusted},
    std::pair{std::string_view{"no trusted "}, Reason::kNotTrusted},
    std::pair{std::string_view{"peer not authenticated by"}, Reason::kNotTrusted},
    std::pair{std::string_view{"constraint requires "}, Reason::kMode},
    std::pair{std::string_view{"traffic selectors "}, Reason::kHomeAddress},
    std::pair{std::string_view{"no matching CHILD_SA config found"}, Reason::kHomeAddress},
};

// "Nov 26 01:00:00 2026", in local time, as charon writes it.
std::optional<std::time_t> read_time(std::string_view text) {
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  std::array<char, 4> month{};
  std::tm time{};
  const std::string terminated{text};
  if (std::sscanf(terminated.c_str(), "%3s %2d %2d:%2d:%2d %4d", month.data(), &time.tm_mday, &time.tm_hour,
                  &time.tm_min, &time.tm_sec, &time.tm_year) != 6)
    return std::nullopt;
  const auto at = kMonths.find(month.data());
  if (at == std::string_view::npos || at % 3 != 0) return std::nullopt;
  time.tm_mon = static_cast<int>(at / 3);
  time.tm_year -= 1900;
  time.tm_isdst = -1;
  const auto seconds = std::mktime(&time);
  return seconds == std::time_t{-1} ? std::nullopt : std::optional{seconds};
}

// "subject certificate invalid (valid from Nov 26 01:00:00 2026 to Nov 27 01:00:00 2026)"
std::optional<Reason> read_validity(std::string_view line, std::int64_t unix_time) {
  constexpr std::string_view kInvalid = "certificate invalid (valid from ";
  const auto begin = line.find(kInvalid);
  if (begin == std::string_view::npos) return std::nullopt;
  const auto dates = line.substr(begin + kInvalid.size());
  const auto middle = dates.find(" to ");
  if (unix_time == 0 || middle == std::string_view::npos) return Reason::kNotValidNow;
  const auto from = read_time(dates.substr(0, middle));
  const auto to = read_time(dates.substr(middle + 4));
  if (to && *to < unix_time) return Reason::kExpired;
  if (from && *from > unix_time) return Reason::kNotYetValid;
  return Reason::kNotValidNow;
}

constexpr const char* kShowDates = "'openssl x509 -noout -dates' shows its dates";

// Of either end; `whose` in front: "the certificate of home agent 2001:db8:1::1".
std::optional<Trouble> words_on_certificates(Reason reason, const std::string& whose) {
  switch (reason) {
    case Reason::kExpired:
      return Trouble{fmt::format("{}, or of a CA above it, has expired", whose),
                     fmt::format("renew it, or check the clock here; {}", kShowDates)};
    case Reason::kNotYetValid:
      return Trouble{fmt::format("{}, or of a CA above it, is not valid yet", whose),
                     fmt::format("check the clock here, and that of the CA; {}", kShowDates)};
    case Reason::kNotValidNow:
      return Trouble{fmt::format("{}, or of a CA above it, has expired or is not valid yet", whose),
                     fmt::format("check the clock, and renew the certificate; {}", kShowDates)};
    case Reason::kRevoked:
      return Trouble{fmt::format("{} was revoked by its CA", whose),
                     "have the CA issue another; 'swanctl --list-certs --type x509_crl' shows what was revoked"};
    case Reason::kWeakSignature:
      return Trouble{
          fmt::format("{}, or its signature in IKE, is made with a hash that signature-hash does not allow", whose),
          "issue the certificates with SHA-256 or better, or allow the hash in use"};
    default:
      return std::nullopt;
  }
}

bool by_certificate(const Credentials& credentials) { return certificate_of(credentials.proof) != nullptr; }

std::string algorithms(const std::vector<std::string>& proposals) {
  return fmt::format("{}", fmt::join(proposals, " "));
}

// Whether the certificate with which we prove ourselves is the reason.
std::optional<Trouble> own_certificate(const Credentials& credentials, std::int64_t unix_time) {
  const auto* certificate = certificate_of(credentials.proof);
  if (certificate == nullptr || certificate->valid_until == 0 || unix_time == 0) return std::nullopt;
  if (unix_time > certificate->valid_until) return words_on_certificates(Reason::kExpired, "our certificate");
  if (unix_time < certificate->valid_from) return words_on_certificates(Reason::kNotYetValid, "our certificate");
  return std::nullopt;
}

Trouble refused_words(const NodeSide& side) {
  const auto& [agent, home_address, credentials, unix_time] = side;
  if (auto words = own_certificate(credentials, unix_time)) return *words;
  if (!by_certificate(credentials)) {
    Trouble words{fmt::format("authentication between {} and home agent {} failed: wrong secret or identity",
                              credentials.local_identity, agent),
                  "check identity and secret here and at the home agent"};
    if (credentials.method.version == IkeVersion::kV1)
      words.remedy +=
          "; its charon must allow aggressive mode with a secret "
          "(charon.i_dont_care_about_security_and_use_aggressive_mode_psk = yes in its strongswan.conf)";
    return words;
  }
  return {fmt::format("authentication between {} and home agent {} failed: wrong certificate or identity",
                      credentials.local_identity, agent),
          fmt::format("check that our certificate names {} as subjectAltName, is valid and not revoked, that the home "
                      "agent knows this identity, and that both have the root of the other's certificate",
                      credentials.local_identity)};
}

}  // namespace

std::optional<Reason> read_reason(std::string_view line, std::int64_t unix_time) {
  if (const auto validity = read_validity(line, unix_time)) return validity;
  for (const auto& [words, reason] : kLines)
    if (line.find(words) != std::string_view::npos) return reason;
  return std::nullopt;
}

std::string in_charons_words(std::string_view line) {
  constexpr std::size_t kMost = 160;  // a name in it may be of any length
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  return fmt::format(" (charon: {}{})", line.substr(0, kMost), line.size() > kMost ? "..." : "");
}

Trouble words_at_node(Reason reason, const NodeSide& side) {
  const auto& [agent, home_address, credentials, unix_time] = side;
  const auto& identity = credentials.local_identity;
  const auto& peer = credentials.remote_identity;
  const auto& method = credentials.method;
  if (auto words = words_on_certificates(reason, fmt::format("the certificate of home agent {}", agent))) return *words;
  switch (reason) {
    case Reason::kHomeAddress:
      return {fmt::format("home agent {} does not have home address {} for {}", agent, home_address, identity),
              "check home-address here, and the node's entry at the home agent"};
    case Reason::kProposal:
      // charon answers so, too, while it has no connection at all for the pair of addresses.
      return {fmt::format("home agent {} has no connection for us, or accepts none of our proposals for IKE", agent),
              fmt::format("check that mip6-ha is running there with the same keying; it must accept one of '{}' "
                          "(ike-proposals)",
                          algorithms(method.ike_proposals))};
    case Reason::kChildProposal:
      return {fmt::format("home agent {} accepts none of our proposals for ESP", agent),
              fmt::format("it must accept one of '{}' (esp-proposals)", algorithms(method.esp_proposals))};
    case Reason::kNoSecret:
      return {fmt::format("charon has no shared secret for {} and {}", identity, peer),
              "it is loaded again with the next attempt; check that nothing else clears charon's credentials"};
    case Reason::kNoKey:
      return {fmt::format("charon has no private key for {}", identity),
              "check that private key and certificate belong together; they are loaded again with the next attempt"};
    case Reason::kNotTrusted:
      return {fmt::format("the certificate of home agent {} is not trusted", agent),
              fmt::format("check that our bundle has the root it comes from, and that it names {} as subjectAltName",
                          peer)};
    case Reason::kIdentity:
      return {fmt::format("home agent {} does not prove to be {}", agent, peer),
              "set home-agent-identity to the name that the home agent gives itself"};
    case Reason::kMode:
      return {fmt::format("home agent {} proves itself in another way than we asked for", agent),
              "check that both have keying and secret-file or certificate alike"};
    case Reason::kSecret:
      return {fmt::format("authentication between {} and home agent {} failed: wrong secret", identity, agent),
              "check that the secret is the same here and at the home agent"};
    case Reason::kSilent:
      return {fmt::format("home agent {} does not answer IKE", agent),
              "check its address, that it is running, and that UDP ports 500 and 4500 are open on the way"};
    default:
      return refused_words(side);
  }
}

Trouble words_at_agent(Reason reason, const AgentSide& side) {
  const auto& [peer, from, credentials] = side;
  const auto who = fmt::format("{} from {}", peer, from);
  if (auto words = words_on_certificates(reason, fmt::format("the certificate of {}", who))) return *words;
  switch (reason) {
    case Reason::kProposal:
      return {fmt::format("{}: no proposal for IKE in common, or another keying", who),
              "give both the same keying and ike-proposals"};
    case Reason::kChildProposal:
      return {fmt::format("{}: no proposal for ESP in common", who), "give both the same esp-proposals"};
    case Reason::kIdentity:
      return {fmt::format("{}: no node with this identity and keying, or it calls us by another name", who),
              "check identity and keying in the node's section, and home-agent-identity at the node"};
    case Reason::kMode:
      return {fmt::format("{}: its way to prove itself is not that of its section", who),
              "check that both have keying and secret-file or certificate alike"};
    case Reason::kAggressive:
      return {fmt::format("{}: charon refuses aggressive mode with a secret", who),
              "set charon.i_dont_care_about_security_and_use_aggressive_mode_psk = yes in strongswan.conf and restart "
              "charon, or use ikev2 or certificates"};
    case Reason::kNoSecret:
    case Reason::kNoKey:
      return {fmt::format("{}: charon has nothing to prove ourselves with", who),
              "it is loaded again; check that nothing else clears charon's credentials"};
    case Reason::kHomeAddress:
      return {fmt::format("{} asked for a home address that is not its own", who),
              "check home-address in the node's section and at the node"};
    case Reason::kNotTrusted:
      return {fmt::format("the certificate of {} is not trusted", who),
              "check that it comes from the root in our bundle, and names its identity as subjectAltName"};
    case Reason::kSilent:
      return {fmt::format("{} went silent before it had keys", who), "check the way to it: UDP ports 500 and 4500"};
    default:
      break;
  }
  const bool certificate = credentials != nullptr && by_certificate(*credentials);
  return {fmt::format("authentication of {} failed", who),
          certificate
              ? "check that the node's certificate names this identity as subjectAltName and comes from the root "
                "in our bundle, and that it is valid"
              : "check that the secret is the same here and at the node"};
}

}  // namespace ike
