#include "mnd/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>

#include "tests/catch.hpp"
#include "tests/unit/ike-glue/certificates.hpp"
#include "tests/unit/temporary_folder.hpp"

namespace {

constexpr std::string_view kFiveLines =
    "home-address = 2001:db8:1::42/64\n"
    "home-agent = 2001:db8:1::1\n"
    "identity = laptop@example.org\n"
    "secret-file = secret\n"
    "keying = ikev2\n";

// A folder with a secret and a configuration file.
struct Files {
  explicit Files(std::string_view text, std::string_view secret = "geheim\n", unsigned mode = 0640) {
    folder.file("secret", std::string{secret}, mode);
    path = folder.file("mnd.conf", std::string{text});
  }
  TemporaryFolder folder;
  std::filesystem::path path;
};

// The five lines with one of them (by its key) replaced by `line`.
std::string with(std::string_view key, std::string_view line) {
  std::string text{kFiveLines};
  const auto start = text.find(std::string{key} + " =");
  REQUIRE(start != std::string::npos);
  text.replace(start, text.find('\n', start) - start, line);
  return text;
}

std::vector<std::string> mistakes_of(const Files& files) {
  const auto config = mnd::load_config(files.path);
  std::vector<std::string> texts;
  if (config) return texts;
  for (const auto& mistake : config.error()) {
    CHECK_FALSE(mistake.remedy.empty());
    auto text = mistake.to_string();
    // without the folder's changing name
    for (auto at = text.find(files.folder.path().string()); at != std::string::npos;
         at = text.find(files.folder.path().string()))
      text.erase(at, files.folder.path().string().size() + 1);
    texts.push_back(std::move(text));
  }
  return texts;
}
std::vector<std::string> mistakes_of(const std::string& text) { return mistakes_of(Files{text}); }

// The one mistake of a text.
std::string mistake_of(const std::string& text) {
  const auto mistakes = mistakes_of(text);
  REQUIRE(mistakes.size() == 1);
  return mistakes.front();
}

bool begins(const std::string& text, std::string_view beginning) {
  INFO(text);
  CHECK(text.starts_with(beginning));
  return text.starts_with(beginning);
}

}  // namespace

TEST_CASE("five lines are enough") {
  const Files files{kFiveLines};
  const auto config = mnd::load_config(files.path);
  REQUIRE(config);
  CHECK(config->home_address.to_string() == "2001:db8:1::42");
  CHECK(config->home_prefix.length == 64);
  REQUIRE(config->home_agents.size() == 1);
  CHECK(config->home_agents[0].to_string() == "2001:db8:1::1");
  CHECK_FALSE(config->discover);
  CHECK(config->identity == "laptop@example.org");
  CHECK(mnd::identity_of(*config, config->home_agents[0]) == "2001:db8:1::1");
  CHECK(std::get<ike::PreSharedKey>(config->proof).secret == "geheim");
  CHECK(config->lifetime == mip6::Lifetime{420});
  CHECK(config->first_timeout == std::chrono::milliseconds{1500});
  CHECK(config->rekey == std::chrono::hours{1});
  CHECK(config->ike_rekey == std::chrono::hours{4});
  CHECK(config->control_socket == "/run/mnd/control.sock");
}

TEST_CASE("every setting is taken over, and a drop-in file wins") {
  const Files files{std::string{kFiveLines} +
                    "home-agent-identity = ha.example.org\nlifetime = 600\nfirst-timeout = 3000\nrekey = "
                    "600\nike-rekey = 1200\nprefer = eth* "
                    "wl?an0\nexclude = docker*\n"
                    "vici-socket = /run/charon.vici\ncontrol-socket = /run/c\nstate-directory = /var/lib/x\n"};
  files.folder.file("mnd.conf.d/lifetime.conf", "lifetime = 4\n");
  const auto config = mnd::load_config(files.path);
  REQUIRE(config);
  CHECK(mnd::identity_of(*config, config->home_agents[0]) == "ha.example.org");
  CHECK(config->lifetime == mip6::Lifetime{4});
  CHECK(config->first_timeout == std::chrono::milliseconds{3000});
  CHECK(config->rekey == std::chrono::seconds{600});
  CHECK(config->ike_rekey == std::chrono::seconds{1200});
  CHECK(config->preference == std::vector<mip6::InterfacePreference>{{"eth*", 2}, {"wl?an0", 1}});
  CHECK(config->exclude == std::vector<std::string>{"docker*"});
  CHECK(config->vici_socket == "/run/charon.vici");
  CHECK(config->control_socket == "/run/c");
  CHECK(config->state_directory == "/var/lib/x");
}

