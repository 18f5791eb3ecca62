// Methods of keying: which proposals pass, and that every weak one is refused with its reason.
#include "ike-glue/method.hpp"

#include "ike-glue/charon.hpp"
#include "tests/catch.hpp"
#include "tests/unit/ike-glue/charon_double.hpp"

using namespace ike;

namespace {

std::string reason(std::string_view text, ProposalUse use, IkeVersion version = IkeVersion::kV2,
                   bool aggressive = false) {
  const auto parsed = parse_proposals(text, use, version, aggressive);
  if (parsed) return "none";
  CHECK_FALSE(parsed.error().remedy.empty());
  return parsed.error().reason;
}

bool has(const std::string& text, std::string_view part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
  return true;
}

Section loaded(IkeVersion version, Proof proof) {
  Credentials credentials{"mn@example.org", "ha@example.org", std::move(proof), default_method(version)};
  const Connection connection{.name = "c",
                              .local = "2001:db8:a1::7",
                              .remote = "2001:db8:1::1",
                              .children = {child_at_node(ChildKind::kMobility, ike_test::kHome, ike_test::kAgent)}};
  return *load_conn(connection, credentials).section("c");
}

}  // namespace

TEST_CASE("the defaults pass their own check", "[method]") {
  for (const auto version : {IkeVersion::kV1, IkeVersion::kV2}) {
    const auto method = default_method(version);
    for (const auto& one : method.ike_proposals) CHECK(reason(one, ProposalUse::kIke, version, true) == "none");
    for (const auto& one : method.esp_proposals) CHECK(reason(one, ProposalUse::kEsp, version) == "none");
    for (const auto& one : method.signature_hashes) CHECK(parse_signature_hashes(one));
  }
}

TEST_CASE("good proposals are taken in their order", "[method]") {
  const auto parsed = parse_proposals(" aes256gcm16-prfsha384-ecp384  aes128-sha256-modp2048 ", ProposalUse::kIke,
                                      IkeVersion::kV2, false);
  REQUIRE(parsed);
  CHECK(*parsed == std::vector<std::string>{"aes256gcm16-prfsha384-ecp384", "aes128-sha256-modp2048"});
  CHECK(reason("chacha20poly1305 aes128-sha256-esn aes256-sha512-x25519", ProposalUse::kEsp) == "none");
}

TEST_CASE("weak algorithms are refused with the reason", "[method]") {
  for (const auto& [text, part] : {std::pair{"des-sha256-ecp256", "56 bits"},
                                   {"3des-sha256-ecp256", "blocks of 64 bits"},
                                   {"blowfish128-sha256-ecp256", "blocks of 64 bits"},
                                   {"aes128-md5-ecp256", "MD5"},
                                   {"aes128gcm16-prfmd5-ecp256", "MD5"},
                                   {"aes128-sha256-modp1024", "less than 2048 bits"},
                                   {"aes128-sha256-modp1536", "less than 2048 bits"},
                                   {"aes128-sha256-modp1024s160", "less than 2048 bits"},
                                   {"aes128-sha256-modp2048s256", "trapdoor"},
                                   {"aes128-sha256-ecp192", "less than 256 bits"},
                                   {"aes128-sha256-none", "no key exchange"},
                                   {"null-sha256-ecp256", "does not encrypt"},
                                   {"aes128gcm8-prfsha256-ecp256", "less than 128 bits"},
                                   {"aes128-sha256-modp8192", "larger than every IPv6 link"}})
    CHECK(has(reason(text, ProposalUse::kIke), part));
  for (const auto& [text, part] : {std::pair{"aes128", "no integrity"},
                                   {"aes128ctr", "no integrity"},
                                   {"null-sha256", "does not encrypt"},
                                   {"aes128gmac", "does not encrypt"},
                                   {"3des-sha1", "blocks of 64 bits"},
                                   {"aes128-md5", "MD5"},
                                   {"aes128-sha256-modp1024", "less than 2048 bits"},
                                   {"aes256ccm64", "less than 128 bits"}})
    CHECK(has(reason(text, ProposalUse::kEsp), part));
}

TEST_CASE("one weak proposal among good ones is enough to be refused", "[method]") {
  CHECK(has(reason("aes128-sha256-ecp256 3des-sha1-modp2048", ProposalUse::kIke), "'3des'"));
}

