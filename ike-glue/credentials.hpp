// How a node and its home agent prove to each other who they are: a pre-shared key or certificates. No I/O.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <variant>
#include <vector>

#include "ike-glue/method.hpp"
#include "libmip6/error.hpp"

namespace ike {

struct PreSharedKey {
  std::string secret;  // never in a log
};

struct Certificate {                     // each text is one complete PEM block
  std::string private_key;               // never in a log
  std::string own;                       // names our identity as subjectAltName
  std::vector<std::string> authorities;  // intermediates, which the peer is sent, and the root
  std::string root;                      // subject of the root, DER in hex: the peer's certificate must come from it
  std::vector<std::string> revocation_lists = {};  // CRLs of the CAs
  std::int64_t valid_from = 0;                     // of our own, seconds since 1970; 0: not known
  std::int64_t valid_until = 0;
  // subjectAltNames of our own: addresses as RFC 5952 writes them, DNS names and mail addresses in small letters
  std::vector<std::string> names = {};
};

// Ours is the same for all nodes of a home agent: copies share it.
class SharedCertificate {
 public:
  SharedCertificate(Certificate certificate)  // stands for it
      : certificate_{std::make_shared<const Certificate>(std::move(certificate))} {}
  const Certificate& operator*() const { return *certificate_; }
  const Certificate* operator->() const { return certificate_.get(); }

 private:
  std::shared_ptr<const Certificate> certificate_;
};

using Proof = std::variant<PreSharedKey, SharedCertificate>;
// nullptr: it is a secret.
inline const Certificate* certificate_of(const Proof& proof) {
  const auto* shared = std::get_if<SharedCertificate>(&proof);
  return shared == nullptr ? nullptr : &**shared;
}

struct Credentials {
  std::string local_identity;
  std::string remote_identity;
  Proof proof;
  Method method = default_method(IkeVersion::kV2);
  std::string remote_certificate = {};  // PEM: no other one of the peer's is taken; empty: any of the root's
};

// Whether our own certificate names this identity, as charon compares the two; empty: that is for charon to say, as it
// is of a distinguished name, or of one with its type in front ("keyid:...").
std::optional<bool> names_identity(const Certificate& certificate, std::string_view identity);
// What to tell its owner where it does not: reason and remedy.
std::optional<mip6::Error> objection_to_name(const Certificate& certificate, std::string_view identity);

// From one PEM bundle: our private key (PKCS#8 or traditional, not encrypted), our certificate before all other
// certificates, then CA certificates, exactly one of which is a root (issued by itself), and CRLs. Text between blocks
// is skipped. Signatures and validity are charon's to check. The error has reason and remedy for the file's owner, and
// nothing of the key; `on` is left to the caller.
tl::expected<Certificate, mip6::Error> parse_certificate(std::string_view bundle);

}  // namespace ike