TEST_CASE("a home address without prefix length is in a prefix of 64 bits") {
  const Files files{with("home-address", "home-address = 2001:db8:1::42")};
  const auto config = mnd::load_config(files.path);
  REQUIRE(config);
  CHECK(config->home_prefix.length == 64);
}

TEST_CASE("all mistakes are told at once, also where a line cannot be read") {
  const auto mistakes = mistakes_of("home-address = x\nnonsense\nlifetime = 3\nkeying = ikev3\n[wlan]\n");
  CHECK(mistakes.size() == 8);  // and three missing settings
  CHECK(std::all_of(mistakes.begin(), mistakes.end(), [](const auto& text) { return text.starts_with("mnd.conf:"); }));
}

TEST_CASE("missing settings are named with a line that can be copied") {
  const auto mistakes = mistakes_of("");
  REQUIRE(mistakes.size() == 4);
  CHECK(mistakes[0] == "mnd.conf: home-address: is missing; add a line 'home-address = 2001:db8:1::42/64'");
  CHECK(mistakes[3] ==
        "mnd.conf: secret-file: is missing; add a line 'secret-file = /etc/mnd/secret' or "
        "'certificate = /etc/mnd/laptop.pem'");
}

TEST_CASE("an unknown setting gets the nearest name, if there is one near") {
  CHECK(mistake_of(std::string{kFiveLines} + "lifetme = 5\n") ==
        "mnd.conf:6: lifetme: unknown setting; did you mean 'lifetime'?");
  CHECK(mistake_of(std::string{kFiveLines} + "vici_socket = /x\n") ==
        "mnd.conf:6: vici_socket: unknown setting; did you mean 'vici-socket'?");
  CHECK(begins(mistake_of(std::string{kFiveLines} + "colour = red\n"),
               "mnd.conf:6: colour: unknown setting; see mnd.conf(5)"));
}

TEST_CASE("addresses that cannot be meant are refused with their line") {
  CHECK(begins(mistake_of(with("home-address", "home-address = 192.0.2.1")),
               "mnd.conf:1: home-address: '192.0.2.1' is not an IPv6 address"));
  CHECK(begins(mistake_of(with("home-address", "home-address = fe80::42/64")),
               "mnd.conf:1: home-address: 'fe80::42/64' is not a global address"));
  CHECK(begins(mistake_of(with("home-address", "home-address = 2001:db8:1::42/128")),
               "mnd.conf:1: home-address: a home link does not have a prefix of 128 bits"));
  CHECK(begins(mistake_of(with("home-address", "home-address = 2001:db8:1::42/640")), "mnd.conf:1: home-address: "));
  CHECK(begins(mistake_of(with("home-agent", "home-agent = fe80::1")),
               "mnd.conf:2: home-agent: 'fe80::1' is not a global address"));
  CHECK(begins(mistake_of(with("home-agent", "home-agent = ha.example.org")),
               "mnd.conf:2: home-agent: 'ha.example.org' is not an IPv6 address"));
}

TEST_CASE("a comment behind a value is pointed at") {
  CHECK(mistake_of(with("home-agent", "home-agent = 2001:db8:1::1 # ours"))
            .ends_with("(a comment needs a line of its own)"));
}

TEST_CASE("home address and home agent that do not go together are refused") {
  CHECK(begins(mistake_of(with("home-agent", "home-agent = 2001:db8:2::1")),
               "mnd.conf:2: home-agent: '2001:db8:2::1' is not in the home prefix 2001:db8:1::42/64"));
  CHECK(begins(mistake_of(with("home-agent", "home-agent = 2001:db8:1::42")),
               "mnd.conf:2: home-agent: the home agent has the node's home address"));
}

