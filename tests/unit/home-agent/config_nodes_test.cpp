// Sections of nodes in files of their own.
#include <fmt/format.h>

#include "examples/home-agent/config.hpp"
#include "tests/catch.hpp"
#include "tests/unit/temporary_folder.hpp"

namespace mip6ha {
namespace {

struct Files {
  TemporaryFolder folder;
  std::filesystem::path config =
      folder.file("ha.conf", "address = 2001:db8:1::1\ninterface = home\nprefix = 2001:db8:1::/64\n");

  void node(const std::string& name, const std::string& address, const std::string& more = {}) const {
    const auto secret = folder.file(name + ".secret", "secret of " + name);
    folder.file("nodes.d/" + name + ".conf", fmt::format("[node {}]\nhome-address = {}\nsecret-file = {}\n{}", name,
                                                         address, secret.string(), more));
  }
  // The one mistake.
  std::string mistake() const {
    const auto read = load_config(config);
    if (read) return "none";
    CHECK(read.error().size() == 1);
    return read.error().front().to_string();
  }
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_CASE("nodes of nodes.d are served as those of the file are", "[ha-config]") {
  const Files files;
  files.node("laptop", "2001:db8:1::42");
  files.node("phone", "2001:db8:1::43");
  files.folder.file("nodes.d/phone.secret", "not read");
  const auto read = load_config(files.config);
  REQUIRE(read);
  REQUIRE(read->nodes.size() == 2);
  CHECK(read->nodes[0].name == "laptop");
  CHECK(read->nodes[1].name == "phone");
}

TEST_CASE("with nodes.d there need not be a node yet; without it there must", "[ha-config]") {
  const Files files;
  CHECK(has(files.mistake(), "no node is served"));
  std::filesystem::create_directory(files.folder / "nodes.d");
  CHECK(load_config(files.config));
}

TEST_CASE("mistakes in nodes.d are told with file and line", "[ha-config]") {
  const Files files;
  files.node("laptop", "2001:db8:1::42", "lifetme = 3\n");
  CHECK(has(files.mistake(), "nodes.d/laptop.conf:4: lifetme"));
  files.node("laptop", "2001:db8:2::42");
  CHECK(has(files.mistake(), "nodes.d/laptop.conf:2: home-address"));
}

TEST_CASE("what two nodes must not share they must not share across files either", "[ha-config]") {
  const Files files;
  files.node("laptop", "2001:db8:1::42");
  files.node("phone", "2001:db8:1::42", "identity = phone\n");
  CHECK(has(files.mistake(), "phone.conf:1: home address '2001:db8:1::42' is already that of [node laptop] in " +
                                 (files.folder / "nodes.d/laptop.conf").string() + ":1"));
  files.node("phone", "2001:db8:1::43");
  files.folder.file("phone.secret", "secret of laptop");
  CHECK(has(files.mistake(), "phone.conf:3: secret-file: [node phone] has the same secret as [node laptop] in "));
}

TEST_CASE("a setting outside a section of nodes.d is a mistake: it would hold for all", "[ha-config]") {
  const Files files;
  files.node("laptop", "2001:db8:1::42");
  files.folder.file("nodes.d/a.conf", "# nothing\nkey-mobility = no\n");
  CHECK(has(files.mistake(), "nodes.d/a.conf:2: key-mobility: stands outside a section"));
}

}  // namespace
}  // namespace mip6ha
