// Files that come and go together, also when something fails or the machine stops in between.
#include "examples/home-agent/file_change.hpp"

#include <sys/stat.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "tests/catch.hpp"
#include "tests/unit/temporary_folder.hpp"

namespace mip6ha {
namespace {

std::string content(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream{path}.rdbuf();
  return text.str();
}

unsigned mode(const std::filesystem::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

bool there(const std::filesystem::path& path) { return std::filesystem::exists(path); }

TEST_CASE("a change creates, replaces and removes, with the modes that were asked for", "[file-change]") {
  const TemporaryFolder folder;
  folder.file("old", "old");
  folder.file("gone", "x");
  auto change = FileChange::begin(folder.path());
  REQUIRE(change);
  change->create(folder / "new", "new", 0640);
  change->replace(folder / "old", "newer", 0600);
  change->remove(folder / "gone");
  change->remove(folder / "never there");
  REQUIRE(change->commit());
  CHECK(content(folder / "new") == "new");
  CHECK(mode(folder / "new") == 0640);
  CHECK(content(folder / "old") == "newer");
  CHECK(mode(folder / "old") == 0600);
  CHECK_FALSE(there(folder / "gone"));
  CHECK_FALSE(there(folder / ".unfinished"));
}

TEST_CASE("a file that is there is not written over, and nothing else is done", "[file-change]") {
  const TemporaryFolder folder;
  folder.file("old", "old");
  folder.file("stays", "x");
  auto change = FileChange::begin(folder.path());
  REQUIRE(change);
  change->create(folder / "new", "new", 0640);
  change->create(folder / "old", "other", 0640);
  change->remove(folder / "stays");
  const auto done = change->commit();
  REQUIRE_FALSE(done);
  CHECK(done.error().tried == "make the file " + (folder / "old").string());
  CHECK_FALSE(done.error().remedy.empty());
  CHECK(content(folder / "old") == "old");
  CHECK_FALSE(there(folder / "new"));
  CHECK(there(folder / "stays"));
}

TEST_CASE("what was written before an error goes again", "[file-change]") {
  const TemporaryFolder folder;
  folder.file("old", "old");
  auto change = FileChange::begin(folder.path());
  REQUIRE(change);
  change->create(folder / "first", "1", 0640);
  change->replace(folder / "old", "other", 0640);
  change->create(folder / "no such folder/second", "2", 0640);
  CHECK_FALSE(change->commit());
  CHECK_FALSE(there(folder / "first"));
  CHECK_FALSE(there(folder / "old.new"));
  CHECK(content(folder / "old") == "old");
  CHECK_FALSE(there(folder / ".unfinished"));
}

TEST_CASE("undo takes back what the last commit created, and no more", "[file-change]") {
  const TemporaryFolder folder;
  auto change = FileChange::begin(folder.path());
  REQUIRE(change);
  change->create(folder / "first", "1", 0640);
  REQUIRE(change->commit());
  change->create(folder / "second", "2", 0640);
  REQUIRE(change->commit());
  change->undo();
  CHECK(there(folder / "first"));
  CHECK_FALSE(there(folder / "second"));
}

TEST_CASE("the next change clears up after one that was cut off", "[file-change]") {
  const TemporaryFolder folder;
  folder.file("half", "1");
  folder.file("other", "2");
  folder.file(".unfinished", (folder / "half").string() + '\n' + (folder / "not yet made").string() + '\n');
  auto change = FileChange::begin(folder.path());
  REQUIRE(change);
  CHECK_FALSE(there(folder / "half"));
  CHECK(there(folder / "other"));
  CHECK_FALSE(there(folder / ".unfinished"));
}

TEST_CASE("a change waits for the end of another", "[file-change]") {
  const TemporaryFolder folder;
  const auto counter = folder.file("counter", "");
  const auto add_ones = [&] {
    for (int times = 0; times < 20; ++times) {
      auto change = FileChange::begin(folder.path()).value();
      change.replace(counter, content(counter) + '1', 0600);
      if (!change.commit()) throw std::runtime_error{"no commit"};
    }
  };
  std::thread other{add_ones};
  add_ones();
  other.join();
  CHECK(content(counter) == std::string(40, '1'));
}

TEST_CASE("a folder that is not there is an error with a remedy", "[file-change]") {
  const TemporaryFolder folder;
  const auto change = FileChange::begin(folder / "none");
  REQUIRE_FALSE(change);
  CHECK_FALSE(change.error().remedy.empty());
}

}  // namespace
}  // namespace mip6ha