TEST_CASE("while the home link is renumbered the home agent is in another prefix of it, which is named") {
  const std::string moved = "home-agent = 2001:db8:2::1\nhome-agent-prefix = ";
  const auto config = mnd::load_config(Files{with("home-agent", moved + "2001:db8:2::/64")}.path);
  REQUIRE(config);
  CHECK(config->home_agents.front() == *mip6::Ipv6Address::parse("2001:db8:2::1"));
  CHECK(config->home_prefix.contains(config->home_address));
  CHECK_FALSE(config->home_prefix.contains(config->home_agents.front()));
  // one that is left there does no harm
  CHECK(mistakes_of(with("home-agent", "home-agent = 2001:db8:1::1\nhome-agent-prefix = 2001:db8:2::/64")).empty());
  CHECK(begins(mistake_of(with("home-agent", moved + "2001:db8:3::/64")),
               "mnd.conf:2: home-agent: '2001:db8:2::1' is not in the home prefix 2001:db8:1::42/64"));
  CHECK(begins(mistake_of(with("home-agent", "home-agent = 2001:db8:1::1\nhome-agent-prefix = 2001:db8:1::/0")),
               "mnd.conf:3: home-agent-prefix: '2001:db8:1::/0' is not the prefix of a link"));
}

TEST_CASE("identities that cannot tell the two apart are refused") {
  CHECK(begins(mistake_of(with("identity", "identity =")), "mnd.conf:3: identity: is empty"));
  CHECK(begins(mistake_of(with("identity", "identity = 2001:db8:1::1")),
               "mnd.conf:3: identity: node and home agent have the same identity"));
}

TEST_CASE("a secret that is missing, open to others or empty is refused without showing it") {
  CHECK(begins(mistake_of(with("secret-file", "secret-file = none")),
               "mnd.conf:4: secret-file: none: No such file or directory; write the shared secret"));
  for (const auto& mistakes :
       {mistakes_of(Files{kFiveLines, "geheim", 0644}), mistakes_of(Files{kFiveLines, "geheim", 0660})}) {
    REQUIRE(mistakes.size() == 1);
    CHECK(mistakes[0].find("chmod 0640 secret") != std::string::npos);
    CHECK(mistakes[0].find("geheim") == std::string::npos);
  }
  const auto mistakes = mistakes_of(Files{kFiveLines, "\n"});
  REQUIRE(mistakes.size() == 1);
  CHECK(begins(mistakes[0], "mnd.conf:4: secret-file: secret: the file is empty"));
}

TEST_CASE("a secret of fewer than 16 characters is warned of, and not shown") {
  const auto warnings = [](std::string_view secret) {
    const auto config = mnd::load_config(Files{kFiveLines, secret}.path);
    REQUIRE(config);
    return config->warnings;
  };
  CHECK(warnings("sixteen letters.\n").empty());
  const auto told = warnings("fifteen letters\n");
  REQUIRE(told.size() == 1);
  CHECK(told[0].line == 4);
  CHECK(told[0].what.starts_with("secret-file: the secret has fewer than 16 characters"));
  CHECK_FALSE(told[0].remedy.empty());
  CHECK(told[0].to_string().find("fifteen letters") == std::string::npos);
}

TEST_CASE("five lines are enough with a certificate") {
  Files files{with("secret-file", "certificate = laptop.pem")};
  files.folder.file("laptop.pem", test_certificates::kPairBundle, 0640);
  const auto config = mnd::load_config(files.path);
  REQUIRE(config);
  const auto* certificate = ike::certificate_of(config->proof);
  REQUIRE(certificate);
  CHECK(certificate->authorities.size() == 1);
  CHECK(config->doubts.empty());
}

TEST_CASE("secret and certificate at once are a mistake") {
  CHECK(begins(mistake_of(std::string{kFiveLines} + "certificate = laptop.pem\n"),
               "mnd.conf:6: certificate: there is also a secret-file; keep the one"));
}

