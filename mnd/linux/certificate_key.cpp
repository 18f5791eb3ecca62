// See certificate_key.hpp.
#include "mnd/linux/certificate_key.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace mnd::kernel {
namespace {

template <auto kFree>
struct Freed {
  void operator()(auto* object) const { kFree(object); }
};
using Source = std::unique_ptr<BIO, Freed<BIO_free_all>>;

Source source_of(std::string_view text) { return Source{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))}; }

// Otherwise OpenSSL asks at the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

tl::unexpected<mip6::Error> refused(std::string reason, std::string remedy) {
  ERR_clear_error();
  return tl::unexpected(
      mip6::Error{.tried = "read the certificate bundle", .reason = std::move(reason), .remedy = std::move(remedy)});
}

}  // namespace

tl::expected<void, mip6::Error> check_key_of(std::string_view certificate, std::string_view private_key) {
  const auto key_source = source_of(private_key);
  const std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>> key{
      PEM_read_bio_PrivateKey(key_source.get(), nullptr, no_passphrase, nullptr)};
  if (!key)
    return refused("its private key cannot be read", "copy it again, whole; 'openssl pkey -noout -in FILE' reads it");
  const auto source = source_of(certificate);
  const std::unique_ptr<X509, Freed<X509_free>> own{PEM_read_bio_X509(source.get(), nullptr, no_passphrase, nullptr)};
  if (!own) return refused("our certificate cannot be read", "copy it again; it is X.509 in PEM form");
  if (X509_check_private_key(own.get(), key.get()) != 1)
    return refused("its private key is not that of our certificate, the first one",
                   "put the key for which it was issued in its place, or have one issued for this key; the two belong "
                   "together where 'openssl pkey -pubout -in FILE' and 'openssl x509 -noout -pubkey -in FILE' say the "
                   "same");
  return {};
}

}  // namespace mnd::kernel
