// How keys are negotiated: the version of IKE, the algorithms offered and accepted, and which of them this house
// refuses. No I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "ike-glue/shared_texts.hpp"
#include "libmip6/error.hpp"

namespace ike {

enum class IkeVersion { kV1, kV2 };

struct Method {
  IkeVersion version = IkeVersion::kV2;
  SharedTexts ike_proposals;  // in the words of swanctl.conf(5), most wanted first
  SharedTexts esp_proposals;
  SharedTexts signature_hashes;  // of the peer's certificates and of IKE's signatures
};
Method default_method(IkeVersion version);
std::string_view name_of(IkeVersion version);  // "ikev2", as in the configuration

enum class ProposalUse { kIke, kEsp };
// From proposals with blanks between them: "aes128-sha256-x25519 aes256gcm16-prfsha384-ecp384". `aggressive`: with a
// secret in IKEv1. What is weak (DES, 3DES, MD5, groups below 2048 bits, no integrity, null, ...), unknown or does not
// go with that version of IKE is an error with reason and remedy.
tl::expected<std::vector<std::string>, mip6::Error> parse_proposals(std::string_view text, ProposalUse use,
                                                                    IkeVersion version, bool aggressive);
tl::expected<std::vector<std::string>, mip6::Error> parse_signature_hashes(std::string_view text);

// IKEv1 with a secret is aggressive mode, and that wants this line in the configuration of both ends.
inline constexpr std::string_view kConsentKey = "aggressive-mode-exposes-secret-to-guessing";
inline constexpr std::string_view kConsentValue = "accepted";
struct SecretRisk {  // for status, as long as it is so
  std::string_view what;
  std::string_view remedy;
};
inline constexpr SecretRisk kAggressiveRisk{
    "IKEv1 in aggressive mode: whoever poses as the peer or listens can guess the secret offline, and sees who we are",
    "use 'keying = ikev2', or certificates"};
// What to tell whoever chose this secret, if it is too short to be a good one: reason and remedy, nothing of it.
std::optional<mip6::Error> objection_to_secret(std::string_view secret);
// An error if this version of IKE is not to be used with this secret; empty `secret`: certificates.
std::optional<mip6::Error> check_method(IkeVersion version, const std::optional<std::string>& secret, bool consent);

}  // namespace ike