TEST_CASE("a certificate file that is missing, open to others or incomplete is refused without showing it") {
  using namespace test_certificates;
  const auto mistake = [](const std::string& bundle, unsigned mode) {
    Files files{with("secret-file", "certificate = laptop.pem")};
    files.folder.file("laptop.pem", bundle, mode);
    const auto mistakes = mistakes_of(files);
    REQUIRE(mistakes.size() == 1);
    CHECK(mistakes[0].find("bm90") == std::string::npos);
    return mistakes[0];
  };
  CHECK(begins(mistake_of(with("secret-file", "certificate = none.pem")),
               "mnd.conf:4: certificate: none.pem: No such file or directory; write private key and certificates"));
  CHECK(begins(mistake_of(with("secret-file", "certificate =")), "mnd.conf:4: certificate: is empty"));
  CHECK(mistake(kBundle, 0644).find("chmod 0640 laptop.pem") != std::string::npos);
  CHECK(begins(mistake("\n", 0640), "mnd.conf:4: certificate: laptop.pem: the file is empty"));
  CHECK(begins(mistake(kNode + kRoot, 0640), "mnd.conf:4: certificate: laptop.pem: has no private key; "));
  CHECK(begins(mistake(kKey + kNode, 0640), "mnd.conf:4: certificate: laptop.pem: has no CA certificate; "));
}

TEST_CASE("a private key that is not the certificate's, or none at all, is a mistake of the certificate's line") {
  using namespace test_certificates;
  const auto mistake = [](const std::string& bundle) {
    Files files{with("secret-file", "certificate = laptop.pem")};
    files.folder.file("laptop.pem", bundle, 0640);
    const auto mistakes = mistakes_of(files);
    REQUIRE(mistakes.size() == 1);
    CHECK(mistakes[0].find("bm90") == std::string::npos);
    return mistakes[0];
  };
  CHECK(begins(mistake(kPairKey + kNodeOfManyNames + kPairRoot),
               "mnd.conf:4: certificate: laptop.pem: its private key is not that of our certificate, the first one; "));
  CHECK(begins(mistake(kKey + kPairNode + kPairRoot),
               "mnd.conf:4: certificate: laptop.pem: its private key cannot be read; "));
}

TEST_CASE("an identity that the certificate does not name is told, and left to charon") {
  const auto doubts = [](std::string_view identity) {
    Files files{with("secret-file", "certificate = laptop.pem")};
    files.folder.file("laptop.pem", test_certificates::kPairBundle, 0640);
    files.folder.file("mnd.conf.d/name.conf", fmt::format("identity = {}\n", identity));
    const auto config = mnd::load_config(files.path);
    REQUIRE(config);
    return config->doubts;
  };
  for (const char* good : {"Laptop@example.org", "2001:db8:1:0::42", "CN=n", "keyid:00aa"}) CHECK(doubts(good).empty());
  const auto told = doubts("desk@example.org");
  REQUIRE(told.size() == 1);
  CHECK(told[0].file.ends_with("name.conf"));
  CHECK(told[0].line == 1);
  CHECK(told[0].what == "identity: our certificate does not name desk@example.org, as which we present ourselves");
  CHECK(told[0].remedy.find("pki --issue --san desk@example.org") != std::string::npos);
}

TEST_CASE("what is no keying method, and what others call a setting, is told with our way") {
  CHECK(mistake_of(with("keying", "keying = psk")) ==
        "mnd.conf:5: keying: 'psk' is no keying method; write 'keying = ikev2', or ikev1 for a home agent that has "
        "nothing else, or manual for keys set by hand");
  CHECK(begins(mistake_of(with("keying", "keying = ikev3")), "mnd.conf:5: keying: 'ikev3' is no keying method"));
  CHECK(begins(mistake_of(std::string{kFiveLines} + "private-key = x.pem\n"),
               "mnd.conf:6: private-key: unknown setting; certificate = FILE has private key"));
}

