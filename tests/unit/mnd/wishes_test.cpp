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

TEST_CASE("an interface is followed through its names by its index") {
  using Links = std::map<std::uint32_t, mnd::kernel::Link>;
  const auto link = [](std::uint32_t index, const char* name) {
    return std::pair{index, mnd::kernel::Link{.index = index, .name = name}};
  };
  std::uint32_t index = 0;
  const Links before{link(3, "w1"), link(4, "w2")};
  CHECK_FALSE(renamed("w1", index, before));
  CHECK(index == 3);
  SECTION("another name, which another one may have had") {
    CHECK(renamed("w1", index, Links{link(3, "w2"), link(4, "w1")}) == "w2");
    CHECK(index == 3);
  }
  SECTION("one that went and comes again has its name") {
    CHECK_FALSE(renamed("w1", index, Links{link(4, "w2")}));
    CHECK_FALSE(renamed("w1", index, Links{link(4, "w2"), link(9, "w1")}));
    CHECK(index == 9);
    CHECK(renamed("w1", index, Links{link(9, "usb")}) == "usb");
  }
}
