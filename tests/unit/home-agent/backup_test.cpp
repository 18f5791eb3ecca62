// Backups: made while the home agent runs, and restored without trust in what they say of sequence numbers.
#include "examples/home-agent/backup.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "examples/home-agent/manual_keys.hpp"
#include "examples/home-agent/store.hpp"
#include "mnd/linux/kernel.hpp"
#include "tests/catch.hpp"
#include "tests/unit/home-agent/store_harness.hpp"
#include "tests/unit/temporary_folder.hpp"

namespace mip6ha {
namespace {

using mip6::agent::BindingRecord;

const auto kHome = *mip6::Ipv6Address::parse("2001:db8:1::42");
const auto kManual = *mip6::Ipv6Address::parse("2001:db8:1::43");

BindingRecord record(const mip6::Ipv6Address& home_address, std::uint16_t sequence) {
  return {.home_address = home_address, .care_of = std::nullopt, .sequence = mip6::SequenceNumber{sequence}};
}

NodeConfig with_new_keys() { return mip6ha::with_new_keys("tablet", kManual); }

struct Bench {
  std::unique_ptr<Store> opened() const { return mip6ha::opened(state); }
  // What a start of the home agent makes of the node; empty: it is served.
  std::string start(const NodeConfig& node) const { return judged(*opened(), node); }
  void restore() const {
    const auto done = Store::restore(state, backup);
    if (!done) FAIL(done.error().to_string());
  }