TEST_CASE("IKEv1 takes a certificate, and a secret by consent only") {
  Files by_certificate{with("secret-file", "certificate = laptop.pem")};
  by_certificate.folder.file("laptop.pem", test_certificates::kPairBundle, 0640);
  by_certificate.folder.file("mnd.conf.d/v1.conf", "keying = ikev1\n");
  REQUIRE(mnd::load_config(by_certificate.path));
  const auto with_consent = std::string{kFiveLines} + std::string{ike::kConsentKey} + " = ";
  const Files by_secret{with("keying", "keying = ikev1") + std::string{ike::kConsentKey} + " = accepted\n",
                        "a secret of 24 characters"};
  const auto config = mnd::load_config(by_secret.path);
  REQUIRE(config);
  CHECK(config->keying == mnd::Keying::kIkev1);
  CHECK(config->method.version == ike::IkeVersion::kV1);
  CHECK(config->method.ike_proposals == ike::default_method(ike::IkeVersion::kV1).ike_proposals);
  CHECK(begins(mistake_of(with("keying", "keying = ikev1")), "mnd.conf:5: keying: IKEv1 with a secret: main mode"));
  CHECK(begins(mistake_of(with("keying", "keying = ikev1") + std::string{ike::kConsentKey} + " = yes\n"),
               "mnd.conf:6: aggressive-mode-exposes-secret-to-guessing: 'yes' is no consent"));
  CHECK(begins(mistake_of(with("keying", "keying = ikev1") + std::string{ike::kConsentKey} + " = accepted\n"),
               "mnd.conf:6: aggressive-mode-exposes-secret-to-guessing: the secret has less than 20"));
  CHECK(begins(mistake_of(with_consent + "accepted\n"),
               "mnd.conf:6: aggressive-mode-exposes-secret-to-guessing: 'aggressive-mode-exposes"));
}

TEST_CASE("a secret of a group and a mode of IKEv1 are refused with the reason") {
  CHECK(begins(mistake_of(std::string{kFiveLines} + "group-secret = x\n"),
               "mnd.conf:6: group-secret: a secret of a group: any member could pose as another node"));
  CHECK(
      begins(mistake_of(std::string{kFiveLines} + "mode = main\n"), "mnd.conf:6: mode: unknown setting; certificate"));
}

TEST_CASE("proposals and signature hashes are taken, weak ones refused with their line") {
  const Files files{std::string{kFiveLines} +
                    "ike-proposals = aes256gcm16-prfsha384-ecp384\nesp-proposals = aes256gcm16 aes128-sha256\n"
                    "signature-hash = sha384 sha512\n"};
  const auto config = mnd::load_config(files.path);
  REQUIRE(config);
  CHECK(config->method.ike_proposals == std::vector<std::string>{"aes256gcm16-prfsha384-ecp384"});
  CHECK(config->method.esp_proposals == std::vector<std::string>{"aes256gcm16", "aes128-sha256"});
  CHECK(config->method.signature_hashes == std::vector<std::string>{"sha384", "sha512"});
  CHECK(begins(mistake_of(std::string{kFiveLines} + "ike-proposals = 3des-sha1-modp2048\n"),
               "mnd.conf:6: ike-proposals: '3des' has blocks of 64 bits; "));
  CHECK(begins(mistake_of(std::string{kFiveLines} + "esp-proposals = aes128\n"),
               "mnd.conf:6: esp-proposals: 'aes128' has no integrity"));
  CHECK(begins(mistake_of(std::string{kFiveLines} + "signature-hash = sha1\n"),
               "mnd.conf:6: signature-hash: 'sha1' is too weak"));
}

TEST_CASE("manual keys come from a file of their own, in place of identity and secret") {
  constexpr std::string_view kManual =
      "home-address = 2001:db8:1::42/64\nhome-agent = 2001:db8:1::1\nkeying = manual\nmanual-keys = keys\n";
  const auto text = *mnd::kernel::make_manual_keys();
  const auto with_file = [](std::string_view conf, const std::string& keys, unsigned mode = 0640) {
    auto files = std::make_unique<Files>(conf);
    files->folder.file("keys", keys, mode);
    return files;
  };
  const auto good = with_file(kManual, text);
  const auto config = mnd::load_config(good->path);
  REQUIRE(config);
  CHECK(config->keying == mnd::Keying::kManual);
  REQUIRE(config->manual_keys);
  CHECK(config->manual_keys->to_home_agent.encryption_key.size() == 32);
  CHECK(config->forecast_horizon == std::chrono::days{400});

  CHECK(begins(mistakes_of(*with_file(kManual, text, 0644)).front(), "keys: mode 0644 lets others at it; chmod 0640"));
  CHECK(begins(mistakes_of(*with_file(kManual, text.substr(0, text.find("integrity ="))))[0],
               "keys:3: [to-home-agent] has no integrity; "));
  CHECK(begins(mistake_of("home-address = 2001:db8:1::42/64\nhome-agent = 2001:db8:1::1\nkeying = manual\n"),
               "mnd.conf: manual-keys: is missing; add a line 'manual-keys = /etc/mnd/manual-keys'"));
  for (const char* line : {"identity = laptop@example.org", "secret-file = secret", "certificate = x.pem", "rekey = 60",
                           "esp-proposals = aes256gcm16", "aggressive-mode-exposes-secret-to-guessing = accepted"})
    CHECK(mistakes_of(*with_file(std::string{kManual} + line, text)).front().find("is not used with keying = manual") !=
          std::string::npos);
  CHECK(begins(mistake_of(std::string{kFiveLines} + "manual-keys = keys\n"),
               "mnd.conf:6: manual-keys: is for keying = manual"));
  CHECK(mistakes_of(*with_file(std::string{kManual} + "protect = signalling", text)).empty());
  CHECK(begins(mistakes_of(*with_file(std::string{kManual} + "protect = payload", text)).front(),
               "mnd.conf:5: protect: manual keys protect the Mobility Header only; write 'keying = ikev2'"));
  CHECK(begins(mistakes_of(*with_file(std::string{kManual} + "prefix-discovery = yes", text)).front(),
               "mnd.conf:5: prefix-discovery: manual keys protect the Mobility Header only; write 'keying = ikev2'"));
}

