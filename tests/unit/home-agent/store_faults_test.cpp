// The store on a disk that is full, fails or is read-only: what cannot be made durable is an error with a remedy, and
// what one sync costs.
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <set>

#include "examples/home-agent/store.hpp"
#include "tests/catch.hpp"
#include "tests/unit/home-agent/store_harness.hpp"
#include "tests/unit/temporary_folder.hpp"

namespace {

int syncs = 0;
int sync_error = 0;   // errno of each sync; 0: none
int write_error = 0;  // errno of each write; 0: none

int counted(long call, int fd) {
  ++syncs;
  if (sync_error == 0) return static_cast<int>(::syscall(call, fd));
  errno = sync_error;
  return -1;
}

int writes_left = 0;  // until this process is killed by one

ssize_t die_of_writing(int fd, const void* data, std::size_t size, off_t offset) {
  if (writes_left-- == 0) ::kill(::getpid(), SIGKILL);
  return ::pwrite(fd, data, size, offset);
}

ssize_t refuse_to_write(int, const void*, std::size_t, off_t) {
  errno = write_error;
  return -1;
}

int open_read_only(const char* path, int flags, int mode) {
  if ((flags & O_ACCMODE) == O_RDONLY) return ::open(path, flags, mode);
  errno = EROFS;
  return -1;
}

}  // namespace

// SQLite lets a test replace all of its system calls but these. A program's own come before those of its libraries.
extern "C" int fdatasync(int fd) { return counted(SYS_fdatasync, fd); }
extern "C" int fsync(int fd) { return counted(SYS_fsync, fd); }

