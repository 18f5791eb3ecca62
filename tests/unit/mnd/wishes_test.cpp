// What the user wants until further notice outlives the daemon, not the machine's boot.
#include "mnd/wishes.hpp"

#include <fstream>

#include "tests/catch.hpp"
#include "tests/unit/temporary_folder.hpp"

using namespace mnd;

TEST_CASE("wishes are there after a restart of the daemon, not after one of the machine") {
  const TemporaryFolder folder;
  const WishStore store{folder.path(), "this boot"};
  CHECK(store.load() == Wishes{});
  const Wishes wishes{.deregistered = true, .paused_on = "w1"};
  REQUIRE(store.store(wishes));
  CHECK(WishStore{folder.path(), "this boot"}.load() == wishes);
  CHECK(WishStore{folder.path(), "another boot"}.load() == Wishes{});
  REQUIRE(store.store({}));
  CHECK(store.load() == Wishes{});
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("a damaged file of wishes is none") {
  const TemporaryFolder folder;
  for (const char* content : {"", "{", "[]", "{\"version\":1}", "{\"version\":2,\"boot\":\"b\",\"deregistered\":true}",
                              "{\"version\":1,\"boot\":\"b\",\"deregistered\":\"yes\",\"paused_on\":5}"}) {
    std::ofstream{folder / "wishes.json"} << content;
    CHECK(WishStore{folder.path(), "b"}.load() == Wishes{});
  }
}