TEST_CASE("the forecast's horizon is a number of days") {
  const Files files{std::string{kFiveLines} + "forecast-horizon = 30\n"};
  CHECK(mnd::load_config(files.path)->forecast_horizon == std::chrono::days{30});
  for (const char* bad : {"0", "36501", "a year"})
    CHECK(begins(mistake_of(std::string{kFiveLines} + "forecast-horizon = " + bad), "mnd.conf:6: forecast-horizon: "));
}

TEST_CASE("lifetimes are whole seconds from 4 to 262140") {
  for (const char* good : {"4", "262140"}) CHECK(mistakes_of(std::string{kFiveLines} + "lifetime = " + good).empty());
  for (const char* bad : {"3", "262141", "-4", "7 min", "", "420s", "99999999999999999999"})
    CHECK(begins(mistake_of(std::string{kFiveLines} + "lifetime = " + bad), "mnd.conf:6: lifetime: "));
}

TEST_CASE("payload is protected if that is asked for, in these words only") {
  const Files plain{kFiveLines};
  CHECK_FALSE(mnd::load_config(plain.path)->protect_payload);
  const Files signalling{std::string{kFiveLines} + "protect = signalling\n"};
  CHECK_FALSE(mnd::load_config(signalling.path)->protect_payload);
  const Files payload{std::string{kFiveLines} + "protect = payload\n"};
  CHECK(mnd::load_config(payload.path)->protect_payload);
  for (const char* bad : {"yes", "all", "", "Payload"})
    CHECK(begins(mistake_of(std::string{kFiveLines} + "protect = " + bad), "mnd.conf:6: protect: "));
}

TEST_CASE("prefixes are asked for at once if that is wanted") {
  const Files plain{kFiveLines};
  CHECK_FALSE(mnd::load_config(plain.path)->prefix_discovery);
  const Files wanted{std::string{kFiveLines} + "prefix-discovery = yes\n"};
  CHECK(mnd::load_config(wanted.path)->prefix_discovery);
  CHECK(mistakes_of(std::string{kFiveLines} + "prefix-discovery = no").empty());
  CHECK(begins(mistake_of(std::string{kFiveLines} + "prefix-discovery = maybe"), "mnd.conf:6: prefix-discovery: "));
}

TEST_CASE("the first timeout is a whole number of milliseconds from 100 to 32000") {
  for (const char* good : {"100", "32000"})
    CHECK(mistakes_of(std::string{kFiveLines} + "first-timeout = " + good).empty());
  for (const char* bad : {"99", "32001", "1.5", "2s"})
    CHECK(begins(mistake_of(std::string{kFiveLines} + "first-timeout = " + bad), "mnd.conf:6: first-timeout: "));
}

TEST_CASE("keys are renewed after whole seconds from 10 to 86400") {
  const std::string key = GENERATE("rekey", "ike-rekey");
  for (const char* good : {"10", "86400"}) CHECK(mistakes_of(std::string{kFiveLines} + key + " = " + good).empty());
  for (const char* bad : {"9", "86401", "1h", "0"})
    CHECK(begins(mistake_of(std::string{kFiveLines} + key + " = " + bad), "mnd.conf:6: " + key + ": "));
}

