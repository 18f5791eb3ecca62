// The configuration: what is taken, and that each mistake is told with line and remedy.
#include "examples/home-agent/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <regex>

#include "tests/catch.hpp"
#include "tests/unit/ike-glue/certificates.hpp"
#include "tests/unit/source_folder.hpp"
#include "tests/unit/temporary_folder.hpp"

namespace mip6ha {
namespace {

using mip6::Ipv6Address;
using mip6::Ipv6Prefix;

constexpr const char* kTop = "address = 2001:db8:1::1\ninterface = home\nprefix = 2001:db8:1::/64\n";

std::string node(const std::string& name, const std::string& address, const std::string& secret,
                 const std::string& more = "") {
  return fmt::format("[node {}]\nhome-address = {}\nsecret-file = {}\n{}", name, address, secret, more);
}

struct Checker {
  TemporaryFolder folder;
  std::string secret = folder.file("secret", "not told to anybody\n").string();

  tl::expected<Config, Mistakes> check(const std::string& text) const {
    return check_config(mnd::kernel::parse_config_content(text, "ha.conf"), "ha.conf");
  }
  // True if there is exactly one mistake, in that line, with both texts, and with a remedy.
  bool only_mistake(const std::string& text, int line, const std::string& what) const {
    const auto config = check(text);
    if (config || config.error().size() != 1) return false;
    const auto& mistake = config.error().front();
    INFO(mistake.to_string());
    CHECK(mistake.file == "ha.conf");
    CHECK(mistake.line == line);
    CHECK(mistake.what.find(what) != std::string::npos);
    CHECK_FALSE(mistake.remedy.empty());
    return true;
  }
};

TEST_CASE("three lines and a node are enough; the rest has defaults", "[ha-config]") {
  const Checker checker;
  const auto config = checker.check(kTop + node("laptop", "2001:db8:1::42", checker.secret));
  REQUIRE(config);
  CHECK(config->address == *Ipv6Address::parse("2001:db8:1::1"));
  CHECK(config->interface == "home");
  CHECK(config->prefix.length == 64);
  CHECK(config->identity == "2001:db8:1::1");
  CHECK(config->key_mobility);
  CHECK(config->lifetime == mip6::Lifetime{3600});
  CHECK(config->state_directory == "/var/lib/mip6-ha");
  REQUIRE(config->nodes.size() == 1);
  CHECK(config->nodes[0].name == "laptop");
  CHECK(config->nodes[0].identity == "2001:db8:1::42");
  CHECK(std::get<ike::PreSharedKey>(config->nodes[0].proof).secret == "not told to anybody");
}

TEST_CASE("every setting reaches its place", "[ha-config]") {
  const Checker checker;
  const auto config = checker.check(
      std::string{kTop} +
      "identity = ha@example.org\nkey-mobility = no\nlifetime = 420\nvici-socket = /run/v\ncontrol-socket = /run/c\n"
      "state-directory = /s\n" +
      node("laptop", "2001:db8:1::42", checker.secret, "identity = mn@example.org\n"));
  REQUIRE(config);
  CHECK(config->identity == "ha@example.org");
  CHECK_FALSE(config->key_mobility);
  CHECK(config->lifetime == mip6::Lifetime{420});
  CHECK(config->vici_socket == "/run/v");
  CHECK(config->control_socket == "/run/c");
  CHECK(config->state_directory == "/s");
  CHECK(config->nodes[0].identity == "mn@example.org");
}

TEST_CASE("a node's payload is protected as the top says, or as its own section does", "[ha-config]") {
  const Checker checker;
  const auto protects = [&](const std::string& top, const std::string& own) {
    return checker.check(kTop + top + node("laptop", "2001:db8:1::42", checker.secret, own))->nodes[0].protect_payload;
  };
  CHECK_FALSE(protects("", ""));
  CHECK(protects("protect = payload\n", ""));
  CHECK(protects("", "protect = payload\n"));
  CHECK_FALSE(protects("protect = payload\n", "protect = signalling\n"));
  const auto good_node = node("laptop", "2001:db8:1::42", checker.secret);
  CHECK(checker.only_mistake(std::string{kTop} + "protect = all\n" + good_node, 4, "neither payload"));
}

TEST_CASE("the home prefix is for ever, or as long as is said", "[ha-config]") {
  const Checker checker;
  const auto good_node = node("laptop", "2001:db8:1::42", checker.secret);
  CHECK_FALSE(checker.check(kTop + good_node)->prefix_lifetime);
  CHECK(checker.check(std::string{kTop} + "prefix-lifetime = 300\n" + good_node)->prefix_lifetime ==
        mip6::Lifetime{300});
  for (const char* bad : {"0", "4294967295", "for ever"})
    CHECK(checker.only_mistake(std::string{kTop} + "prefix-lifetime = " + bad + "\n" + good_node, 4, "lifetime"));
}

TEST_CASE("the intervals of prefix advertisements can be configured", "[ha-config]") {
  const Checker checker;
  const auto good_node = node("laptop", "2001:db8:1::42", checker.secret);
  const auto with = [&](const std::string& lines) { return std::string{kTop} + lines + good_node; };
  const auto usual = checker.check(with(""));
  REQUIRE(usual);
  CHECK(usual->min_prefix_interval == mip6::Lifetime{600});
  CHECK(usual->max_prefix_interval == mip6::Lifetime{86400});
  const auto other = checker.check(with("min-prefix-interval = 10\nmax-prefix-interval = 10\n"));
  REQUIRE(other);
  CHECK(other->min_prefix_interval == mip6::Lifetime{10});
  CHECK(other->max_prefix_interval == mip6::Lifetime{10});
  for (const char* name : {"min-prefix-interval", "max-prefix-interval"})
    for (const char* bad : {"3", "4233601", "a day"})
      CHECK(checker.only_mistake(with(fmt::format("{} = {}\n", name, bad)), 4, "interval"));
  CHECK(checker.only_mistake(with("min-prefix-interval = 86401\n"), 4, "no time between"));
  CHECK(checker.only_mistake(with("max-prefix-interval = 599\n"), 4, "no time between"));
}

TEST_CASE("other home agents: preference, discovery, and the prefix that comes next", "[ha-config]") {
  const Checker checker;
  const auto nodes = node("laptop", "2001:db8:1::42", checker.secret);
  const auto usual = checker.check(kTop + nodes);
  REQUIRE(usual);
  CHECK(usual->discovery);
  CHECK(usual->preference == 0);
  CHECK_FALSE(usual->next_prefix);
  const auto config = checker.check(kTop + std::string{"preference = 65535\ndiscovery = no\n"} +
                                    "next-prefix = 2001:db8:2::/64\n" + nodes);
  REQUIRE(config);
  CHECK_FALSE(config->discovery);
  CHECK(config->preference == 65535);
  CHECK(config->next_prefix == Ipv6Prefix::parse("2001:db8:2::/64"));
  CHECK(checker.only_mistake(kTop + std::string{"preference = 65536\n"} + nodes, 4, "is not a preference"));
  CHECK(checker.only_mistake(kTop + std::string{"discovery = maybe\n"} + nodes, 4, "is neither yes nor no"));
  CHECK(checker.only_mistake(kTop + std::string{"next-prefix = 2001:db8:1::/64\n"} + nodes, 4,
                             "is in the present prefix"));
}

TEST_CASE("a node has its home address in the present prefix or in the next one", "[ha-config]") {
  const Checker checker;
  const std::string top = kTop + std::string{"next-prefix = 2001:db8:2::/60\n"};
  const auto other = checker.folder.file("other", "another secret\n").string();
  const auto config =
      checker.check(top + node("laptop", "2001:db8:1::42", checker.secret) + node("phone", "2001:db8:2:f::43", other));
  REQUIRE(config);
  CHECK(config->prefix_of(config->nodes[0].home_address) == &config->prefix);
  CHECK(config->prefix_of(config->nodes[1].home_address) == &*config->next_prefix);
  CHECK(config->prefix_of(*Ipv6Address::parse("2001:db8:3::43")) == nullptr);
  CHECK(
      checker.only_mistake(kTop + node("phone", "2001:db8:2::43", other), 5, "is outside the prefix 2001:db8:1::/64"));
  CHECK(checker.only_mistake(top + node("phone", "2001:db8:2:10::43", other), 6,
                             "is outside the prefix 2001:db8:1::/64 and the next one 2001:db8:2::/60"));
  // Our own address is of the present one.
  CHECK(
      checker.only_mistake("address = 2001:db8:2::1\ninterface = home\nprefix = 2001:db8:1::/64\n"
                           "next-prefix = 2001:db8:2::/64\n" +
                               node("phone", "2001:db8:2::43", other),
                           1, "outside the prefix"));
  CHECK(
      checker.only_mistake(kTop + std::string{"next-prefix = 2001:db8::/32\n"} + node("phone", "2001:db8:1::43", other),
                           4, "has the present prefix in it"));
}

TEST_CASE("two nodes of two prefixes do not share a link-local address", "[ha-config]") {
  const Checker checker;
  const auto other = checker.folder.file("other", "another secret\n").string();
  const auto nodes = node("laptop", "2001:db8:1::42", checker.secret) + node("phone", "2001:db8:2::42", other);
  CHECK(checker.only_mistake(kTop + std::string{"next-prefix = 2001:db8:2::/64\n"} + nodes, 8,
                             "link-local address 'fe80::42' is already that of [node laptop] in line 5"));
}

TEST_CASE("a bad value is told with its line", "[ha-config]") {
  const Checker checker;
  const auto good_node = node("laptop", "2001:db8:1::42", checker.secret);
  CHECK(checker.only_mistake(std::string{kTop} + "lifetime = 3\n" + good_node, 4, "lifetime"));
  CHECK(checker.only_mistake(std::string{kTop} + "lifetime = 262144\n" + good_node, 4, "lifetime"));
  CHECK(checker.only_mistake(std::string{kTop} + "lifetime = 60s\n" + good_node, 4, "'60s'"));
  CHECK(checker.only_mistake(std::string{kTop} + "key-mobility = maybe\n" + good_node, 4, "maybe"));
  CHECK(checker.only_mistake(std::string{kTop} + "vici-socket = run/v\n" + good_node, 4, "absolute"));
  CHECK(checker.only_mistake(std::string{kTop} + "lifetme = 30\n" + good_node, 4, "lifetme"));
  CHECK(checker.only_mistake(std::string{kTop} + "identity = a b\n" + good_node, 4, "identity"));
  CHECK(checker.only_mistake("address = 2001:db8:2::1\ninterface = home\nprefix = 2001:db8:1::/64\n" + good_node, 1,
                             "outside the prefix"));
  CHECK(checker.only_mistake("address = fe80::1\ninterface = home\nprefix = 2001:db8:1::/64\n" + good_node, 1,
                             "global unicast"));
  CHECK(checker.only_mistake(
      "address = 2001:db8:1::1\ninterface = an-overlong-interface\nprefix = 2001:db8:1::/64\n" + good_node, 2,
      "interface name"));
  CHECK(checker.only_mistake(std::string{kTop} + good_node + "[nodes]\n", 7, "[nodes]"));
}

TEST_CASE("a missing setting and a file without nodes are told", "[ha-config]") {
  const Checker checker;
  CHECK(checker.only_mistake(kTop, 0, "no node"));
  CHECK(checker.only_mistake(
      "interface = home\nprefix = 2001:db8:1::/64\n" + node("laptop", "2001:db8:1::42", checker.secret), 0,
      "address is missing"));
  CHECK(checker.only_mistake(kTop + fmt::format("[node laptop]\nsecret-file = {}\n", checker.secret), 4,
                             "home-address is missing"));
}

TEST_CASE("a node's name, address and secret are checked", "[ha-config]") {
  const Checker checker;
  CHECK(checker.only_mistake(kTop + node("Lap_top", "2001:db8:1::42", checker.secret), 4, "Lap_top"));
  CHECK(checker.only_mistake(kTop + node(std::string(kMaxNodeName + 1, 'a'), "2001:db8:1::42", checker.secret), 4,
                             "name"));
  CHECK(checker.only_mistake(kTop + node("laptop", "2001:db8:2::42", checker.secret), 5, "outside the prefix"));
  CHECK(checker.only_mistake(kTop + node("laptop", "2001:db8:1::1", checker.secret), 5, "own address"));
  CHECK(checker.only_mistake(kTop + node("laptop", "2001:db8:1::42", "/no/such/file"), 6, "No such file"));
  const auto open_to_all = checker.folder.file("open", "x", 0644).string();
  CHECK(checker.only_mistake(kTop + node("laptop", "2001:db8:1::42", open_to_all), 6, "secret-file"));
  const auto empty = checker.folder.file("empty", "\n").string();
  CHECK(checker.only_mistake(kTop + node("laptop", "2001:db8:1::42", empty), 6, "empty"));
}

TEST_CASE("a secret of fewer than 16 characters is warned of with its node, and not shown", "[ha-config]") {
  const Checker checker;
  const auto bundle = checker.folder.file("ha.pem", test_certificates::kPairBundle).string();
  const auto keys = checker.folder.file("keys", *mnd::kernel::make_manual_keys()).string();
  const auto others =  // who have no such secret
      fmt::format("{}certificate = {}\n[node laptop]\nhome-address = 2001:db8:1::42\n", kTop, bundle) +
      fmt::format("[node desk]\nhome-address = 2001:db8:1::43\nmanual-keys = {}\n", keys);
  const auto warnings = [&](const std::string& secret) {
    const auto file = checker.folder.file("secret", secret).string();
    const auto config = checker.check(others + node("phone", "2001:db8:1::44", file));
    REQUIRE(config);
    CHECK(config->nodes.size() == 3);
    return config->warnings;
  };
  CHECK(warnings("sixteen letters.\n").empty());
  const auto told = warnings("fifteen letters\n");
  REQUIRE(told.size() == 1);
  CHECK(told[0].file == "ha.conf");
  CHECK(told[0].line == 12);
  CHECK(told[0].what.starts_with("node phone: the secret has fewer than 16 characters"));
  CHECK(told[0].remedy.find("mip6-ha rotate phone") != std::string::npos);
  CHECK(told[0].to_string().find("fifteen letters") == std::string::npos);
}

TEST_CASE("a node without secret proves itself by certificate, one with a secret by that", "[ha-config]") {
  const Checker checker;
  const auto bundle = checker.folder.file("ha.pem", test_certificates::kPairBundle).string();
  const auto config = checker.check(fmt::format("{}certificate = {}\n[node laptop]\nhome-address = 2001:db8:1::42\n{}",
                                                kTop, bundle, node("desk", "2001:db8:1::43", checker.secret)));
  REQUIRE(config);
  REQUIRE(config->nodes.size() == 2);
  CHECK(config->nodes[0].identity == "2001:db8:1::42");
  REQUIRE(ike::certificate_of(config->nodes[0].proof) != nullptr);
  CHECK(ike::certificate_of(config->nodes[0].proof)->own == (*config->certificate)->own);
  CHECK(std::holds_alternative<ike::PreSharedKey>(config->nodes[1].proof));
}

TEST_CASE("a node's own certificate is the only one that it is taken by", "[ha-config]") {
  const Checker checker;
  const auto bundle = checker.folder.file("ha.pem", test_certificates::kPairBundle).string();
  const auto with = [&](const std::string& file) {
    return fmt::format("{}certificate = {}\n[node laptop]\nhome-address = 2001:db8:1::42\ncertificate = {}\n", kTop,
                       bundle, file);
  };
  const auto config = checker.check(with(checker.folder.file("node.crt", test_certificates::kNode).string()));
  REQUIRE(config);
  CHECK(config->nodes[0].certificate == test_certificates::kNode);
  CHECK(checker.only_mistake(with("/no/such/file"), 7, "no certificate"));
  CHECK(checker.only_mistake(with("node.crt"), 7, "absolute"));
  CHECK(checker.only_mistake(with(bundle), 7, "no certificate"));
  CHECK(checker.only_mistake(kTop + node("laptop", "2001:db8:1::42", checker.secret, "certificate = /x\n"), 7,
                             "no such setting"));
}

TEST_CASE("for an unknown setting the one that is meant is named, and none that is refused there", "[ha-config]") {
  const Checker checker;
  const auto good_node = node("laptop", "2001:db8:1::42", checker.secret);
  const auto remedy = [&](const std::string& text) {
    const auto config = checker.check(text);
    REQUIRE_FALSE(config);
    REQUIRE(config.error().size() == 1);
    return config.error().front().remedy;
  };
  CHECK(remedy(std::string{kTop} + "lifetme = 30\n" + good_node) == "did you mean 'lifetime'?");
  CHECK(remedy(std::string{kTop} + "state_directory = /s\n" + good_node) == "did you mean 'state-directory'?");
  for (const char* unlike : {"group-secrets = x\n", "secret-fil = /s\n", "colour-of-the-box = red\n"})
    CHECK(remedy(std::string{kTop} + unlike + good_node) == "see mip6-ha(8) for the list of settings");
  CHECK(remedy(kTop + node("laptop", "2001:db8:1::42", checker.secret, "identiy = x\n")) == "did you mean 'identity'?");
}

TEST_CASE("who has no configuration is told how to get one", "[ha-config]") {
  const TemporaryFolder folder;
  const auto config = load_config(folder / "none.conf");
  REQUIRE_FALSE(config);
  REQUIRE(config.error().size() == 1);
  CHECK(config.error().front().remedy.find("mip6-ha init") != std::string::npos);
  CHECK(config.error().front().remedy.find("mnd.conf") == std::string::npos);
}

TEST_CASE("a node without secret and a faulty certificate are one mistake each", "[ha-config]") {
  using namespace test_certificates;
  const Checker checker;
  const std::string bare = "[node laptop]\nhome-address = 2001:db8:1::42\n";
  CHECK(checker.only_mistake(kTop + bare, 4, "secret-file is missing"));
  const auto with = [&](const std::string& file) { return fmt::format("{}certificate = {}\n{}", kTop, file, bare); };
  CHECK(checker.only_mistake(with("/no/such/file"), 4, "No such file"));
  CHECK(checker.only_mistake(with("ha.pem"), 4, "absolute"));
  CHECK(checker.only_mistake(with(checker.folder.file("cut.pem", kKey + kNode).string()), 4, "no CA certificate"));
  CHECK(checker.only_mistake(with(checker.folder.file("other.pem", kPairKey + kNode + kPairRoot).string()), 4,
                             "its private key is not that of our certificate"));
  const auto open = checker.folder.file("open.pem", kBundle, 0644).string();
  CHECK(checker.only_mistake(with(open), 4, "lets others at it"));
}

TEST_CASE("keying and proposals come from the node's section, else from the top", "[ha-config]") {
  const Checker checker;
  const auto another = checker.folder.file("another", "another secret\n").string();
  const auto config = checker.check(std::string{kTop} + "esp-proposals = aes256gcm16\nsignature-hash = sha512\n" +
                                    node("one", "2001:db8:1::42", checker.secret, "esp-proposals = aes128-sha256\n") +
                                    node("two", "2001:db8:1::43", another, "ike-proposals = aes256-sha384-ecp384\n"));
  REQUIRE(config);
  CHECK(config->nodes[0].method.esp_proposals == std::vector<std::string>{"aes128-sha256"});
  CHECK(config->nodes[1].method.esp_proposals == std::vector<std::string>{"aes256gcm16"});
  CHECK(config->nodes[1].method.ike_proposals == std::vector<std::string>{"aes256-sha384-ecp384"});
  CHECK(config->nodes[1].method.signature_hashes == std::vector<std::string>{"sha512"});
  CHECK(checker.only_mistake(kTop + node("one", "2001:db8:1::42", checker.secret, "esp-proposals = null-sha256\n"), 7,
                             "does not encrypt"));
  // told once, though it is wrong for both
  CHECK(checker.only_mistake(std::string{kTop} + "ike-proposals = aes128-md5-ecp256\n" +
                                 node("one", "2001:db8:1::42", checker.secret) + node("two", "2001:db8:1::43", another),
                             4, "MD5"));
}

TEST_CASE("IKEv1 with a secret needs each node's own consent", "[ha-config]") {
  const Checker checker;
  const auto secret = checker.folder.file("long", "a secret of 24 characters\n").string();
  const std::string consent = std::string{ike::kConsentKey} + " = accepted\n";
  const auto config =
      checker.check(std::string{kTop} + "keying = ikev1\n" + node("one", "2001:db8:1::42", secret, consent));
  REQUIRE(config);
  CHECK(config->nodes[0].method.version == ike::IkeVersion::kV1);
  CHECK(checker.only_mistake(kTop + node("one", "2001:db8:1::42", secret, "keying = ikev1\n"), 7, "main mode"));
  CHECK(checker.only_mistake(std::string{kTop} + "keying = ikev1\n" + node("one", "2001:db8:1::42", secret), 4,
                             "main mode"));
  CHECK(checker.only_mistake(kTop + node("one", "2001:db8:1::42", secret, consent), 7, "only with keying = ikev1"));
  CHECK(checker.only_mistake(
      std::string{kTop} + consent + node("one", "2001:db8:1::42", secret, "keying = ikev1\n" + consent), 4,
      "all nodes at once"));
  CHECK(checker.only_mistake(kTop + node("one", "2001:db8:1::42", secret, "keying = psk\n"), 7, "no keying method"));
}

TEST_CASE("a secret for all nodes is refused with the reason", "[ha-config]") {
  const Checker checker;
  CHECK(checker.only_mistake(std::string{kTop} + "secret-file = /x\n" + node("one", "2001:db8:1::42", checker.secret),
                             4, "any of them could pose as another"));
}

TEST_CASE("two nodes share neither name nor home address nor identity", "[ha-config]") {
  const Checker checker;
  const auto another = checker.folder.file("another", "another secret\n").string();
  const auto first = kTop + node("one", "2001:db8:1::42", checker.secret, "identity = mn@example.org\n");
  CHECK(checker.only_mistake(first + node("one", "2001:db8:1::43", another), 8, "name 'one'"));
  CHECK(checker.only_mistake(first + node("two", "2001:db8:1:0::42", another), 8, "home address"));
  CHECK(checker.only_mistake(first + node("two", "2001:db8:1::43", another, "identity = mn@example.org\n"), 8,
                             "identity"));
}

TEST_CASE("two nodes with one secret are refused, in one file or two, and the secret is not told", "[ha-config]") {
  const Checker checker;
  auto second_file = checker.secret;
  SECTION("in one file") {}
  SECTION("in two files") { second_file = checker.folder.file("copy", "not told to anybody").string(); }
  const auto text = kTop + node("one", "2001:db8:1::42", checker.secret) + node("two", "2001:db8:1::43", second_file);
  REQUIRE(checker.only_mistake(text, 9, "[node two]"));
  const auto told = checker.check(text).error().front().to_string();
  CHECK(told.find("[node one]") != std::string::npos);
  CHECK(told.find("not told") == std::string::npos);
}

TEST_CASE("a node with manual keys has neither identity nor secret", "[ha-config]") {
  const Checker checker;
  const auto keys = checker.folder.file("keys", *mnd::kernel::make_manual_keys()).string();
  const auto open = checker.folder.file("open", *mnd::kernel::make_manual_keys(), 0644).string();
  const auto section = [](const std::string& name, const std::string& address, const std::string& file) {
    return fmt::format("[node {}]\nhome-address = {}\nmanual-keys = {}\n", name, address, file);
  };
  const auto config = checker.check(kTop + section("one", "2001:db8:1::42", keys));
  REQUIRE(config);
  REQUIRE(config->nodes.front().manual_keys);
  CHECK(config->nodes.front().manual_keys->to_node.spi >= 256);

  CHECK(checker.only_mistake(kTop + section("one", "2001:db8:1::42", keys) + "secret-file = " + checker.secret + "\n",
                             7, "is not used with manual-keys"));
  CHECK(checker.only_mistake(kTop + section("one", "2001:db8:1::42", keys) + "keying = ikev1\n", 7,
                             "is not used with manual-keys"));
  CHECK(checker.check(std::string{kTop} + "keying = ikev1\n" + section("one", "2001:db8:1::42", keys)));  // of others
  CHECK(checker.only_mistake(kTop + section("one", "2001:db8:1::42", keys) + section("two", "2001:db8:1::43", keys), 9,
                             "manual-keys: [node two] has a key of [node one] in line 4"));
  const auto with_spi = [](std::string_view spi) {  // towards the home agent, in fresh keys
    return std::regex_replace(*mnd::kernel::make_manual_keys(), std::regex{"spi *= *\\S+"},
                              fmt::format("spi = {}", spi), std::regex_constants::format_first_only);
  };
  const auto first = checker.folder.file("first", with_spi("0x1000")).string();
  const auto same = checker.folder.file("same", with_spi("0x1000")).string();
  CHECK(checker.only_mistake(
      kTop + section("one", "2001:db8:1::42", first) + section("two", "2001:db8:1::43", same), 9,
      "manual-keys: [node two] has the SPI 0x1000 towards the home agent, as [node one] in line 4"));
  const auto refused = checker.check(kTop + section("one", "2001:db8:1::42", open));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().front().what == "mode 0644 lets others at it");
  // Nodes whose keys cannot be read have no identity in common.
  CHECK(checker.check(kTop + section("one", "2001:db8:1::42", open) + section("two", "2001:db8:1::43", open))
            .error()
            .size() == 2);
}

TEST_CASE("payload cannot be protected with manual keys", "[ha-config]") {
  const Checker checker;
  const auto keys = checker.folder.file("keys", *mnd::kernel::make_manual_keys()).string();
  const auto section = fmt::format("[node one]\nhome-address = 2001:db8:1::42\nmanual-keys = {}\n", keys);
  const auto own = kTop + section + "protect = payload\n";
  CHECK(checker.only_mistake(own, 7, "protect: manual keys protect the Mobility Header only"));
  const auto inherited = std::string{kTop} + "protect = payload\n" + section;
  CHECK(checker.only_mistake(inherited, 7, "manual-keys: manual keys protect the Mobility Header only"));
  const auto exempt = checker.check(inherited + "protect = signalling\n");
  REQUIRE(exempt);
  CHECK_FALSE(exempt->nodes[0].protect_payload);
}

TEST_CASE("a node does not have the home agent's identity", "[ha-config]") {
  const Checker checker;
  CHECK(checker.only_mistake(kTop + node("one", "2001:db8:1::42", checker.secret, "identity = 2001:db8:1::1\n"), 4,
                             "home agent's own"));
}

TEST_CASE("all mistakes are told at once, and none tells a secret", "[ha-config]") {
  const Checker checker;
  const auto config = checker.check("address = x\nlifetime = 0\n" + node("A", "y", checker.secret) + "colour = red\n");
  REQUIRE_FALSE(config);
  std::vector<int> lines;
  for (const auto& mistake : config.error()) {
    lines.push_back(mistake.line);
    CHECK(mistake.to_string().find("not told") == std::string::npos);
  }
  std::sort(lines.begin(), lines.end());
  CHECK(lines == std::vector<int>{0, 0, 1, 2, 3, 4, 6});
}

TEST_CASE("a line that cannot be read does not hide the other mistakes", "[ha-config]") {
  const Checker checker;
  const auto config =
      checker.check(std::string{kTop} + "nonsense\nlifetime = 1\n" + node("laptop", "2001:db8:1::42", checker.secret));
  REQUIRE_FALSE(config);
  std::vector<int> lines;
  for (const auto& mistake : config.error()) lines.push_back(mistake.line);
  CHECK(lines == std::vector<int>{4, 5});
}

TEST_CASE("a file that is not there is one mistake", "[ha-config]") {
  const auto config = load_config("/no/such/file");
  REQUIRE_FALSE(config);
  CHECK(config.error().size() == 1);
}

TEST_CASE("the example configuration has no other mistake than its missing secrets", "[ha-config]") {
  const auto config = load_config(source_folder() / "examples/home-agent/mip6-ha.conf");
  REQUIRE_FALSE(config);
  for (const auto& mistake : config.error()) {
    INFO(mistake.to_string());
    CHECK(mistake.what.find("secret-file") == 0);
  }
}

}  // namespace
}  // namespace mip6ha
