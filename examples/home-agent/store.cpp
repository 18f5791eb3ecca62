// The store in SQLite: tables, statements, one transaction for each change.
#include "examples/home-agent/store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "examples/home-agent/database.hpp"
#include "mnd/linux/kernel.hpp"

namespace mip6ha {
namespace {

using mip6::Error;
using mip6::Ipv6Address;
using mip6::agent::BindingRecord;

constexpr int kSchemaVersion = 2;

constexpr const char* kSchema = R"(
CREATE TABLE nodes (
  name TEXT PRIMARY KEY NOT NULL,
  home_address BLOB NOT NULL CHECK (length(home_address) = 16),
  reqid INTEGER NOT NULL UNIQUE CHECK (reqid BETWEEN 1 AND 4294967295)
) STRICT;
CREATE TABLE bindings (
  home_address BLOB PRIMARY KEY NOT NULL CHECK (length(home_address) = 16),
  care_of BLOB CHECK (care_of IS NULL OR length(care_of) = 16),
  sequence INTEGER NOT NULL CHECK (sequence BETWEEN 0 AND 65535),
  key_mobility INTEGER NOT NULL CHECK (key_mobility IN (0, 1)),
  granted INTEGER NOT NULL CHECK (granted BETWEEN 0 AND 262140),
  expires_unix INTEGER NOT NULL,
  link_local INTEGER NOT NULL CHECK (link_local IN (0, 1))
) STRICT;
PRAGMA user_version = 1;
)";

// From format 1 to 2. The trigger marks keys as used in the transaction that stores a binding under them.
constexpr const char* kManualKeys = R"(
CREATE TABLE manual_keys (
  home_address BLOB PRIMARY KEY NOT NULL CHECK (length(home_address) = 16),
  keys TEXT NOT NULL,
  numbers_known INTEGER NOT NULL CHECK (numbers_known IN (0, 1)),
  used INTEGER NOT NULL CHECK (used IN (0, 1))
) STRICT;
CREATE TRIGGER manual_keys_used AFTER INSERT ON bindings BEGIN
  UPDATE manual_keys SET used = 1 WHERE home_address = NEW.home_address AND used = 0;
END;
PRAGMA user_version = 2;
)";

constexpr const char* kSaveNode =
    "INSERT INTO nodes (name, home_address, reqid) VALUES (?1, ?2, (SELECT max(?3, coalesce(max(reqid) + 1, 0)) FROM "
    "nodes)) ON CONFLICT (name) DO UPDATE SET home_address = excluded.home_address RETURNING reqid";
constexpr const char* kSaveRecord =
    "INSERT OR REPLACE INTO bindings (home_address, care_of, sequence, key_mobility, granted, expires_unix, "
    "link_local) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
constexpr const char* kFindManualKeys = "SELECT keys, numbers_known, used FROM manual_keys WHERE home_address = ?1";
constexpr const char* kSaveManualKeys =
    "INSERT OR REPLACE INTO manual_keys (home_address, keys, numbers_known, used) VALUES (?1, ?2, ?3, 0)";

tl::expected<void, Error> sync_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
  const auto error = system_error("make durable", folder);
  if (descriptor >= 0) ::close(descriptor);
  if (!synced) return tl::unexpected(error);
  return {};
}

// A new database appears under its name only when it is complete: an empty or half-made file of that name is a damage
// then, never a first start.
tl::expected<void, Error> create_database(const std::filesystem::path& path) {
  const std::filesystem::path fresh = path.string() + ".new";
  for (const char* suffix : {"", "-wal", "-journal", "-shm"}) ::unlink((fresh.string() + suffix).c_str());
  const int descriptor = ::open(fresh.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor < 0) return tl::unexpected(system_error("create the database", fresh));
  ::close(descriptor);
  {
    auto database = open_database(fresh);
    if (!database) return tl::unexpected(database.error());
    const auto made = execute(database->get(), fmt::format("BEGIN; {} {} COMMIT;", kSchema, kManualKeys).c_str(),
                              "create the database", fresh);
    if (!made) return tl::unexpected(made.error());
  }  // closing moves everything from the log into the file, synced
  if (::rename(fresh.c_str(), path.c_str()) != 0) return tl::unexpected(system_error("create the database", path));
  return sync_folder(path.parent_path());
}

tl::expected<void, Error> check_database(sqlite3* database, const std::filesystem::path& path) {
  const auto verdict = ask(database, "PRAGMA quick_check(1)", path);
  if (!verdict) return tl::unexpected(verdict.error());
  if (*verdict != "ok") return tl::unexpected(damaged(path, *verdict));
  const auto version = ask(database, "PRAGMA user_version", path);
  if (!version) return tl::unexpected(version.error());
  if (*version == std::to_string(kSchemaVersion)) return {};
  if (*version == "1")
    return execute(database, fmt::format("BEGIN; {} COMMIT;", kManualKeys).c_str(), "convert the database", path);
  if (*version == "0") return tl::unexpected(damaged(path, "it has no tables of mip6-ha"));
  return tl::unexpected(
      Error{.tried = "use the database",
            .on = path.string(),
            .reason = fmt::format("it has format {}, this mip6-ha knows {}", *version, kSchemaVersion),
            .remedy = "start the mip6-ha that wrote it, or a newer one",
            .os_error = 0});
}

