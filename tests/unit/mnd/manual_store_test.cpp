// What the node makes of its manual keys at a start, by what the disk remembers of them.
#include "mnd/manual_store.hpp"

#include <fstream>

#include "tests/catch.hpp"
#include "tests/unit/temporary_folder.hpp"

using namespace mnd;
using mip6::SequenceNumber;

namespace {

kernel::ManualKeys some_keys() { return *kernel::parse_manual_keys(*kernel::make_manual_keys(), "keys"); }

ManualStore store_in(const std::filesystem::path& folder) {
  return {folder, *mip6::Ipv6Address::parse("2001:db8:1::42"), *mip6::Ipv6Address::parse("2001:db8:1::1")};
}

SequenceNumber number(int value) { return SequenceNumber{static_cast<std::uint16_t>(value)}; }

// A store whose keys have seen the numbers from 100 up to 163.
struct Used {
  Used() {
    auto record = taken_as_new(keys, store.load());
    REQUIRE(record);
    record->numbers = {number(164), number(100)};
    REQUIRE(store.store(*record));
  }
  ManualStart start(const kernel::ManualKeys& with) const {
    auto started = start_with(with, store.load());
    REQUIRE(started);
    return *started;
  }
  TemporaryFolder folder;
  ManualStore store = store_in(folder.path());
  kernel::ManualKeys keys = some_keys();
};

}  // namespace

TEST_CASE("manual keys without a record are not used, and no number is taken for unused", "[manual]") {
  const TemporaryFolder folder;
  const auto store = store_in(folder.path());
  const auto keys = some_keys();
  auto start = start_with(keys, store.load());
  REQUIRE(start);
  CHECK_FALSE(start->usable);
  CHECK_FALSE(start->record.numbers.first_under_keys);
  CHECK(start->remedy.find("mnd --make-keys") != std::string::npos);
  CHECK(start->remedy.find("mnd --keys-are-new") != std::string::npos);

  SECTION("also not at the next start") {
    REQUIRE(store.store(start->record));
    start = start_with(keys, store.load());
    CHECK_FALSE(start->usable);
    CHECK(start->remedy.find("mnd --keys-are-new") != std::string::npos);
  }
  SECTION("until the user says that they are new") {
    if (GENERATE(true, false)) REQUIRE(store.store(start->record));
    const auto record = taken_as_new(keys, store.load());
    REQUIRE(record);
    REQUIRE(store.store(*record));
    start = start_with(keys, store.load());
    CHECK(start->usable);
    CHECK(start->record.numbers == mip6::SequenceState{number(0), number(0)});
  }
  SECTION("until there are other keys") {
    REQUIRE(store.store(start->record));
    start = start_with(some_keys(), store.load());
    CHECK(start->usable);
    CHECK(start->record.numbers.first_under_keys == start->record.numbers.first_unused);
  }
}

TEST_CASE("the same manual keys go on with their numbers", "[manual]") {
  const Used used;
  const auto start = used.start(used.keys);
  CHECK(start.usable);
  CHECK(start.record.numbers == mip6::SequenceState{number(164), number(100)});
}

TEST_CASE("new manual keys begin anew where the numbers are, and are stored with them", "[manual]") {
  const Used used;
  const auto fresh = some_keys();
  const auto start = used.start(fresh);
  CHECK(start.usable);
  CHECK(start.record.numbers == mip6::SequenceState{number(164), number(164)});
  REQUIRE(used.store.store(start.record));
  CHECK(used.start(fresh).usable);

  const auto back = used.start(used.keys);
  CHECK_FALSE(back.usable);
  CHECK(back.what.find("had been replaced") != std::string::npos);
  CHECK_FALSE(taken_as_new(used.keys, used.store.load()));
}

TEST_CASE("a new manual key in one direction only is no new key", "[manual]") {
  const Used used;
  auto half = used.keys;
  half.to_node = some_keys().to_node;
  const auto start = used.start(half);
  CHECK_FALSE(start.usable);
  CHECK(start.record == used.start(used.keys).record);
  CHECK_FALSE(taken_as_new(half, used.store.load()));
}

TEST_CASE("manual keys that a record knows as used cannot be declared new", "[manual]") {
  const Used used;
  const auto refused = taken_as_new(used.keys, used.store.load());
  REQUIRE_FALSE(refused);
  CHECK_FALSE(refused.error().remedy.empty());
}

TEST_CASE("a damaged record of manual keys is a lost one, never a start at zero", "[manual]") {
  const Used used;
  const std::string content = GENERATE("", "garbage", R"({"version":1,"reserved_until":7,"first_under_keys":3})",
                                       R"({"version":1,"reserved_until":7,"first_under_keys":3,"keys":{}})");
  std::ofstream{used.store.file()} << content;
  CHECK_FALSE(used.store.load());
  const auto start = used.start(used.keys);
  CHECK_FALSE(start.usable);
  CHECK(start.what.find("the file is damaged") != std::string::npos);
  CHECK_FALSE(start.record.numbers.first_under_keys);
}

TEST_CASE("a record cut short anywhere is damaged", "[manual]") {
  const Used used;
  std::string whole;
  std::getline(std::ifstream{used.store.file()}, whole);
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    std::ofstream{used.store.file()} << whole.substr(0, size);
    CHECK_FALSE(used.start(used.keys).usable);
  }
}