  TemporaryFolder folder;
  std::filesystem::path state = folder / "state";
  std::filesystem::path backup = folder / "backup";
};

TEST_CASE("a backup is made while the home agent writes, and has all that was stored by then", "[backup]") {
  const Bench bench;
  const auto store = bench.opened();
  REQUIRE(store->reqid_of("laptop", kHome));
  REQUIRE(store->save({record(kHome, 7)}));
  REQUIRE(store->copy_to(bench.backup));
  REQUIRE(store->save({record(kHome, 8)}));
  CHECK(std::filesystem::status(bench.backup).permissions() ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  CHECK_FALSE(std::filesystem::exists(bench.folder / "backup.new"));

  std::filesystem::create_directory(bench.folder / "looked-at");
  std::filesystem::copy_file(bench.backup, bench.folder / "looked-at" / "agent.db");
  const auto copy = Store::open(bench.folder / "looked-at");
  REQUIRE(copy);
  CHECK((*copy)->records() == std::vector{record(kHome, 7)});
  CHECK(store->copy_to(bench.backup));  // replaces it
}

TEST_CASE("after a restore reqids are there, and no sequence number of the past", "[backup]") {
  const Bench bench;
  const auto first = mnd::kernel::kAgentFirstReqid;
  {
    const auto store = bench.opened();
    REQUIRE(store->reqid_of("phone", kManual) == first);
    REQUIRE(store->reqid_of("laptop", kHome) == first + 1);
    REQUIRE(store->save({record(kHome, 7)}));
    REQUIRE(store->copy_to(bench.backup));
    REQUIRE(store->save({record(kHome, 20000)}));
  }
  SECTION("of a database that is there") {}
  SECTION("of one that is lost with its machine") { std::filesystem::remove_all(bench.state); }
  SECTION("of a damaged one") { std::ofstream{bench.state / "agent.db"} << "damaged"; }
  SECTION("of one of which only the log is there") {
    std::filesystem::rename(bench.state / "agent.db", bench.state / "agent.db-wal");
  }
  bench.restore();
  CHECK_FALSE(std::filesystem::exists(bench.state / "agent.db.new"));
  const auto store = bench.opened();
  CHECK(store->reqid_of("laptop", kHome) == first + 1);
  // What the home agent takes for a lost number: keys by IKE are made anew before it takes an update.
  CHECK(store->records() == std::vector<BindingRecord>{});
}

TEST_CASE("what a restore replaces is kept beside", "[backup]") {
  const Bench bench;
  {
    const auto store = bench.opened();
    REQUIRE(store->copy_to(bench.backup));
    REQUIRE(store->save({record(kHome, 9)}));
  }
  bench.restore();
  std::filesystem::rename(bench.state / "agent.db.replaced", bench.state / "agent.db");
  CHECK(bench.opened()->records() == std::vector{record(kHome, 9)});
}

TEST_CASE("after a restore a node is refused until its manual keys change, whichever it had", "[backup]") {
  const Bench bench;
  const auto at_backup = with_new_keys();
  const auto since = with_new_keys();
  {
    const auto store = bench.opened();
    REQUIRE(take_as_new(*store, at_backup));
    REQUIRE(store->save({record(kManual, 7)}));
    REQUIRE(store->copy_to(bench.backup));
  }
  NodeConfig present;
  SECTION("those of the backup") { present = at_backup; }
  SECTION("others, which it does not know") {
    present = since;
    CHECK(bench.start(since).empty());
  }
  bench.restore();
  SECTION("the operator cannot call them new without a look") {
    CHECK_FALSE(take_as_new(*bench.opened(), at_backup));
    present = at_backup;
  }
  if (!present.manual_keys) return;
  CHECK(bench.start(present).find("backup") != std::string::npos);
  CHECK_FALSE(bench.start(present).empty());  // and at each further start
  CHECK_FALSE(take_as_new(*bench.opened(), present));
  const auto rotated = with_new_keys();
  CHECK(bench.start(rotated).empty());
  CHECK(bench.start(rotated).empty());
  CHECK_FALSE(bench.start(present).empty());
}

TEST_CASE("a restore is refused while a home agent runs", "[backup]") {
  const Bench bench;
  const auto store = bench.opened();
  REQUIRE(store->copy_to(bench.backup));
  REQUIRE(store->save({record(kHome, 7)}));
  const pid_t child = ::fork();
  if (child == 0) {
    const auto done = Store::restore(bench.state, bench.backup);
    ::_exit(!done && done.error().remedy.find("stop it") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(store->save({record(kHome, 8)}));
}

TEST_CASE("a backup that is none is refused, and the present database stays", "[backup]") {
  const Bench bench;
  {
    const auto store = bench.opened();
    REQUIRE(store->save({record(kHome, 7)}));
    REQUIRE(store->copy_to(bench.backup));
  }
  std::string remedy = "another one";
  SECTION("missing") {
    std::filesystem::remove(bench.backup);
    remedy.clear();
  }
  SECTION("empty") { std::filesystem::resize_file(bench.backup, 0); }
  SECTION("something else") { std::ofstream{bench.backup} << "something else"; }
  SECTION("cut short") { std::filesystem::resize_file(bench.backup, 8192); }
  SECTION("of a newer version") {
    std::fstream stream{bench.backup, std::ios::in | std::ios::out | std::ios::binary};
    stream.seekp(63);  // user_version, big-endian
    stream.put(99);
    remedy = "newer";
  }
  const auto done = Store::restore(bench.state, bench.backup);
  REQUIRE_FALSE(done);
  INFO(done.error().to_string());
  CHECK(done.error().on == bench.backup.string());
  CHECK(done.error().remedy.find(remedy) != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(bench.state / "agent.db.new"));
  CHECK(bench.opened()->records() == std::vector{record(kHome, 7)});
}

TEST_CASE("a backup is taken back while the home agent runs, with the same distrust", "[backup]") {
  const Bench bench;
  const auto store = bench.opened();
  const auto keys = with_new_keys();
  REQUIRE(take_as_new(*store, keys));
  const auto laptop = store->reqid_of("laptop", kHome);
  REQUIRE(store->ban({.name = "phone", .why = "stolen", .since = 7}));
  REQUIRE(store->save({record(kHome, 7), record(kManual, 7)}));
  REQUIRE(store->copy_to(bench.backup));
  REQUIRE(store->unban("phone"));
  REQUIRE(store->reqid_of("tablet", kManual));
  REQUIRE(store->save({record(kHome, 20000)}));
  bench.folder.file("state/agent.db.replaced-wal", "of another file");

  REQUIRE(store->take_back(bench.backup));
  CHECK(store->records() == std::vector<BindingRecord>{});
  CHECK(store->has_record(kHome) == false);
  CHECK(store->nodes() == std::vector{StoredNode{.name = "laptop", .home_address = kHome, .reqid = *laptop}});
  CHECK(store->bans()->size() == 1);
  CHECK(judged(*store, keys).find("backup") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(bench.state / "agent.db.new"));
  REQUIRE(store->save({record(kHome, 3)}));
  CHECK(store->has_record(kHome) == true);
  REQUIRE(store->take_back(bench.backup));  // once more
  CHECK(store->has_record(kHome) == false);

  // What it replaced, the last time.
  std::filesystem::create_directory(bench.folder / "looked-at");
  std::filesystem::copy_file(bench.state / "agent.db.replaced", bench.folder / "looked-at" / "agent.db");
  CHECK_FALSE(std::filesystem::exists(bench.state / "agent.db.replaced-wal"));
  CHECK(mip6ha::opened(bench.folder / "looked-at")->records() == std::vector{record(kHome, 3)});
}

TEST_CASE("a backup that is none changes nothing of what runs", "[backup]") {
  const Bench bench;
  const auto store = bench.opened();
  REQUIRE(store->save({record(kHome, 7)}));
  REQUIRE(store->copy_to(bench.backup));
  SECTION("missing") { std::filesystem::remove(bench.backup); }
  SECTION("something else") { std::ofstream{bench.backup} << "something else"; }
  SECTION("cut short") { std::filesystem::resize_file(bench.backup, 8192); }
  const auto taken = store->take_back(bench.backup);
  REQUIRE_FALSE(taken);
  CHECK(taken.error().on == bench.backup.string());
  CHECK_FALSE(std::filesystem::exists(bench.state / "agent.db.new"));
  CHECK_FALSE(std::filesystem::exists(bench.state / "agent.db.replaced"));
  CHECK(store->records() == std::vector{record(kHome, 7)});
}

TEST_CASE("the client puts a backup where it is wanted, has it taken, and leaves nothing there", "[backup]") {
  const Bench bench;
  const auto backup = bench.folder.file("mine", std::string{"some\0bytes", 10});
  const auto place = bench.folder / "place";
  const nlohmann::json answer{{"version", 1}, {"place", place.string()}};
  int asked = 0;
  const auto given = give_backup(answer, backup, [&](const nlohmann::json& request) {
    ++asked;
    CHECK(request == nlohmann::json{{"command", "import"}, {"placed", true}});
    CHECK(std::filesystem::file_size(place) == 10);
    return nlohmann::json{{"version", 1}};
  });
  CHECK(given == nlohmann::json{{"version", 1}, {"file", backup.string()}});
  CHECK_FALSE(std::filesystem::exists(place));

  const auto refuse = [&](const nlohmann::json&) -> tl::expected<nlohmann::json, mip6::Error> {
    ++asked;
    return tl::unexpected(mip6::Error{.tried = "import", .os_error = 0});
  };
  CHECK_FALSE(give_backup(answer, backup, refuse));
  CHECK_FALSE(std::filesystem::exists(place));
  CHECK(asked == 2);
  CHECK_FALSE(give_backup(answer, bench.folder / "none", refuse));
  CHECK_FALSE(give_backup(answer, bench.folder.file("empty", ""), refuse));
  CHECK_FALSE(give_backup({{"place", 7}}, backup, refuse));
  CHECK(asked == 2);
}

TEST_CASE("the client moves the copy to where it was asked for", "[backup]") {
  const Bench bench;
  const auto copy = bench.folder.file("copy", std::string{"some\0bytes", 10});
  const auto taken = take_copy({{"version", 1}, {"file", copy.string()}}, bench.backup);
  REQUIRE(taken);
  CHECK(*taken == nlohmann::json{{"version", 1}, {"file", bench.backup.string()}, {"bytes", 10}});
  CHECK(std::filesystem::file_size(bench.backup) == 10);
  CHECK_FALSE(std::filesystem::exists(copy));

  CHECK_FALSE(take_copy({{"file", copy.string()}}, bench.backup));  // taken already
  CHECK_FALSE(take_copy({{"file", 7}}, bench.backup));
  CHECK_FALSE(take_copy(nlohmann::json::object(), bench.backup));
  bench.folder.file("copy", "again");
  CHECK_FALSE(take_copy({{"file", copy.string()}}, bench.folder / "no" / "folder"));
  CHECK(std::filesystem::exists(copy));
}

}  // namespace
}  // namespace mip6ha
