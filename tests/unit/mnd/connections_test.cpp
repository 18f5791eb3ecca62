// What is said of an interface's present connection.
#include "mnd/connections.hpp"

#include "tests/catch.hpp"
#include "tests/unit/temporary_folder.hpp"

using namespace mnd;

TEST_CASE("a connection's preference stands before that of the configuration") {
  TemporaryFolder folder;
  folder.file("w1.conf", "[interface \"w1\"]\npreference = -5\n");
  folder.file("w2.conf", "[interface \"w2\"]\nexclude = yes\n[interface \"w3\"]\nexclude = no\n");
  mip6::MovementPolicy policy;
  policy.preference = {{"w*", 7}};
  policy.exclude = {"docker*"};
  const auto found = read_connections(folder.path());
  CHECK(found.mistakes.empty());
  const auto with = with_connections(policy, found);
  CHECK(with.preference == std::vector<mip6::InterfacePreference>{{"w1", -5}, {"w*", 7}});
  CHECK(with.exclude == std::vector<std::string>{"docker*", "w2"});
}

TEST_CASE("a connection can be home, or never") {
  TemporaryFolder folder;
  folder.file("a.conf", "[interface \"w1\"]\nhome = yes\n[interface \"w2\"]\nhome = no\n");
  const auto with = with_connections({}, read_connections(folder.path()));
  CHECK(with.home == std::vector<std::string>{"w1"});
  CHECK(with.not_home == std::vector<std::string>{"w2"});
}

TEST_CASE("without files nothing is said") {
  TemporaryFolder folder;
  const auto found = read_connections(folder / "missing");
  CHECK(found.mistakes.empty());
  CHECK(with_connections({}, found).preference.empty());
}

TEST_CASE("what is wrong of a connection is left out and told, the rest holds") {
  TemporaryFolder folder;
  const auto line = GENERATE("preference = 1001", "preference = 5x", "preference =", "exclude = perhaps", "home = 1",
                             "colour = yes", "lifetime = 5");
  folder.file("w1.conf", "[interface \"w1\"]\nhome = yes\n" + std::string{line} + "\n");
  const auto found = read_connections(folder.path());
  CHECK(found.home == std::vector<std::string>{"w1"});
  CHECK(found.preference.empty());
  CHECK(found.exclude.empty());
  REQUIRE(found.mistakes.size() == 1);
  CHECK(found.mistakes[0].find("w1.conf:3") != std::string::npos);
}

TEST_CASE("a connection is of one interface, no pattern") {
  TemporaryFolder folder;
  folder.file("all.conf", "[interface \"*\"]\nexclude = yes\n");
  const auto found = read_connections(folder.path());
  CHECK(found.exclude.empty());
  CHECK(found.mistakes.size() == 1);
}