class SqliteStore final : public Store {
 public:
  SqliteStore(Database database, std::filesystem::path path) : database_{std::move(database)}, path_{std::move(path)} {}

  tl::expected<void, Error> prepare() {
    struct stat status {};
    if (::stat(path_.c_str(), &status) != 0) return tl::unexpected(system_error("open the database", path_));
    device_ = status.st_dev;
    inode_ = status.st_ino;
    const auto one = [this](Statement& statement, const char* sql) -> tl::expected<void, Error> {
      sqlite3_stmt* raw = nullptr;
      const int code = sqlite3_prepare_v3(database_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
      statement.reset(raw);
      if (code != SQLITE_OK) return tl::unexpected(failed(code, "read the database"));
      return {};
    };
    return one(save_node_, kSaveNode)
        .and_then([&] { return one(list_nodes_, "SELECT name, home_address, reqid FROM nodes ORDER BY reqid"); })
        .and_then([&] { return one(save_record_, kSaveRecord); })
        .and_then([&] {
          return one(list_records_,
                     "SELECT home_address, care_of, sequence, key_mobility, granted, expires_unix, link_local FROM "
                     "bindings ORDER BY home_address");
        })
        .and_then([&] { return one(find_manual_keys_, kFindManualKeys); })
        .and_then([&] { return one(save_manual_keys_, kSaveManualKeys); })
        .and_then(
            [&] { return one(leave_manual_keys_, "UPDATE manual_keys SET numbers_known = 0 WHERE home_address = ?1"); })
        .and_then([&] { return one(forget_record_, "DELETE FROM bindings WHERE home_address = ?1"); });
  }

  tl::expected<std::uint32_t, Error> reqid_of(const std::string& name, const Ipv6Address& home_address) override {
    const InUse in_use{save_node_};
    auto* statement = save_node_.get();
    sqlite3_bind_text(statement, 1, name.c_str(), -1, SQLITE_TRANSIENT);
    bind_address(statement, 2, home_address);
    sqlite3_bind_int64(statement, 3, mnd::kernel::kAgentFirstReqid);
    int code = sqlite3_step(statement);
    if (code != SQLITE_ROW) return tl::unexpected(failed(code, "store the reqid of a node"));
    const auto reqid = static_cast<std::uint32_t>(sqlite3_column_int64(statement, 0));
    // The commit happens with the step that says done.
    code = sqlite3_step(statement);
    if (code != SQLITE_DONE) return tl::unexpected(failed(code, "store the reqid of a node"));
    return reqid;
  }

  tl::expected<std::vector<StoredNode>, Error> nodes() override {
    const InUse in_use{list_nodes_};
    auto* statement = list_nodes_.get();
    std::vector<StoredNode> nodes;
    int code = SQLITE_OK;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
      const auto home_address = address_column(statement, 1);
      if (!home_address) return tl::unexpected(damaged(path_, "a node without a home address"));
      nodes.push_back({.name = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0)),
                       .home_address = *home_address,
                       .reqid = static_cast<std::uint32_t>(sqlite3_column_int64(statement, 2))});
    }
    if (code != SQLITE_DONE) return tl::unexpected(failed(code, "read the nodes"));
    return nodes;
  }

  tl::expected<void, Error> save(const BindingRecord& record) override {
    const InUse in_use{save_record_};
    auto* statement = save_record_.get();
    bind_address(statement, 1, record.home_address);
    if (record.care_of) bind_address(statement, 2, *record.care_of);
    sqlite3_bind_int(statement, 3, record.sequence.value());
    sqlite3_bind_int(statement, 4, record.key_mobility ? 1 : 0);
    sqlite3_bind_int64(statement, 5, record.granted.count());
    sqlite3_bind_int64(statement, 6, record.expires_unix);
    sqlite3_bind_int(statement, 7, record.link_local ? 1 : 0);
    const int code = sqlite3_step(statement);
    if (code != SQLITE_DONE) return tl::unexpected(failed(code, "store the binding of a node"));
    return still_there();
  }

  tl::expected<std::vector<BindingRecord>, Error> records() override {
    const InUse in_use{list_records_};
    auto* statement = list_records_.get();
    std::vector<BindingRecord> records;
    int code = SQLITE_OK;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
      const auto home_address = address_column(statement, 0);
      if (!home_address) return tl::unexpected(damaged(path_, "a binding without a home address"));
      records.push_back({.home_address = *home_address,
                         .care_of = address_column(statement, 1),
                         .sequence = mip6::SequenceNumber{static_cast<std::uint16_t>(sqlite3_column_int(statement, 2))},
                         .key_mobility = sqlite3_column_int(statement, 3) != 0,
                         .granted = mip6::Lifetime{sqlite3_column_int64(statement, 4)},
                         .expires_unix = sqlite3_column_int64(statement, 5),
                         .link_local = sqlite3_column_int(statement, 6) != 0});
    }
    if (code != SQLITE_DONE) return tl::unexpected(failed(code, "read the bindings"));
    return records;
  }

  tl::expected<std::optional<ManualKeyState>, Error> manual_keys(const Ipv6Address& home_address) override {
    const InUse in_use{find_manual_keys_};
    auto* statement = find_manual_keys_.get();
    bind_address(statement, 1, home_address);
    const int code = sqlite3_step(statement);
    if (code == SQLITE_DONE) return std::optional<ManualKeyState>{};
    if (code != SQLITE_ROW) return tl::unexpected(failed(code, "read the record of manual keys"));
    const std::string text{reinterpret_cast<const char*>(sqlite3_column_text(statement, 0))};
    auto keys = mnd::kernel::key_record_from(nlohmann::json::parse(text, nullptr, false));
    if (!keys) return tl::unexpected(damaged(path_, "a record of manual keys that is none"));
    return ManualKeyState{.keys = std::move(*keys),
                          .numbers_known = sqlite3_column_int(statement, 1) != 0,
                          .used = sqlite3_column_int(statement, 2) != 0};
  }

  tl::expected<void, Error> leave_manual_keys(const Ipv6Address& home_address) override {
    const InUse in_use{leave_manual_keys_};
    bind_address(leave_manual_keys_.get(), 1, home_address);
    const int code = sqlite3_step(leave_manual_keys_.get());
    if (code != SQLITE_DONE) return tl::unexpected(failed(code, "store the record of manual keys"));
    return {};
  }

  tl::expected<void, Error> begin_manual_keys(const Ipv6Address& home_address, const mnd::kernel::KeyRecord& keys,
                                              bool numbers_known) override {
    const auto text = mnd::kernel::to_json(keys).dump();
    const auto step = [&](const Statement& statement) -> tl::expected<void, Error> {
      const InUse in_use{statement};
      bind_address(statement.get(), 1, home_address);
      if (&statement == &save_manual_keys_) {
        sqlite3_bind_text(statement.get(), 2, text.c_str(), -1, SQLITE_TRANSIENT);
        sqlite3_bind_int(statement.get(), 3, numbers_known ? 1 : 0);
      }
      const int code = sqlite3_step(statement.get());
      if (code != SQLITE_DONE) return tl::unexpected(failed(code, "store the record of manual keys"));
      return {};
    };
    const char* tried = "store the record of manual keys";
    auto done = execute(database_.get(), "BEGIN", tried, path_)
                    .and_then([&] { return step(forget_record_); })
                    .and_then([&] { return step(save_manual_keys_); })
                    .and_then([&] { return execute(database_.get(), "COMMIT", tried, path_); });
    // After a failed COMMIT the transaction may still be open, or not.
    if (!done) sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
    return done;
  }

 private:
  // SQLite goes on writing into files that nobody will find again.
  tl::expected<void, Error> still_there() const {
    struct stat status {};
    const bool same = ::stat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_ &&
                      ::stat((path_.string() + "-wal").c_str(), &status) == 0;
    if (same) return {};
    return tl::unexpected(Error{.tried = "store the binding of a node",
                                .on = path_.string(),
                                .reason = "the database was removed or replaced while it is in use",
                                .remedy = "restart mip6-ha",
                                .os_error = 0});
  }

  Error failed(int code, std::string tried) const { return error_of(database_.get(), code, std::move(tried), path_); }

  Database database_;
  std::filesystem::path path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  Statement save_node_;
  Statement list_nodes_;
  Statement save_record_;
  Statement list_records_;
  Statement find_manual_keys_;
  Statement save_manual_keys_;
  Statement leave_manual_keys_;
  Statement forget_record_;
};

