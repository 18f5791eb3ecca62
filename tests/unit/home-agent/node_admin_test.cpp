// Nodes that come, get other keys and go by command.
#include <fmt/format.h>

#include <set>
#include <thread>

#include "examples/home-agent/manual_keys.hpp"
#include "examples/home-agent/store.hpp"
#include "tests/unit/home-agent/operator_harness.hpp"

namespace mip6ha {
namespace {

using mip6::Ipv6Address;

std::string secret_of(const NodeConfig& node) { return std::get<ike::PreSharedKey>(node.proof).secret; }

TEST_CASE("a node that is added is served, has five lines, a secret and an address of its own", "[operator]") {
  Operator here;
  const auto done = here.add({.name = "laptop"});
  REQUIRE(done);
  const auto config = here.loaded();
  REQUIRE(config.nodes.size() == 1);
  const auto& node = config.nodes[0];
  CHECK(node.name == "laptop");
  CHECK(config.prefix.contains(node.home_address));
  CHECK(secret_of(node).size() == 64);
  CHECK(mode(here.nodes / "laptop.conf") == 0640);
  CHECK(mode(here.nodes / "laptop.secret") == 0640);
  REQUIRE(done->nodes.size() == 1);
  CHECK(done->nodes[0].mnd_conf == fmt::format("home-address = {0}/64\nhome-agent = 2001:db8:1::1\nidentity = {0}\n"
                                               "secret-file = secret\nkeying = ikev2\n",
                                               node.home_address.to_string()));
  CHECK_FALSE(done->agent_running);
}

TEST_CASE("address and identity can be chosen", "[operator]") {
  Operator here;
  const auto wanted = Ipv6Address::parse("2001:db8:1::42");
  const auto done = here.add({.name = "laptop", .address = wanted, .identity = "laptop@example.org"});
  REQUIRE(done);
  CHECK(here.loaded().nodes[0].home_address == *wanted);
  CHECK(here.loaded().nodes[0].identity == "laptop@example.org");
  CHECK(has(done->nodes[0].mnd_conf, "identity = laptop@example.org\n"));
}

TEST_CASE("while the link is renumbered an address can be one of the next prefix, and none is chosen there",
          "[operator]") {
  Operator here;
  const auto wanted = Ipv6Address::parse("2001:db8:2::42");
  REQUIRE_FALSE(here.add({.name = "laptop", .address = wanted}));
  std::ofstream{here.config, std::ios::app} << "next-prefix = 2001:db8:2::/56\n";
  const auto done = here.add({.name = "laptop", .address = wanted});
  REQUIRE(done);
  // The home agent's address is in the present one.
  CHECK(has(done->nodes[0].mnd_conf,
            "home-address = 2001:db8:2::42/56\nhome-agent = 2001:db8:1::1\nhome-agent-prefix = 2001:db8:1::/64\n"));
  const auto reserved = here.add({.name = "phone", .address = Ipv6Address::parse("2001:db8:2::")});
  CHECK(has(refusal(reserved), "subnet-router anycast address"));
  const auto outside = here.add({.name = "phone", .address = Ipv6Address::parse("2001:db8:3::43")});
  CHECK(has(refusal(outside), "is outside the prefix of the home link"));
  const auto chosen = here.add({.name = "phone"});
  REQUIRE(chosen);
  CHECK(here.loaded().prefix.contains(chosen->nodes[0].home_address));
  CHECK_FALSE(has(chosen->nodes[0].mnd_conf, "home-agent-prefix"));
}

TEST_CASE("what both ends must have alike is in the node's configuration too", "[operator]") {
  Operator here;
  std::ofstream{here.config, std::ios::app}
      << "identity = ha@example.org\nprotect = payload\nesp-proposals = aes256-sha256\n";
  const auto done = here.add({.name = "laptop"});
  REQUIRE(done);
  for (const char* line :
       {"home-agent-identity = ha@example.org\n", "protect = payload\n", "esp-proposals = aes256-sha256\n"})
    CHECK(has(done->nodes[0].mnd_conf, line));
}

TEST_CASE("what a person types wrongly is told, and nothing is written", "[operator]") {
  Operator here;
  REQUIRE(here.add({.name = "phone", .address = Ipv6Address::parse("2001:db8:1::43"), .identity = "phone"}));
  const auto before = here.files();
  const auto at = [](const char* text) { return Ipv6Address::parse(text); };
  CHECK(has(refusal(here.add({.name = "Lap top"})), "'Lap top' is not a node's name"));
  CHECK(has(refusal(here.add({.name = "../phone"})), "not a node's name"));
  CHECK(has(refusal(here.add({.name = ""})), "not a node's name"));
  CHECK(has(refusal(here.add({.name = std::string(kMaxNodeName + 1, 'a')})), "not a node's name"));
  CHECK(has(refusal(here.add({.name = "phone"})), "a node phone already"));
  CHECK(has(refusal(here.add({.name = "a", .address = at("2001:db8:1::43")})), "2001:db8:1::43 is in use"));
  CHECK(has(refusal(here.add({.name = "a", .address = at("2001:db8:1::1")})), "in use"));
  CHECK(has(refusal(here.add({.name = "a", .address = at("2001:db8:1::")})), "subnet-router"));
  CHECK(has(refusal(here.add({.name = "a", .address = at("2001:db8:2::42")})), "outside the prefix"));
  CHECK(has(refusal(here.add({.name = "a", .identity = "two words"})), "not an identity"));
  CHECK(has(refusal(here.add({.name = "a", .identity = "x\n[node b]"})), "not an identity"));
  CHECK(has(refusal(here.add({.name = "a", .identity = "phone"})), "in use"));
  CHECK(has(refusal(here.add({.name = "a", .identity = "2001:db8:1::1"})), "in use"));
  CHECK(has(refusal(here.add({.name = "a", .method = Method::kCertificate})), "private key is not kept"));
  here.folder.file("taken.tar", "mine");
  CHECK(has(refusal(here.add({.name = "a"}, "taken.tar")),
            "cannot make the file " + (here.folder / "taken.tar").string()));
  CHECK(has(refusal(here.add({.name = "a"}, "none/x.tar")), "none/x.tar"));
  std::filesystem::remove(here.folder / "taken.tar");
  CHECK(here.files() == before);
}

TEST_CASE("a configuration with mistakes is not added to", "[operator]") {
  Operator here;
  std::ofstream{here.config, std::ios::app} << "lifetme = 30\n";
  CHECK(has(refusal(here.add({.name = "laptop"})), "lifetme"));
  std::filesystem::remove(here.config);
  CHECK(has(refusal(here.add({.name = "laptop"})), "mip6-ha init"));
}

TEST_CASE("a bundle is all that a laptop needs, for its owner alone", "[operator]") {
  Operator here;
  const auto done = here.add({.name = "laptop"}, "laptop.tar");
  REQUIRE(done);
  CHECK(mode(here.folder / "laptop.tar") == 0600);
  const auto laptop = here.unpacked("laptop.tar", "etc");
  CHECK(content(laptop / "mnd.conf") == done->nodes[0].mnd_conf);
  CHECK(content(laptop / "secret") == secret_of(here.loaded().nodes[0]) + '\n');
  CHECK((mode(laptop / "secret") & 077) == 0);
  const auto standard =
      add_nodes(here.config, {{.name = "phone"}}, {.path = {}, .standard = true}, false, here.tools());
  REQUIRE(standard);
  REQUIRE(standard->bundle);
  CHECK(standard->bundle->find(secret_of(here.loaded().nodes[1])) != std::string::npos);
}

TEST_CASE("a running home agent is told; what it refuses is taken back", "[operator]") {
  Operator here;
  here.answer = nlohmann::json{{"version", 1}, {"added", {"laptop"}}, {"restart", nlohmann::json::array()}};
  const auto done = here.add({.name = "laptop"});
  REQUIRE(done);
  CHECK(done->agent_running);
  CHECK(done->notes.empty());
  REQUIRE(here.asked.size() == 1);
  CHECK(here.asked[0].at("command") == "reload");
  const auto before = here.files();
  here.answer = tl::unexpected(mip6::Error{.tried = "ask mip6-ha", .reason = "no", .remedy = "mend it"});
  CHECK(has(refusal(here.add({.name = "phone"}, "phone.tar")), "ask mip6-ha"));
  CHECK(here.files() == before);
  here.answer = nlohmann::json{{"restart", {"certificate"}}, {"failed", {{{"what", "disk full"}, {"remedy", "room"}}}}};
  const auto noted = here.add({.name = "phone"});
  REQUIRE(noted);
  REQUIRE(noted->notes.size() == 2);
  CHECK(has(noted->notes[0], "restart"));
  CHECK(has(noted->notes[1], "disk full"));
}

TEST_CASE("a node that is removed is gone with its secret, and its name is free again", "[operator]") {
  Operator here;
  REQUIRE(here.add({.name = "phone"}));
  const auto before = here.files();
  REQUIRE(here.add({.name = "laptop"}));
  REQUIRE(here.remove("laptop"));
  CHECK(here.files() == before);
  CHECK(here.loaded().nodes.size() == 1);
  REQUIRE(here.add({.name = "laptop", .method = Method::kManual}));
  REQUIRE(here.remove("laptop"));
  CHECK(has(refusal(here.remove("laptop")), "no node laptop"));
  CHECK(has(refusal(here.remove("../mip6-ha")), "no node"));
}

TEST_CASE("a section that somebody wrote by hand is left alone", "[operator]") {
  Operator here;
  const auto secret = here.folder.file("s", "of my own").string();
  std::ofstream{here.config, std::ios::app} << "[node desk]\nhome-address = 2001:db8:1::9\nsecret-file = " << secret
                                            << '\n';
  CHECK(has(refusal(here.remove("desk")), "mip6-ha.conf:7", "by hand"));
  CHECK(has(refusal(here.rotate("desk")), "by hand"));
  REQUIRE(here.add({.name = "laptop"}));
  std::ofstream{here.nodes / "laptop.conf", std::ios::app}
      << "[node second]\nhome-address = 2001:db8:1::8\nsecret-file = " << here.folder.file("t", "another").string()
      << '\n';
  CHECK(has(refusal(here.remove("laptop")), "by hand"));
  CHECK(here.loaded().nodes.size() == 3);
}

TEST_CASE("a section by hand that stands where add would have put it is left alone, with its secret", "[operator]") {
  Operator here;
  const auto made = here.add({.name = "model", .method = Method::kManual});
  REQUIRE(made);
  const auto keys = here.folder.file("k", content(here.nodes / "model.keys")).string();
  REQUIRE(here.remove("model"));
  const auto secret = here.folder.file("s", "of my own").string();
  for (const auto& proof : {"secret-file = " + secret, "manual-keys = " + keys}) {
    INFO(proof);
    const auto section = "[node desk]\nhome-address = 2001:db8:1::9\n" + proof + '\n';
    std::ofstream{here.nodes / "desk.conf"} << section;
    const auto kept = content(keys);
    const auto before = here.files();
    here.asked.clear();
    CHECK(has(refusal(here.rotate("desk")), "desk.conf:1", "not made by mip6-ha add", "by hand"));
    CHECK(has(refusal(here.rotate("desk", "desk.tar")), "by hand"));
    CHECK(has(refusal(here.remove("desk")), "desk.conf:1", "by hand"));
    CHECK(here.files() == before);
    CHECK(content(here.nodes / "desk.conf") == section);
    CHECK(content(secret) == "of my own");
    CHECK(content(keys) == kept);
    CHECK(here.asked.empty());
  }
}

TEST_CASE("rotate gives another secret, in the new bundle too, and asks for a reload", "[operator]") {
  Operator here;
  REQUIRE(here.add({.name = "laptop"}, "old.tar"));
  const auto before = here.loaded().nodes[0];
  REQUIRE(here.rotate("laptop", "new.tar"));
  const auto after = here.loaded().nodes[0];
  CHECK(after.home_address == before.home_address);
  CHECK(secret_of(after) != secret_of(before));
  CHECK(content(here.unpacked("new.tar", "etc") / "secret") == secret_of(after) + '\n');
  CHECK(mode(here.nodes / "laptop.secret") == 0640);
  CHECK(here.asked.size() == 2);
  here.folder.file("taken.tar", "mine");
  CHECK(has(refusal(here.rotate("laptop", "taken.tar")), "taken.tar"));
  CHECK(secret_of(here.loaded().nodes[0]) == secret_of(after));
}

TEST_CASE("what was written into a node's section by hand is the node's after rotate, too", "[operator]") {
  Operator here;
  REQUIRE(here.add({.name = "laptop"}, "old.tar"));
  std::ofstream{here.nodes / "laptop.conf", std::ios::app}
      << "keying = ikev1\naggressive-mode-exposes-secret-to-guessing = accepted\nprotect = payload\n";
  const auto rotated = here.rotate("laptop", "new.tar");
  REQUIRE(rotated);
  for (const auto* line :
       {"keying = ikev1\n", "aggressive-mode-exposes-secret-to-guessing = accepted\n", "protect = payload\n"})
    CHECK(has(rotated->nodes[0].mnd_conf, line));
}

TEST_CASE("manual keys are noted as new where no home agent runs, and are others after rotate", "[operator]") {
  Operator here;
  const auto added = here.add({.name = "laptop", .method = Method::kManual}, "old.tar");
  REQUIRE(added);
  CHECK(added->nodes[0].mnd_conf ==
        fmt::format("home-address = {}/64\nhome-agent = 2001:db8:1::1\nkeying = manual\nmanual-keys = manual-keys\n",
                    added->nodes[0].home_address.to_string()));
  CHECK(content(here.unpacked("old.tar", "etc") / "manual-keys") == content(here.nodes / "laptop.keys"));
  const auto objection = [&] {
    const auto config = here.loaded();
    const auto store = Store::open(config.state_directory);
    REQUIRE(store);
    return std::string{judge(**store, config.nodes[0], false).value()};
  };
  CHECK(objection().empty());
  const auto keys = here.loaded().nodes[0].manual_keys->to_node.encryption_key;
  REQUIRE(here.rotate("laptop", "new.tar"));
  CHECK(here.loaded().nodes[0].manual_keys->to_node.encryption_key != keys);
  CHECK(objection().empty());
  CHECK(content(here.unpacked("new.tar", "etc") / "manual-keys") == content(here.nodes / "laptop.keys"));
}

TEST_CASE("a running home agent hears which manual keys are new", "[operator]") {
  Operator here;
  here.answer = nlohmann::json::object();
  REQUIRE(here.add({.name = "laptop", .method = Method::kManual}));
  CHECK(here.asked.at(0).at("keys_are_new") == nlohmann::json{"laptop"});
  REQUIRE(here.add({.name = "phone"}));
  CHECK(here.asked.at(1).at("keys_are_new").empty());
  REQUIRE(here.remove("laptop"));
  CHECK(here.asked.at(2).at("keys_are_new").empty());
}

// --- many ---

std::vector<WantedNode> many(int count) {
  std::vector<WantedNode> wanted;
  for (int number = 0; number < count; ++number)
    wanted.push_back({.name = fmt::format("n{}", number), .file = "t.csv", .line = number + 1});
  return wanted;
}

TEST_CASE("many nodes are added at once, each with a secret and a bundle of its own", "[operator]") {
  Operator here;
  const auto done = add_nodes(here.config, many(200), {.path = here.folder / "bundles"}, true, here.tools());
  REQUIRE(done);
  const auto config = here.loaded();
  CHECK(config.nodes.size() == 200);
  std::set<std::string> secrets;
  for (const auto& node : config.nodes) secrets.insert(secret_of(node));
  CHECK(secrets.size() == 200);
  CHECK(here.asked.size() == 1);
  CHECK(mode(here.folder / "bundles") == 0700);
  CHECK(mode(here.folder / "bundles/n7.tar") == 0600);
}

TEST_CASE("of many nodes none is added if one of them cannot be", "[operator]") {
  Operator here;
  auto wanted = many(20);
  wanted[3].address = Ipv6Address::parse("2001:db8:1::1");
  wanted[7].name = "N7";
  const auto before = here.files();
  const auto done = add_nodes(here.config, wanted, {}, true, here.tools());
  REQUIRE_FALSE(done);
  REQUIRE(done.error().size() == 2);
  CHECK(has(done.error()[0].to_string(), "t.csv:4: 2001:db8:1::1 is in use"));
  CHECK(has(done.error()[1].to_string(), "t.csv:8: 'N7' is not a node's name"));
  CHECK(here.files() == before);
  // An address that is named further down is not given away before.
  std::filesystem::remove_all(here.nodes);
  std::ofstream{here.config} << "address = 2001:db8:1::1\ninterface = home\nprefix = 2001:db8:1::/126\n";
  auto two = many(2);
  two[1].address = Ipv6Address::parse("2001:db8:1::2");
  REQUIRE(add_nodes(here.config, two, {}, true, here.tools()));
  CHECK(here.loaded().nodes[0].home_address == *Ipv6Address::parse("2001:db8:1::3"));
  CHECK(has(refusal(here.add({.name = "another"})), "no address"));
}

TEST_CASE("commands at the same time wait for each other", "[operator]") {
  Operator here;
  const auto add_some = [&](const char* prefix) {
    mnd::kernel::SystemRandom random;
    for (int number = 0; number < 10; ++number) {
      const Tools tools{random, [](auto&, auto&) { return tl::unexpected(mip6::Error{.os_error = ENOENT}); }};
      if (!add_nodes(here.config, {{.name = fmt::format("{}{}", prefix, number)}}, {}, false, tools))
        throw std::runtime_error{"not added"};
    }
  };
  std::thread other{add_some, "a"};
  add_some("b");
  other.join();
  CHECK(here.loaded().nodes.size() == 20);
}

}  // namespace
}  // namespace mip6ha
