// The node's durable sequence number state.
#include "mnd/sequence_store.hpp"

#include <fstream>

#include "tests/catch.hpp"
#include "tests/unit/temporary_folder.hpp"

namespace {

mnd::SequenceStore store_in(const std::filesystem::path& folder) {
  return {folder, *mip6::Ipv6Address::parse("2001:db8:1::42"), *mip6::Ipv6Address::parse("2001:db8:1::1")};
}

void damage(const std::filesystem::path& folder, const std::string& content) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) std::ofstream{entry.path()} << content;
}

}  // namespace

TEST_CASE("nothing is loaded where nothing was ever stored") {
  const TemporaryFolder folder;
  const auto loaded = store_in(folder.path()).load();
  REQUIRE(loaded);
  CHECK_FALSE(loaded->has_value());
}

TEST_CASE("what was stored is loaded by the next process") {
  const TemporaryFolder folder;
  const auto first = GENERATE(std::optional<mip6::SequenceNumber>{}, mip6::SequenceNumber{0});
  const mip6::SequenceState state{mip6::SequenceNumber{65535}, first};
  REQUIRE(store_in(folder.path() / "made").store(state));
  const auto loaded = store_in(folder.path() / "made").load();
  REQUIRE(loaded);
  CHECK(*loaded == state);
}

TEST_CASE("the state of another home agent is not taken for this one's") {
  const TemporaryFolder folder;
  REQUIRE(store_in(folder.path()).store({mip6::SequenceNumber{7}}));
  const mnd::SequenceStore other{folder.path(), *mip6::Ipv6Address::parse("2001:db8:1::42"),
                                 *mip6::Ipv6Address::parse("2001:db8:1::2")};
  const auto loaded = other.load();
  REQUIRE(loaded);
  CHECK_FALSE(loaded->has_value());
}

TEST_CASE("a damaged state is an error, never a silent start at zero") {
  const TemporaryFolder folder;
  const auto store = store_in(folder.path());
  REQUIRE(store.store({mip6::SequenceNumber{7}}));
  const std::string content = GENERATE("", "garbage", "{\"version\":1}", "{\"version\":1,\"reserved_until\":65536}",
                                       "{\"version\":1,\"reserved_until\":-1}", "{\"version\":2,\"reserved_until\":7}",
                                       "[1,2]", "{\"version\":1,\"reserved_until\":7,\"first_under_keys\":65536}",
                                       "{\"version\":1,\"reserved_until\":7,\"first_under_keys\":null}");
  damage(folder.path(), content);
  const auto loaded = store.load();
  REQUIRE_FALSE(loaded);
  CHECK_FALSE(loaded.error().remedy.empty());
}

TEST_CASE("a file of an older version does not know the first number under the present keys") {
  const TemporaryFolder folder;
  const auto store = store_in(folder.path());
  REQUIRE(store.store({mip6::SequenceNumber{7}, mip6::SequenceNumber{3}}));
  damage(folder.path(), "{\"version\":1,\"reserved_until\":41216}\n");
  const auto loaded = store.load();
  REQUIRE(loaded);
  CHECK(*loaded == mip6::SequenceState{mip6::SequenceNumber{41216}, {}});
}

TEST_CASE("a folder that cannot be made is told as an error") {
  const TemporaryFolder folder;
  std::ofstream{folder.path() / "file"} << "in the way";
  CHECK_FALSE(store_in(folder.path() / "file" / "below").store({mip6::SequenceNumber{1}}));
}

TEST_CASE("the home agent that served last is remembered beside the numbers") {
  const TemporaryFolder folder;
  const auto agent = *mip6::Ipv6Address::parse("2001:db8:1::2");
  CHECK_FALSE(store_in(folder.path()).home_agent());
  REQUIRE(store_in(folder.path()).store({mip6::SequenceNumber{7}}, agent));
  CHECK(store_in(folder.path()).home_agent() == agent);
  CHECK(store_in(folder.path()).load()->value() == mip6::SequenceState{mip6::SequenceNumber{7}, {}});
  REQUIRE(store_in(folder.path()).store({mip6::SequenceNumber{8}}));
  CHECK_FALSE(store_in(folder.path()).home_agent());
  damage(folder.path(), "no json");
  CHECK_FALSE(store_in(folder.path()).home_agent());
}
