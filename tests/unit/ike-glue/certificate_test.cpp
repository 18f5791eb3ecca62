// A bundle of private key and certificates: what is taken, and why one is refused.
#include "ike-glue/credentials.hpp"
#include "tests/catch.hpp"
#include "tests/unit/ike-glue/certificates.hpp"

using namespace test_certificates;

namespace {

// The reason why it is refused; empty if it is taken. A remedy must come with it, and nothing of the key.
std::string refused(const std::string& bundle) {
  const auto parsed = ike::parse_certificate(bundle);
  if (parsed) return {};
  CHECK_FALSE(parsed.error().remedy.empty());
  CHECK(parsed.error().to_string().find("bm90") == std::string::npos);
  return parsed.error().reason;
}

std::string without_last_newline(const std::string& text) { return text.substr(0, text.size() - 1); }

}  // namespace

TEST_CASE("a bundle gives key, own certificate, CA certificates and the root's name", "[certificate]") {
  const auto parsed = ike::parse_certificate(kBundle);
  REQUIRE(parsed);
  CHECK(parsed->private_key == without_last_newline(kKey));
  CHECK(parsed->own == without_last_newline(kNode));
  REQUIRE(parsed->authorities.size() == 2);
  CHECK(parsed->authorities[0] == without_last_newline(kIntermediate));
  CHECK(parsed->authorities[1] == without_last_newline(kRoot));
  CHECK(parsed->root == kRootSubject);
}

TEST_CASE("CRLs are kept as they are, and the validity of our own certificate is known", "[certificate]") {
  const std::string crl = "-----BEGIN X509 CRL-----\nbm90\n-----END X509 CRL-----\n";
  const auto parsed = ike::parse_certificate(kBundle + crl);
  REQUIRE(parsed);
  CHECK(parsed->revocation_lists == std::vector<std::string>{without_last_newline(crl)});
  CHECK(parsed->valid_from == 1795464648);  // 2026-11-23 20:10:48
  // 900307134232Z: years of two digits from 50 on are of the last century (RFC 5280 section 4.1.2.5.1)
  CHECK(parsed->valid_until == 636817352);
}

TEST_CASE("a certificate names identities as charon compares them", "[certificate]") {
  const auto parsed = ike::parse_certificate(kBundle);
  REQUIRE(parsed);
  CHECK(parsed->names == std::vector<std::string>{"2001:db8:1::42"});
  CHECK(ike::names_identity(*parsed, "2001:0DB8:1:0::42") == true);
  CHECK(ike::names_identity(*parsed, "2001:db8:1::43") == false);
  CHECK(ike::names_identity(*parsed, "laptop@example.org") == false);
  CHECK_FALSE(ike::objection_to_name(*parsed, "2001:0DB8:1:0::42"));
  const auto objection = ike::objection_to_name(*parsed, "2001:db8:1::43");
  REQUIRE(objection);
  CHECK(objection->reason.find("does not name 2001:db8:1::43") != std::string::npos);
  CHECK(objection->remedy.find("pki --issue --san 2001:db8:1::43") != std::string::npos);
  for (const char* left_to_charon : {"CN=n", "keyid:00aa", "@laptop", ""}) {
    INFO(left_to_charon);
    CHECK_FALSE(ike::names_identity(*parsed, left_to_charon));
    CHECK_FALSE(ike::objection_to_name(*parsed, left_to_charon));
  }
}

TEST_CASE("mail addresses and DNS names are names, whatever their letters; other kinds are skipped", "[certificate]") {
  const auto parsed = ike::parse_certificate(kKey + kNodeOfManyNames + kIntermediate + kRoot);
  REQUIRE(parsed);
  CHECK(parsed->names ==
        std::vector<std::string>{"laptop@example.org", "laptop.example.org", "192.0.2.1", "2001:db8:1::42"});
  CHECK(ike::names_identity(*parsed, "Laptop@Example.org") == true);
  CHECK(ike::names_identity(*parsed, "laptop.example.org") == true);
  CHECK(ike::names_identity(*parsed, "192.0.2.1") == true);
  CHECK(ike::names_identity(*parsed, "192.0.2.2") == false);
  const auto none = ike::parse_certificate(kKey + kIntermediate + kRoot);  // has extensions, and no names
  REQUIRE(none);
  CHECK(none->names.empty());
}

