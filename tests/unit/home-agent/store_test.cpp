// The store: what was saved is there again after a crash, and a damaged file is never taken for a first start.
#include "examples/home-agent/store.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "mnd/linux/kernel.hpp"
#include "tests/catch.hpp"
#include "tests/unit/home-agent/store_harness.hpp"
#include "tests/unit/temporary_folder.hpp"

namespace mip6ha {
namespace {

using mip6::Ipv6Address;
using mip6::SequenceNumber;
using mip6::agent::BindingRecord;

Ipv6Address address(const char* text) { return *Ipv6Address::parse(text); }

BindingRecord record(const char* home, std::uint16_t sequence) {
  return {.home_address = address(home),
          .care_of = address("2001:db8:a1::7"),
          .sequence = SequenceNumber{sequence},
          .key_mobility = true,
          .granted = mip6::Lifetime{420},
          .expires_unix = 1'800'000'000,
          .link_local = true};
}

TEST_CASE("each node has a reqid of its own, the same after a restart", "[store]") {
  const TemporaryFolder folder;
  const auto first = mnd::kernel::kAgentFirstReqid;
  {
    const auto store = opened(folder.path());
    CHECK(store->reqid_of("one", address("2001:db8:1::42")) == first);
    CHECK(store->reqid_of("two", address("2001:db8:1::43")) == first + 1);
    CHECK(store->reqid_of("one", address("2001:db8:1::42")) == first);
  }
  const auto store = opened(folder.path());
  CHECK(store->reqid_of("two", address("2001:db8:1::43")) == first + 1);
  CHECK(store->reqid_of("three", address("2001:db8:1::44")) == first + 2);
}

TEST_CASE("a node that moves to another home address keeps its reqid", "[store]") {
  const TemporaryFolder folder;
  const auto store = opened(folder.path());
  const auto reqid = store->reqid_of("one", address("2001:db8:1::42"));
  CHECK(store->reqid_of("one", address("2001:db8:1::50")) == reqid);
  const auto nodes = store->nodes();
  REQUIRE(nodes);
  CHECK(*nodes == std::vector<StoredNode>{{.name = "one", .home_address = address("2001:db8:1::50"), .reqid = *reqid}});
}

TEST_CASE("a record is there again with all its fields after reopening", "[store]") {
  const TemporaryFolder folder;
  auto without_binding = record("2001:db8:1::43", 65535);
  without_binding.care_of.reset();
  without_binding.key_mobility = false;
  without_binding.granted = mip6::Lifetime{0};
  without_binding.expires_unix = 0;
  without_binding.link_local = false;
  {
    const auto store = opened(folder.path());
    CHECK(store->save({record("2001:db8:1::42", 7)}));
    CHECK(store->save({without_binding}));
  }
  const auto records = opened(folder.path())->records();
  REQUIRE(records);
  CHECK(*records == std::vector<BindingRecord>{record("2001:db8:1::42", 7), without_binding});
}

TEST_CASE("saving a record replaces the former one of that home address", "[store]") {
  const TemporaryFolder folder;
  const auto store = opened(folder.path());
  CHECK(store->save({record("2001:db8:1::42", 7)}));
  CHECK(store->save({record("2001:db8:1::42", 8)}));
  const auto records = store->records();
  REQUIRE(records);
  REQUIRE(records->size() == 1);
  CHECK(records->front().sequence == SequenceNumber{8});
}

TEST_CASE("records that are saved together are all there, of two for one home address the last", "[store]") {
  const TemporaryFolder folder;
  const auto store = opened(folder.path());
  CHECK(store->save({}));
  CHECK(store->save({record("2001:db8:1::42", 7), record("2001:db8:1::43", 9), record("2001:db8:1::42", 8)}));
  CHECK(store->records() == std::vector<BindingRecord>{record("2001:db8:1::42", 8), record("2001:db8:1::43", 9)});
}

TEST_CASE("the end of a binding on the boot clock is told in the same boot only", "[store]") {
  const TemporaryFolder folder;
  auto bound = record("2001:db8:1::42", 7);
  bound.expires_boot = mip6::BootTime{std::chrono::nanoseconds{123'456'789'012}};
  const auto read = [&](const std::string& boot_id) {
    const auto store = Store::open(folder.path(), boot_id);
    REQUIRE(store);
    const auto records = (*store)->records();
    REQUIRE(records);
    REQUIRE(records->size() == 1);
    return records->front();
  };
  const auto saved_in = GENERATE("a boot", "");
  {
    const auto store = Store::open(folder.path(), saved_in);
    REQUIRE(store);
    REQUIRE((*store)->save({bound}));
  }
  CHECK((read("a boot") == bound) == (std::string{saved_in} == "a boot"));
  bound.expires_boot.reset();
  CHECK(read("another boot") == bound);
  CHECK(read("") == bound);
}

TEST_CASE("a ban that ends by itself keeps its end on both clocks, that of the boot clock in the same boot only",
          "[store]") {
  const TemporaryFolder folder;
  const StoredBan for_ever{.name = "laptop", .why = "stolen", .since = 7};
  StoredBan for_a_while{.name = "phone", .why = "floods", .since = 8};
  for_a_while.end = BanEnd{.at = {.granted = mip6::Lifetime{600},
                                  .expires_unix = 608,
                                  .expires_boot = mip6::BootTime{std::chrono::nanoseconds{123'456'789'012}}},
                           .strikes = 3};
  const auto in_boot = [&](const std::string& boot_id) {
    auto store = Store::open(folder.path(), boot_id);
    REQUIRE(store);
    return std::move(*store);
  };
  REQUIRE(in_boot("a boot")->ban(for_ever));
  REQUIRE(in_boot("a boot")->ban(for_a_while));
  CHECK(in_boot("a boot")->bans() == std::vector{for_ever, for_a_while});
  for_a_while.end->at.expires_boot.reset();
  CHECK(in_boot("another boot")->bans() == std::vector{for_ever, for_a_while});
  for_a_while.end.reset();  // the administrator's, in its place
  REQUIRE(in_boot("a boot")->ban(for_a_while));
  CHECK(in_boot("a boot")->bans() == std::vector{for_ever, for_a_while});
}

TEST_CASE("the kernel tells which boot it is", "[store]") {
  CHECK(mnd::kernel::boot_id().size() == 36);
  CHECK(mnd::kernel::boot_id() == mnd::kernel::boot_id());
}

TEST_CASE("what was saved survives a process that is killed right after", "[store]") {
  const TemporaryFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    auto store = Store::open(folder.path());
    const bool saved =
        store && (*store)->reqid_of("one", address("2001:db8:1::42")) && (*store)->save({record("2001:db8:1::42", 7)});
    if (saved) ::kill(::getpid(), SIGKILL);  // no destructor, no checkpoint
    ::_exit(1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(WTERMSIG(status) == SIGKILL);
  const auto store = opened(folder.path());
  const auto records = store->records();
  REQUIRE(records);
  CHECK(*records == std::vector<BindingRecord>{record("2001:db8:1::42", 7)});
  const auto nodes = store->nodes();
  REQUIRE(nodes);
  CHECK(nodes->size() == 1);
}

TEST_CASE("folder and database are made, for their owner only", "[store]") {
  const TemporaryFolder folder;
  const auto state = folder.path() / "state";
  const auto store = opened(state);
  using std::filesystem::perms;
  CHECK(std::filesystem::status(state).permissions() == perms::owner_all);
  CHECK(std::filesystem::status(state / "agent.db").permissions() == (perms::owner_read | perms::owner_write));
  CHECK(store->save({record("2001:db8:1::42", 7)}));
  CHECK(std::filesystem::status(state / "agent.db-wal").permissions() == (perms::owner_read | perms::owner_write));
}

TEST_CASE("a second process is kept out while the first has the store open", "[store]") {
  const TemporaryFolder folder;
  const auto store = opened(folder.path());
  const pid_t child = ::fork();
  if (child == 0) {
    const auto second = Store::open(folder.path());
    ::_exit(!second && second.error().remedy.find("another mip6-ha") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

// The error of opening a store whose file was spoilt.
mip6::Error refusal(const TemporaryFolder& folder) {
  const auto store = Store::open(folder.path());
  REQUIRE_FALSE(store);
  return store.error();
}

TEST_CASE("a damaged database is an error with a remedy, not a start at zero", "[store]") {
  const TemporaryFolder folder;
  {
    const auto store = opened(folder.path());
    for (std::uint16_t i = 0; i < 500; ++i) {
      auto one = record("2001:db8:1::42", i);
      one.home_address.bytes[14] = static_cast<std::uint8_t>(i >> 8);
      one.home_address.bytes[15] = static_cast<std::uint8_t>(i);
      REQUIRE(store->save({one}));
    }
  }
  const auto file = folder.path() / "agent.db";
  const auto size = std::filesystem::file_size(file);

  SECTION("emptied") { std::filesystem::resize_file(file, 0); }
  SECTION("cut short") { std::filesystem::resize_file(file, size / 2); }
  SECTION("something else") { folder.file("agent.db", std::string(size, 'x')); }
  SECTION("a page overwritten") {
    std::fstream stream{file, std::ios::in | std::ios::out | std::ios::binary};
    stream.seekp(static_cast<std::streamoff>(size) - 4096);
    stream << std::string(4096, 'x');
  }
  SECTION("the file gone, its log left") { std::filesystem::rename(file, folder.path() / "agent.db-wal"); }
  const auto error = refusal(folder);
  INFO(error.to_string());
  CHECK(error.remedy.find("restore it from a backup") != std::string::npos);
  CHECK(error.on.find("agent.db") != std::string::npos);
}

TEST_CASE("a record is not taken for stored when the database was removed or replaced meanwhile", "[store]") {
  const TemporaryFolder folder;
  const auto store = opened(folder.path());
  REQUIRE(store->save({record("2001:db8:1::42", 1)}));
  const auto file = folder.path() / "agent.db";
  SECTION("removed") { std::filesystem::remove(file); }
  SECTION("its log removed") { std::filesystem::remove(folder.path() / "agent.db-wal"); }
  SECTION("replaced") {
    std::filesystem::rename(file, folder.path() / "elsewhere");
    std::filesystem::copy_file(folder.path() / "elsewhere", file);
  }
  const auto saved = store->save({record("2001:db8:1::42", 2)});
  REQUIRE_FALSE(saved);
  CHECK(saved.error().reason.find("removed or replaced") != std::string::npos);
}

TEST_CASE("a database of a newer version is left alone", "[store]") {
  const TemporaryFolder folder;
  opened(folder.path());
  {
    // user_version stands at byte 60 of the file, big-endian.
    std::fstream stream{folder.path() / "agent.db", std::ios::in | std::ios::out | std::ios::binary};
    stream.seekp(63);
    stream.put(99);
  }
  const auto error = refusal(folder);
  CHECK(error.reason.find("format 99") != std::string::npos);
  CHECK(error.remedy.find("newer") != std::string::npos);
}

TEST_CASE("a first start that was interrupted is repeated", "[store]") {
  const TemporaryFolder folder;
  folder.file("agent.db.new", "half made");
  folder.file("agent.db.new-wal", "half made");
  const auto records = opened(folder.path())->records();
  REQUIRE(records);
  CHECK(records->empty());
}

TEST_CASE("a state directory that cannot be is an error with a remedy", "[store]") {
  const TemporaryFolder folder;
  folder.file("file", "");
  const auto store = Store::open(folder.path() / "file");
  REQUIRE_FALSE(store);
  CHECK_FALSE(store.error().remedy.empty());
}

TEST_CASE("bans outlast the process, in the order of names, until they are lifted", "[store]") {
  const TemporaryFolder folder;
  {
    const auto store = opened(folder.path());
    CHECK(store->bans()->empty());
    REQUIRE(store->ban({.name = "phone", .why = "stolen", .since = 1'700'000'000}));
    REQUIRE(store->ban({.name = "desk", .why = "", .since = 1'700'000'001}));
    REQUIRE(store->ban({.name = "phone", .why = "it's \"lost\"", .since = 1'700'000'002}));
  }
  {
    const auto store = opened(folder.path());
    const auto bans = store->bans();
    REQUIRE(bans);
    CHECK(*bans == std::vector<StoredBan>{{.name = "desk", .why = "", .since = 1'700'000'001},
                                          {.name = "phone", .why = "it's \"lost\"", .since = 1'700'000'002}});
    REQUIRE(store->unban("desk"));
    REQUIRE(store->unban("nobody"));
  }
  CHECK(opened(folder.path())->bans()->size() == 1);
}

TEST_CASE("a ban is not taken for stored when the database was removed", "[store]") {
  const TemporaryFolder folder;
  const auto store = opened(folder.path());
  std::filesystem::remove(folder.path() / "agent.db");
  CHECK_FALSE(store->ban({.name = "phone", .why = "", .since = 1}));
  CHECK_FALSE(store->unban("phone"));
}

}  // namespace
}  // namespace mip6ha