// Folder and file are there, and the file is not the empty rest of something.
tl::expected<void, Error> provide_database(const std::filesystem::path& path) {
  if (::mkdir(path.parent_path().c_str(), 0700) != 0 && errno != EEXIST)
    return tl::unexpected(system_error("create the state directory", path.parent_path()));
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT && ::stat((path.string() + "-wal").c_str(), &status) == 0)
      return tl::unexpected(damaged(path, "the file is gone, but its log is still there"));
    if (errno == ENOENT) return create_database(path);
    return tl::unexpected(system_error("open the database", path));
  }
  if (status.st_size == 0) return tl::unexpected(damaged(path, "the file is empty"));
  return {};
}

}  // namespace

tl::expected<std::unique_ptr<Store>, Error> Store::open(const std::filesystem::path& directory) {
  const auto path = directory / "agent.db";
  if (const auto provided = provide_database(path); !provided) return tl::unexpected(provided.error());
  auto database = open_database(path);
  if (!database) return tl::unexpected(database.error());
  if (const auto checked = check_database(database->get(), path); !checked) return tl::unexpected(checked.error());
  auto store = std::make_unique<SqliteStore>(std::move(*database), path);
  if (const auto prepared = store->prepare(); !prepared) return tl::unexpected(prepared.error());
  return store;
}

}  // namespace mip6ha