TEST_CASE("interface patterns are names and shell patterns with blanks between them") {
  CHECK(begins(mistake_of(std::string{kFiveLines} + "prefer = eth*, wl*\n"),
               "mnd.conf:6: prefer: 'eth*,' is no interface pattern"));
  CHECK(begins(mistake_of(std::string{kFiveLines} + "exclude = averyverylongname\n"), "mnd.conf:6: exclude: "));
  CHECK(begins(mistake_of(std::string{kFiveLines} + "prefer = wl*\nexclude = wl*\n"),
               "mnd.conf:7: exclude: 'wl*' is preferred and excluded"));
}

TEST_CASE("sockets and folders have absolute paths that fit, and each its own") {
  CHECK(begins(mistake_of(std::string{kFiveLines} + "state-directory = here\n"),
               "mnd.conf:6: state-directory: 'here' is not an absolute path"));
  CHECK(begins(mistake_of(std::string{kFiveLines} + "control-socket = /" + std::string(120, 'x') + "\n"),
               "mnd.conf:6: control-socket: longer than 107 characters"));
  CHECK(begins(mistake_of(std::string{kFiveLines} + "control-socket = /var/run/charon.vici\n"),
               "mnd.conf:6: control-socket: charon's socket and ours are the same"));
}

TEST_CASE("sections of interfaces have a preference, exclude and optimistic-dad; the lists come after them") {
  const Files files{std::string{kFiveLines} +
                    "prefer = eth* wl*\nexclude = docker*\nbypass = 2001:db8:2:3::9/48 fd00::/8\n"
                    "[interface \"wlan0\"]\npreference = -5\noptimistic-dad = yes\n"
                    "[interface ww*]\nexclude = yes\n[interface \"usb*\"]\nexclude = no\noptimistic-dad = no\n"};
  const auto config = mnd::load_config(files.path);
  REQUIRE(config);
  CHECK(config->preference == std::vector<mip6::InterfacePreference>{{"wlan0", -5}, {"eth*", 2}, {"wl*", 1}});
  CHECK(config->exclude == std::vector<std::string>{"ww*", "docker*"});
  CHECK(config->optimistic_dad == std::vector<std::string>{"wlan0"});
  REQUIRE(config->bypass.size() == 2);
  CHECK(config->bypass[0].to_string() == "2001:db8:2::/48");
}

TEST_CASE("a wrong line of a section is told with its place and what to do") {
  const std::string section = std::string{kFiveLines} + "[interface \"wl*\"]\n";
  CHECK(mistakes_of(section).empty());
  CHECK(mistake_of(section + "preference = high\n") ==
        "mnd.conf:7: preference: 'high' is not a preference; write a number from -1000 to 1000");
  CHECK(mistake_of(section + "exclude = 1\n") ==
        "mnd.conf:7: exclude: '1' is neither yes nor no; write 'exclude = yes': the interface is not used");
  CHECK(begins(mistake_of(section + "optimistic_dad = yes\n"),
               "mnd.conf:7: optimistic_dad: unknown setting; did you mean 'optimistic-dad'?"));
  CHECK(mistake_of(section + "lifetime = 60\n") ==
        "mnd.conf:7: lifetime: no setting of an interface; move the line above the first section");
  CHECK(begins(mistake_of(std::string{kFiveLines} + "[interface]\n"),
               "mnd.conf:6: [interface]: names no interface, nor a pattern of names"));
  CHECK(begins(mistake_of(std::string{kFiveLines} + "[interface \"a b\"]\n"), "mnd.conf:6: [interface"));
}

TEST_CASE("what is bypassed are prefixes of global addresses outside the home network") {
  const auto text = [](std::string_view value) { return std::string{kFiveLines} + "bypass = " + std::string{value}; };
  CHECK(begins(mistake_of(text("2001:db8:2::1")), "mnd.conf:6: bypass: '2001:db8:2::1' is not a prefix"));
  CHECK(begins(mistake_of(text("::/0")), "mnd.conf:6: bypass: '::/0' leaves nothing for the home address"));
  CHECK(begins(mistake_of(text("fe80::/64")), "mnd.conf:6: bypass: 'fe80::/64' is not of global addresses"));
  for (const char* home : {"2001:db8:1::/64", "2001:db8::/32", "2001:db8:1::7/128"})
    CHECK(begins(mistake_of(text(home)), "mnd.conf:6: bypass: '" + std::string{home} + "' is of the home network"));
  std::string many;
  for (int i = 1; i <= 17; ++i) many += "2001:db8:2:" + std::to_string(i) + "::/64 ";
  CHECK(begins(mistake_of(text(many)), "mnd.conf:6: bypass: more than 16 prefixes"));
}

