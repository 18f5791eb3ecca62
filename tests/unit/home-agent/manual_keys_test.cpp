// Manual keys at the home agent: served only while it is known which updates they have carried.
#include "examples/home-agent/manual_keys.hpp"

#include <sqlite3.h>

#include "tests/catch.hpp"
#include "tests/unit/home-agent/store_harness.hpp"
#include "tests/unit/temporary_folder.hpp"

namespace mip6ha {
namespace {

using mip6::agent::BindingRecord;

const auto kHome = *mip6::Ipv6Address::parse("2001:db8:1::42");

NodeConfig with_new_keys() { return mip6ha::with_new_keys("laptop", kHome); }

BindingRecord record(std::uint16_t sequence) {
  return {.home_address = kHome, .care_of = std::nullopt, .sequence = mip6::SequenceNumber{sequence}};
}

struct Bench {
  Bench() { open(); }
  void open() {
    store.reset();
    store = opened(folder.path());
  }
  // What a start of the home agent makes of the node; empty: it is served.
  std::string start(const NodeConfig& node) {
    open();
    return judged(*store, node);
  }
  // Changes the database from outside.
  void change(const char* sql) {
    store.reset();
    sqlite3* database = nullptr;
    REQUIRE(sqlite3_open((folder.path() / "agent.db").c_str(), &database) == SQLITE_OK);
    CHECK(sqlite3_exec(database, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(database);
  }

  TemporaryFolder folder;
  std::unique_ptr<Store> store;
};

TEST_CASE("manual keys without a record are refused until they change or are said to be new", "[manual]") {
  Bench bench;
  const auto node = with_new_keys();
  CHECK_FALSE(bench.start(node).empty());
  CHECK_FALSE(bench.start(node).empty());
  SECTION("changed") { CHECK(bench.start(with_new_keys()).empty()); }
  SECTION("said to be new") {
    REQUIRE(take_as_new(*bench.store, node));
    CHECK(bench.start(node).empty());
  }
  SECTION("said to be new before the first start") {
    const auto other = with_new_keys();
    Bench another;
    REQUIRE(take_as_new(*another.store, other));
    CHECK(another.start(other).empty());
  }
}

TEST_CASE("the last number is kept until the manual keys change", "[manual]") {
  Bench bench;
  const auto node = with_new_keys();
  REQUIRE(take_as_new(*bench.store, node));
  REQUIRE(bench.store->save({record(700)}));
  CHECK(bench.start(node).empty());
  REQUIRE(bench.store->records()->size() == 1);
  CHECK(bench.store->records()->front().sequence == mip6::SequenceNumber{700});
  CHECK_FALSE(take_as_new(*bench.store, node));

  const auto other = with_new_keys();
  CHECK(bench.start(other).empty());
  CHECK(bench.store->records()->empty());
  CHECK(bench.start(node).find("had been replaced") != std::string::npos);
  CHECK(bench.start(other).empty());
}

TEST_CASE("a node whose last number is lost is refused until its manual keys change", "[manual]") {
  Bench bench;
  const auto node = with_new_keys();
  REQUIRE(take_as_new(*bench.store, node));
  CHECK(bench.start(node).empty());  // none is there yet, and none is missing
  REQUIRE(bench.store->save({record(700)}));
  bench.change("DELETE FROM bindings");
  CHECK(bench.start(node) == "the last sequence number under these manual keys is lost");
  CHECK_FALSE(take_as_new(*bench.store, node));
  CHECK(bench.start(with_new_keys()).empty());
}

TEST_CASE("manual keys that come back after keys by IKE are refused: the last number was counted under those",
          "[manual]") {
  Bench bench;
  const auto manual = with_new_keys();
  REQUIRE(bench.start(manual) != "");
  REQUIRE(take_as_new(*bench.store, manual));
  REQUIRE(bench.store->save({record(30000)}));
  CHECK(bench.start(manual).empty());
  auto by_ike = manual;
  by_ike.manual_keys.reset();
  CHECK(bench.start(by_ike).empty());
  REQUIRE(bench.store->save({record(5)}));
  CHECK_FALSE(bench.start(manual).empty());
  CHECK_FALSE(take_as_new(*bench.store, manual));
  auto other = with_new_keys();
  CHECK(bench.start(other).empty());
}

TEST_CASE("a damaged record of manual keys is an error, not a first start", "[manual]") {
  Bench bench;
  const auto node = with_new_keys();
  REQUIRE(take_as_new(*bench.store, node));
  bench.change("UPDATE manual_keys SET keys = '{}'");
  bench.open();
  const auto verdict = judge(*bench.store, node, false);
  REQUIRE_FALSE(verdict);
  CHECK_FALSE(verdict.error().remedy.empty());
}

TEST_CASE("where many nodes have manual keys, the administrator is told that IKE should be used", "[manual]") {
  CHECK(advice_on(0).empty());
  CHECK(advice_on(kManyManualNodes).empty());
  CHECK(advice_on(kManyManualNodes + 1).find("IKE should be used") != std::string::npos);
}

TEST_CASE("a database of an older format is taken over with its records", "[store]") {
  Bench bench;
  REQUIRE(bench.store->save({record(9)}));
  bench.change("DROP TABLE bans");
  const auto without_clocks = [&] {
    bench.change("ALTER TABLE bindings DROP COLUMN boot_id; ALTER TABLE bindings DROP COLUMN expires_boot");
  };
  SECTION("the first") {
    without_clocks();
    bench.change("DROP TRIGGER manual_keys_used; DROP TABLE manual_keys; PRAGMA user_version = 1;");
  }
  SECTION("the second") {
    without_clocks();
    bench.change("ALTER TABLE manual_keys DROP COLUMN restored; PRAGMA user_version = 2;");
  }
  SECTION("the third") { bench.change("PRAGMA user_version = 3;"); }
  bench.open();
  CHECK(bench.store->bans()->empty());
  CHECK(bench.store->ban({.name = "laptop", .why = "", .since = 1}));
  CHECK(bench.store->records()->front().sequence == mip6::SequenceNumber{9});
  const auto node = with_new_keys();
  REQUIRE(take_as_new(*bench.store, node));
  CHECK(bench.start(node).empty());
}

}  // namespace
}  // namespace mip6ha