TEST_CASE("the key may stand anywhere, text between the blocks is skipped", "[certificate]") {
  const auto parsed = ike::parse_certificate("subject=CN = n\n" + kNode + "\n" + kRoot + "# the key\n" + kKey);
  REQUIRE(parsed);
  CHECK(parsed->own == without_last_newline(kNode));
  CHECK(parsed->authorities.size() == 1);
}

TEST_CASE("traditional keys are taken, with the curve that openssl writes before them", "[certificate]") {
  for (const std::string label : {"RSA PRIVATE KEY", "EC PRIVATE KEY"}) {
    const auto key = "-----BEGIN " + label + "-----\nbm90\n-----END " + label + "-----\n";
    CHECK(refused("-----BEGIN EC PARAMETERS-----\nBggq\n-----END EC PARAMETERS-----\n" + key + kNode + kRoot).empty());
  }
}

TEST_CASE("a bundle in which something is missing is refused with what it is", "[certificate]") {
  CHECK(refused("") == "has no private key");
  CHECK(refused("geheim") == "has no private key");
  CHECK(refused(kNode + kRoot) == "has no private key");
  CHECK(refused(kKey) == "has no certificate");
  CHECK(refused(kKey + kNode) == "has no CA certificate");
  CHECK(refused(kKey + kNode + kIntermediate) == "has no root certificate");
}

TEST_CASE("a bundle with too much or in the wrong order is refused", "[certificate]") {
  CHECK(refused(kKey + kBundle) == "has two private keys");
  CHECK(refused(kBundle + kRoot) == "has more than one root certificate");
  CHECK(refused(kKey + kRoot + kNode) == "its first certificate is a root, not our own");
  CHECK(refused(kBundle + "-----BEGIN PKCS7-----\nbm90\n-----END PKCS7-----\n") ==
        "has a block PKCS7, which is of no use here");
}

TEST_CASE("an encrypted key is refused in both forms", "[certificate]") {
  CHECK(refused("-----BEGIN ENCRYPTED PRIVATE KEY-----\nbm90\n-----END ENCRYPTED PRIVATE KEY-----\n" + kNode + kRoot) ==
        "the private key is encrypted");
  CHECK(refused("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nbm90\n"
                "-----END RSA PRIVATE KEY-----\n" +
                kNode + kRoot) == "the private key is encrypted");
}

TEST_CASE("a block that is cut short is refused, wherever it was cut", "[certificate]") {
  CHECK(refused(kKey.substr(0, 40) + kNode + kRoot) == "a block PRIVATE KEY has no end");
  CHECK(refused("-----BEGIN PRIVATE KEY\n") == "a line '-----BEGIN' does not end with '-----'");
  for (std::size_t size = 0; size < kBundle.size() - 1; ++size) CHECK_FALSE(refused(kBundle.substr(0, size)).empty());
}

TEST_CASE("a certificate that is none is refused, however much of its content is there", "[certificate]") {
  constexpr std::string_view kDashes = "-----\n";
  const auto begin = kNode.find(kDashes) + kDashes.size();
  const auto end = kNode.find("-----END");
  // up to the subject, without which it cannot be read; what follows is charon's to check
  for (std::size_t size = 0; size < 4 * (end - begin) / 10; size += 4) {
    const auto cut = kNode.substr(0, begin + size) + "\n" + kNode.substr(end);
    CHECK(refused(kKey + cut + kRoot) == "certificate 1 of the file cannot be read");
  }
  CHECK(refused(kKey + kNode + "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n") ==
        "certificate 2 of the file cannot be read");
}