TEST_CASE("proposals that charon would not understand are refused", "[method]") {
  for (const auto& [text, part] : {std::pair{"", "is empty"},
                                   {"default", "no algorithm"},
                                   {"aes128-sha256-ecp256,aes256-sha256-ecp256", "no algorithm"},
                                   {"aes128-sha256", "no key exchange"},
                                   {"sha256-ecp256", "no cipher"},
                                   {"aes128-ecp256", "no integrity"},
                                   {"aes128gcm16-ecp256", "how keys are derived"},
                                   {"aes128-aes128gcm16-sha256-ecp256", "mixes"},
                                   {"aes128-sha256-ecp256-esn", "esn is of ESP"},
                                   {"-", "no algorithm"}})
    CHECK(has(reason(text, ProposalUse::kIke), part));
  CHECK(has(reason("aes128-sha256-prfsha256", ProposalUse::kEsp), "ESP does not"));
  std::string many;
  for (int i = 0; i < 9; ++i) many += "aes128-sha256-ecp256 ";
  CHECK(has(reason(many, ProposalUse::kIke), "more than 8"));
}

TEST_CASE("what IKEv1 cannot express is refused for it alone", "[method]") {
  for (const auto& [text, part] : {std::pair{"aes128-aes256-sha256-ecp256", "a choice within"},
                                   {"aes128gcm16-prfsha256-ecp256", "a cipher that IKEv1 does not have"},
                                   {"aes128-sha256-x25519", "a group that IKEv1 does not have"},
                                   {"aes128-aesxcbc-modp2048", "derives keys in a way"}}) {
    CHECK(reason(text, ProposalUse::kIke, IkeVersion::kV2) == "none");
    CHECK(has(reason(text, ProposalUse::kIke, IkeVersion::kV1), part));
  }
  CHECK(reason("aes128gcm16", ProposalUse::kEsp, IkeVersion::kV1) == "none");
  CHECK(has(reason("chacha20poly1305", ProposalUse::kEsp, IkeVersion::kV1), "cipher that IKEv1"));
}

TEST_CASE("aggressive mode has one group for all proposals", "[method]") {
  const auto* two_groups = "aes128-sha256-modp2048 aes128-sha256-ecp256";
  CHECK(reason(two_groups, ProposalUse::kIke, IkeVersion::kV1, false) == "none");
  CHECK(has(reason(two_groups, ProposalUse::kIke, IkeVersion::kV1, true), "one group"));
}

TEST_CASE("signature hashes below SHA-256 are refused", "[method]") {
  CHECK(*parse_signature_hashes("sha384 sha512") == std::vector<std::string>{"sha384", "sha512"});
  for (const auto* weak : {"sha1", "md5", "sha224"}) {
    REQUIRE_FALSE(parse_signature_hashes(weak));
    CHECK(has(parse_signature_hashes(weak).error().reason, "too weak"));
  }
  CHECK_FALSE(parse_signature_hashes("sha256,sha512"));
  CHECK_FALSE(parse_signature_hashes(""));
}

TEST_CASE("a secret goes with IKEv1 by consent only, and a long one", "[method]") {
  const std::string secret = "a secret of 24 characters";
  CHECK_FALSE(check_method(IkeVersion::kV2, secret, false));
  CHECK_FALSE(check_method(IkeVersion::kV1, std::nullopt, false));
  CHECK_FALSE(check_method(IkeVersion::kV1, secret, true));
  const auto without = check_method(IkeVersion::kV1, secret, false);
  REQUIRE(without);
  CHECK(has(without->reason, "main mode would look for the secret by the node's address"));
  CHECK(has(without->remedy, std::string{kConsentKey} + " = accepted"));
  CHECK(has(check_method(IkeVersion::kV1, "short", true)->reason, "guessed"));
  CHECK(has(check_method(IkeVersion::kV2, secret, true)->remedy, "remove"));
  CHECK(has(check_method(IkeVersion::kV1, std::nullopt, true)->remedy, "remove"));
}

TEST_CASE("the connection says which version, mode and algorithms", "[method]") {
  const auto second = loaded(IkeVersion::kV2, PreSharedKey{"s"});
  CHECK(second.text_or("version", "") == "2");
  CHECK_FALSE(second.text("aggressive"));
  CHECK(second.text_or("fragmentation", "") == "yes");
  CHECK(*second.list("proposals") == Section::List{"aes128-aes256-sha256-x25519-ecp256"});
  CHECK(*second.section("children")->section("reg")->list("esp_proposals") ==
        Section::List{"aes128-sha256", "aes256-sha256"});
  const auto secret = loaded(IkeVersion::kV1, PreSharedKey{"s"});
  CHECK(secret.text_or("version", "") == "1");
  CHECK(secret.text_or("aggressive", "") == "yes");
  CHECK(secret.text_or("fragmentation", "") == "yes");
  const auto certificate = loaded(IkeVersion::kV1, Certificate{"key", "own", {"root"}, "30"});
  CHECK_FALSE(certificate.text("aggressive"));
  CHECK(certificate.section("local")->text_or("auth", "") == "pubkey-sha256-sha384-sha512-identity");
  CHECK(certificate.section("remote")->text_or("auth", "") == "pubkey-sha256-sha384-sha512-identity");
}