namespace mip6ha {
namespace {

constexpr std::array kWrites{"write", "pwrite", "pwrite64"};

void replace_call(const char* name, sqlite3_syscall_ptr call) {
  auto* vfs = sqlite3_vfs_find(nullptr);
  vfs->xSetSystemCall(vfs, name, call);
}

// While it lives, no write of SQLite succeeds. The first three parameters of write() are those of pwrite().
class FailingWrites {
 public:
  explicit FailingWrites(int error) {
    write_error = error;
    for (const char* name : kWrites) replace_call(name, reinterpret_cast<sqlite3_syscall_ptr>(refuse_to_write));
  }
  FailingWrites(const FailingWrites&) = delete;
  FailingWrites& operator=(const FailingWrites&) = delete;
  ~FailingWrites() {
    for (const char* name : kWrites) replace_call(name, nullptr);
  }
};

mip6::agent::BindingRecord record(std::uint8_t node, std::uint16_t sequence) {
  auto home_address = *mip6::Ipv6Address::parse("2001:db8:1::42");
  home_address.bytes[15] = node;
  return {.home_address = home_address, .care_of = std::nullopt, .sequence = mip6::SequenceNumber{sequence}};
}

TEST_CASE("one record costs one sync, and so do a hundred", "[store]") {
  const TemporaryFolder folder;
  const auto store = opened(folder.path());
  REQUIRE(store->save({record(1, 1)}));  // the first one also begins the log
  const auto syncs_of = [&](const std::vector<mip6::agent::BindingRecord>& records) {
    syncs = 0;
    REQUIRE(store->save(records));
    return syncs;
  };
  CHECK(syncs_of({record(1, 2)}) == 1);
  std::vector<mip6::agent::BindingRecord> hundred;
  for (std::uint8_t node = 0; node < 100; ++node) hundred.push_back(record(node, 3));
  CHECK(syncs_of(hundred) == 1);
}

TEST_CASE("the reqids of a hundred new nodes cost one sync, those of known ones none", "[store]") {
  const TemporaryFolder folder;
  const auto store = opened(folder.path());
  const auto known = store->reqid_of("node-7", record(7, 0).home_address);
  std::vector<StoredNode> nodes;
  for (std::uint8_t node = 0; node < 100; ++node)
    nodes.push_back({.name = "node-" + std::to_string(node), .home_address = record(node, 0).home_address});
  syncs = 0;
  const auto reqids = store->reqids_of(nodes);
  CHECK(syncs == 1);
  REQUIRE(reqids);
  CHECK(reqids->at(7) == known);
  CHECK(std::set<std::uint32_t>(reqids->begin(), reqids->end()).size() == 100);
  syncs = 0;
  CHECK(store->reqids_of(nodes) == reqids);
  CHECK(store->reqid_of("node-99", record(99, 0).home_address) == reqids->at(99));
  CHECK(syncs == 0);
}

TEST_CASE("of new nodes that the disk does not take, none has a reqid, and the next call gives them", "[store]") {
  const TemporaryFolder folder;
  const auto store = opened(folder.path());
  const std::vector<StoredNode> nodes{{.name = "one", .home_address = record(1, 0).home_address},
                                      {.name = "two", .home_address = record(2, 0).home_address}};
  {
    const FailingWrites full{ENOSPC};
    const auto refused = store->reqids_of(nodes);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().remedy.find("make room") != std::string::npos);
  }
  CHECK(store->nodes()->empty());
  CHECK(store->reqids_of(nodes)->size() == 2);
}

TEST_CASE("a group that the disk does not take is an error, nothing of it is stored, and the next one can be",
          "[store]") {
  const TemporaryFolder folder;
  const auto store = opened(folder.path());
  REQUIRE(store->save({record(1, 1)}));
  const std::vector<mip6::agent::BindingRecord> group{record(1, 2), record(2, 1)};
  std::string remedy;
  int reason = 0;  // the system's
  tl::expected<void, mip6::Error> saved;
  SECTION("full") {
    const FailingWrites full{ENOSPC};
    saved = store->save(group);
    remedy = "make room";
  }
  SECTION("read-only since") {
    const FailingWrites read_only{EROFS};
    saved = store->save(group);
    remedy = "read-only";
    reason = EROFS;
  }
  SECTION("its sync fails") {
    sync_error = EIO;
    saved = store->save(group);
    sync_error = 0;
    remedy = "failing";
    reason = EIO;
  }
  REQUIRE_FALSE(saved);
  INFO(saved.error().to_string());
  CHECK(saved.error().on.find("agent.db") != std::string::npos);
  CHECK(saved.error().remedy.find(remedy) != std::string::npos);
  CHECK(saved.error().os_error == reason);
  CHECK(store->records() == std::vector{record(1, 1)});
  CHECK(store->save(group));
  CHECK(store->records() == std::vector{record(1, 2), record(2, 1)});
}

TEST_CASE("a home agent with nothing new starts on a full disk", "[store]") {
  const TemporaryFolder folder;
  const auto home_address = record(1, 1).home_address;
  std::uint32_t reqid = 0;
  {
    const auto store = opened(folder.path());
    reqid = store->reqid_of("laptop", home_address).value();
    REQUIRE(store->save({record(1, 1)}));
  }
  const FailingWrites full{ENOSPC};
  const auto store = opened(folder.path());
  CHECK(store->reqid_of("laptop", home_address) == reqid);
  CHECK(store->leave_manual_keys(home_address));
  CHECK(store->records() == std::vector{record(1, 1)});
  const auto other = store->reqid_of("phone", home_address);
  REQUIRE_FALSE(other);
  CHECK(other.error().remedy.find("make room") != std::string::npos);
}

TEST_CASE("a start on a read-only disk is an error with a remedy, also after a crash", "[store]") {
  const TemporaryFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    const auto store = Store::open(folder.path());
    if (store && (*store)->save({record(1, 1)})) ::kill(::getpid(), SIGKILL);
    ::_exit(1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  {
    replace_call("open", reinterpret_cast<sqlite3_syscall_ptr>(open_read_only));
    const auto store = Store::open(folder.path());
    replace_call("open", nullptr);
    REQUIRE_FALSE(store);
    INFO(store.error().to_string());
    CHECK(store.error().on.find("agent.db") != std::string::npos);
    CHECK(store.error().remedy.find("read-only") != std::string::npos);
  }
  CHECK(opened(folder.path())->records() == std::vector{record(1, 1)});
}

TEST_CASE("a first start on a full disk is an error with a remedy", "[store]") {
  const TemporaryFolder folder;
  const FailingWrites full{ENOSPC};
  const auto store = Store::open(folder.path());
  REQUIRE_FALSE(store);
  CHECK(store.error().remedy.find("make room") != std::string::npos);
}

TEST_CASE("an export that finds no room leaves nothing, and the store works on", "[store]") {
  const TemporaryFolder folder;
  const auto store = opened(folder.path());
  REQUIRE(store->save({record(1, 1)}));
  {
    const FailingWrites full{ENOSPC};
    const auto copied = store->copy_to(folder / "copy");
    REQUIRE_FALSE(copied);
    CHECK(copied.error().remedy.find("make room") != std::string::npos);
  }
  CHECK_FALSE(std::filesystem::exists(folder / "copy"));
  CHECK_FALSE(std::filesystem::exists(folder / "copy.new"));
  CHECK(store->save({record(1, 2)}));
}

// A store that had more than its backup: a second node, and the last number of the first.
struct Past {
  TemporaryFolder folder;
  std::filesystem::path backup = folder / "backup";
  std::filesystem::path state = folder / "state";
  Past() {
    const auto store = opened(state);
    REQUIRE(store->reqid_of("laptop", record(1, 1).home_address));
    REQUIRE(store->copy_to(backup));
    REQUIRE(store->reqid_of("phone", record(2, 1).home_address));
    REQUIRE(store->save({record(1, 1)}));
  }
  static bool is_old(Store& store) {
    return store.nodes()->size() == 2 && store.records() == std::vector{record(1, 1)};
  }
  static bool is_new(Store& store) { return store.nodes()->size() == 1 && store.records()->empty(); }
};

TEST_CASE("a backup that finds no room while the store is open leaves it as it was", "[store]") {
  const Past past;
  const auto store = opened(past.state);
  {
    const FailingWrites full{ENOSPC};
    const auto taken = store->take_back(past.backup);
    REQUIRE_FALSE(taken);
    CHECK(taken.error().remedy.find("make room") != std::string::npos);
  }
  CHECK(Past::is_old(*store));
  CHECK_FALSE(std::filesystem::exists(past.state / "agent.db.new"));
  REQUIRE(store->take_back(past.backup));
  CHECK(Past::is_new(*store));
  CHECK(store->save({record(1, 2)}));
}

TEST_CASE("whichever write ends the process that takes a backup, all of the old is there or all of the new",
          "[store]") {
  int killed = 0;
  bool taken = false;
  for (int write = 0; !taken; ++write) {
    INFO(write);
    REQUIRE(write < 1000);
    const Past past;
    const pid_t child = ::fork();
    if (child == 0) {
      const auto store = Store::open(past.state);
      writes_left = write;
      for (const char* name : {"pwrite", "pwrite64"})
        replace_call(name, reinterpret_cast<sqlite3_syscall_ptr>(die_of_writing));
      ::_exit(store && (*store)->take_back(past.backup) ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    taken = WIFEXITED(status);
    killed += taken ? 0 : 1;
    if (taken) REQUIRE(WEXITSTATUS(status) == 0);
    const auto store = opened(past.state);
    CHECK((Past::is_old(*store) || Past::is_new(*store)));
    if (taken) CHECK(Past::is_new(*store));
  }
  CHECK(killed > 3);
}

}  // namespace
}  // namespace mip6ha