TEST_CASE("an unknown section is refused, and a file that is not there") {
  CHECK(begins(mistake_of(std::string{kFiveLines} + "[wlan]\n"), "mnd.conf:6: [wlan]: unknown section"));
  const auto missing = mnd::load_config("/nonexistent/mnd.conf");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().size() == 1);
}

TEST_CASE("several home agents stand in the order of preference, each with its own identity or one for all") {
  const std::string agents = with("home-agent", "home-agent = 2001:db8:1::2 2001:db8:1::1");
  const auto [names, first, second] = GENERATE(table<std::string, std::string, std::string>(
      {{"", "2001:db8:1::2", "2001:db8:1::1"}, {"ha", "ha", "ha"}, {"two one", "two", "one"}}));
  const Files files{agents + (names.empty() ? "" : "home-agent-identity = " + names + "\n")};
  const auto config = mnd::load_config(files.path);
  REQUIRE(config);
  REQUIRE(config->home_agents.size() == 2);
  CHECK(config->home_agents[0].to_string() == "2001:db8:1::2");
  CHECK(mnd::identity_of(*config, config->home_agents[0]) == first);
  CHECK(mnd::identity_of(*config, config->home_agents[1]) == second);
}

TEST_CASE("home agents can be asked for, alone or after those that are written") {
  const auto [written, count] =
      GENERATE(table<std::string, std::size_t>({{"discover", 0}, {"2001:db8:1::1 discover", 1}}));
  const Files files{with("home-agent", "home-agent = " + written)};
  const auto config = mnd::load_config(files.path);
  REQUIRE(config);
  CHECK(config->discover);
  CHECK(config->home_agents.size() == count);
  // It is found by its address, and has to authenticate itself by that.
  CHECK(mnd::identity_of(*config, *mip6::Ipv6Address::parse("2001:db8:1::9")) == "2001:db8:1::9");
}

TEST_CASE("mistakes with several home agents are told") {
  const auto [lines, beginning] = GENERATE(table<std::string, std::string>({
      {"home-agent = 2001:db8:1::1 2001:db8:1::1", "mnd.conf:2: home-agent: '2001:db8:1::1' is there twice"},
      {"home-agent = 2001:db8:1::1 2001:db8:2::1", "mnd.conf:2: home-agent: '2001:db8:2::1' is not in the home prefix"},
      {"home-agent = 2001:db8:1::1 discovr", "mnd.conf:2: home-agent: 'discovr' is not an IPv6 address"},
      {"home-agent = 2001:db8:1::1 2001:db8:1::2\nhome-agent-identity = a b c",
       "mnd.conf:3: home-agent-identity: 3 names for 2 home agents"},
      {"home-agent = 2001:db8:1::1 2001:db8:1::2 discover\nhome-agent-identity = a b",
       "mnd.conf:2: home-agent: a home agent that is discovered must have a name that is known before"},
      {"home-agent = 2001:db8:1::1 2001:db8:1::2\nhome-agent-identity = a laptop@example.org",
       "mnd.conf:4: identity: node and home agent have the same identity"},
  }));
  CHECK(begins(mistake_of(with("home-agent", lines)), beginning));
}

TEST_CASE("other users look only if that is written") {
  CHECK(mnd::load_config(Files{kFiveLines}.path)->control_read == mnd::kernel::Readers::kGroup);
  const auto open = mnd::load_config(Files{std::string{kFiveLines} + "control-read = everyone\n"}.path);
  REQUIRE(open);
  CHECK(open->control_read == mnd::kernel::Readers::kEveryone);
  CHECK(begins(mistake_of(std::string{kFiveLines} + "control-read = all\n"),
               "mnd.conf:6: control-read: 'all' is neither group nor everyone"));
}
