// The store in SQLite: statements, one transaction for each change.
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
#include "examples/home-agent/database_format.hpp"
#include "mnd/linux/kernel.hpp"

namespace mip6ha {
namespace {

using mip6::Error;
using mip6::Ipv6Address;
using mip6::agent::BindingRecord;

constexpr const char* kDatabase = "agent.db";

constexpr const char* kFindNode = "SELECT reqid FROM nodes WHERE name = ?1 AND home_address = ?2";
constexpr const char* kSaveNode =
    "INSERT INTO nodes (name, home_address, reqid) VALUES (?1, ?2, (SELECT max(?3, coalesce(max(reqid) + 1, 0)) FROM "
    "nodes)) ON CONFLICT (name) DO UPDATE SET home_address = excluded.home_address RETURNING reqid";
constexpr const char* kSaveRecord =
    "INSERT INTO bindings (home_address, care_of, sequence, key_mobility, granted, expires_unix, link_local, boot_id, "
    "expires_boot) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (home_address) DO UPDATE SET "
    "care_of = excluded.care_of, sequence = excluded.sequence, key_mobility = excluded.key_mobility, "
    "granted = excluded.granted, expires_unix = excluded.expires_unix, link_local = excluded.link_local, "
    "boot_id = excluded.boot_id, expires_boot = excluded.expires_boot";
constexpr const char* kListRecords =
    "SELECT home_address, care_of, sequence, key_mobility, granted, expires_unix, link_local, boot_id, expires_boot "
    "FROM bindings ORDER BY home_address";
constexpr const char* kFindManualKeys =
    "SELECT keys, numbers_known, used, restored FROM manual_keys WHERE home_address = ?1";
constexpr const char* kSaveManualKeys =
    "INSERT OR REPLACE INTO manual_keys (home_address, keys, numbers_known, used) VALUES (?1, ?2, ?3, ?4)";

constexpr const char* kListBans =
    "SELECT name, why, since, granted, expires_unix, boot_id, expires_boot, strikes FROM bans ORDER BY name";
constexpr const char* kBan =
    "INSERT OR REPLACE INTO bans (name, why, since, granted, expires_unix, boot_id, expires_boot, strikes) VALUES "
    "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

// From a prepared backup, which has no bindings.
constexpr const char* kTakeBack = R"(
DELETE FROM main.bindings;
DELETE FROM main.nodes;
INSERT INTO main.nodes SELECT * FROM backup.nodes;
DELETE FROM main.manual_keys;
INSERT INTO main.manual_keys SELECT * FROM backup.manual_keys;
DELETE FROM main.bans;
INSERT INTO main.bans SELECT * FROM backup.bans;
)";

class SqliteStore final : public Store {
 public:
  SqliteStore(Database database, std::filesystem::path path, std::string boot_id)
      : database_{std::move(database)}, path_{std::move(path)}, boot_id_{std::move(boot_id)} {}

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
    return one(find_node_, kFindNode)
        .and_then([&] { return one(save_node_, kSaveNode); })
        .and_then([&] { return one(list_nodes_, "SELECT name, home_address, reqid FROM nodes ORDER BY reqid"); })
        .and_then([&] { return one(save_record_, kSaveRecord); })
        .and_then([&] { return one(list_records_, kListRecords); })
        .and_then([&] { return one(find_record_, "SELECT 1 FROM bindings WHERE home_address = ?1"); })
        .and_then([&] { return one(find_manual_keys_, kFindManualKeys); })
        .and_then([&] { return one(save_manual_keys_, kSaveManualKeys); })
        .and_then([&] {
          return one(leave_manual_keys_,
                     "UPDATE manual_keys SET numbers_known = 0, restored = 0 WHERE home_address = ?1");
        })
        .and_then([&] { return one(forget_record_, "DELETE FROM bindings WHERE home_address = ?1"); })
        .and_then([&] { return one(list_bans_, kListBans); })
        .and_then([&] { return one(ban_, kBan); })
        .and_then([&] { return one(unban_, "DELETE FROM bans WHERE name = ?1"); })
        .and_then([&] { return one(copy_, "VACUUM INTO ?1"); })
        .and_then([&] { return one(attach_, "ATTACH ?1 AS backup"); });
  }

  // A node that is known costs no write: a start needs no room on the disk.
  tl::expected<std::uint32_t, Error> reqid_of(const std::string& name, const Ipv6Address& home_address) override {
    const auto found = find_node(name, home_address);
    if (!found) return tl::unexpected(found.error());
    return *found != 0 ? *found : save_node(name, home_address);
  }

  tl::expected<std::vector<std::uint32_t>, Error> reqids_of(const std::vector<StoredNode>& nodes) override {
    std::vector<std::uint32_t> reqids;
    std::vector<std::size_t> fresh;  // of `nodes`
    for (const auto& node : nodes) {
      const auto found = find_node(node.name, node.home_address);
      if (!found) return tl::unexpected(found.error());
      if (*found == 0) fresh.push_back(reqids.size());
      reqids.push_back(*found);
    }
    if (fresh.empty()) return reqids;
    return in_one_transaction("store the reqids of nodes",
                              [&]() -> tl::expected<void, Error> {
                                for (const auto index : fresh) {
                                  const auto saved = save_node(nodes[index].name, nodes[index].home_address);
                                  if (!saved) return tl::unexpected(saved.error());
                                  reqids[index] = *saved;
                                }
                                return {};
                              })
        .map([&] { return std::move(reqids); });
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

  tl::expected<std::vector<StoredBan>, Error> bans() override {
    const InUse in_use{list_bans_};
    auto* statement = list_bans_.get();
    const auto text = [&](int column) {
      return std::string{reinterpret_cast<const char*>(sqlite3_column_text(statement, column))};
    };
    std::vector<StoredBan> bans;
    int code = SQLITE_OK;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
      bans.push_back({.name = text(0),
                      .why = text(1),
                      .since = sqlite3_column_int64(statement, 2),
                      .end = ban_end_columns(statement)});
    if (code != SQLITE_DONE) return tl::unexpected(failed(code, "read the bans"));
    return bans;
  }

  tl::expected<void, Error> ban(const StoredBan& ban) override {
    constexpr const char* kTried = "store the ban of a node";
    const InUse in_use{ban_};
    sqlite3_bind_text(ban_.get(), 1, ban.name.c_str(), -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(ban_.get(), 2, ban.why.c_str(), -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(ban_.get(), 3, ban.since);
    if (ban.end) {
      sqlite3_bind_int64(ban_.get(), 4, ban.end->at.granted.count());
      sqlite3_bind_int64(ban_.get(), 5, ban.end->at.expires_unix);
      bind_boot_time(ban_.get(), 6, ban.end->at.expires_boot);
      sqlite3_bind_int64(ban_.get(), 8, ban.end->strikes);
    }
    const int code = sqlite3_step(ban_.get());
    if (code != SQLITE_DONE) return tl::unexpected(failed(code, kTried));
    return still_there(kTried);
  }

  tl::expected<void, Error> unban(const std::string& name) override {
    constexpr const char* kTried = "lift the ban of a node";
    const InUse in_use{unban_};
    sqlite3_bind_text(unban_.get(), 1, name.c_str(), -1, SQLITE_TRANSIENT);
    const int code = sqlite3_step(unban_.get());
    if (code != SQLITE_DONE) return tl::unexpected(failed(code, kTried));
    return still_there(kTried);
  }

  tl::expected<void, Error> save(const std::vector<BindingRecord>& records) override {
    constexpr const char* kTried = "store the bindings of nodes";
    return in_one_transaction(kTried,
                              [&]() -> tl::expected<void, Error> {
                                for (const auto& record : records)
                                  if (auto saved = save_one(record, kTried); !saved) return saved;
                                return {};
                              })
        .and_then([&] { return still_there(kTried); });
  }

  tl::expected<bool, Error> has_record(const Ipv6Address& home_address) override {
    const InUse in_use{find_record_};
    bind_address(find_record_.get(), 1, home_address);
    const int code = sqlite3_step(find_record_.get());
    if (code != SQLITE_ROW && code != SQLITE_DONE) return tl::unexpected(failed(code, "read the bindings of nodes"));
    return code == SQLITE_ROW;
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
                         .expires_boot = boot_time_column(statement, 7),
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
                          .used = sqlite3_column_int(statement, 2) != 0,
                          .restored = sqlite3_column_int(statement, 3) != 0};
  }

  tl::expected<void, Error> leave_manual_keys(const Ipv6Address& home_address) override {
    const InUse in_use{leave_manual_keys_};
    bind_address(leave_manual_keys_.get(), 1, home_address);
    const int code = sqlite3_step(leave_manual_keys_.get());
    if (code != SQLITE_DONE) return tl::unexpected(failed(code, "store the record of manual keys"));
    return {};
  }

  tl::expected<void, Error> begin_manual_keys(const Ipv6Address& home_address, const mnd::kernel::KeyRecord& keys,
                                              Numbers numbers) override {
    const auto text = mnd::kernel::to_json(keys).dump();
    const auto step = [&](const Statement& statement) -> tl::expected<void, Error> {
      const InUse in_use{statement};
      bind_address(statement.get(), 1, home_address);
      if (&statement == &save_manual_keys_) {
        sqlite3_bind_text(statement.get(), 2, text.c_str(), -1, SQLITE_TRANSIENT);
        sqlite3_bind_int(statement.get(), 3, numbers == Numbers::kUnused ? 1 : 0);
        sqlite3_bind_int(statement.get(), 4, numbers == Numbers::kSeen ? 1 : 0);
      }
      const int code = sqlite3_step(statement.get());
      if (code != SQLITE_DONE) return tl::unexpected(failed(code, "store the record of manual keys"));
      return {};
    };
    return in_one_transaction("store the record of manual keys",
                              [&] { return step(forget_record_).and_then([&] { return step(save_manual_keys_); }); });
  }

  tl::expected<void, Error> copy_to(const std::filesystem::path& file) override {
    constexpr const char* kTried = "export the database";
    const std::filesystem::path fresh = file.string() + ".new";
    ::unlink(fresh.c_str());
    const int descriptor = ::open(fresh.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (descriptor < 0) return tl::unexpected(system_error(kTried, fresh));
    ::close(descriptor);
    const auto done = still_there(kTried)
                          .and_then([&] { return copy_into(fresh, kTried); })
                          .and_then([&] { return sync_path(fresh); })
                          .and_then([&]() -> tl::expected<void, Error> {
                            if (::rename(fresh.c_str(), file.c_str()) == 0) return {};
                            return tl::unexpected(system_error(kTried, file));
                          });
    if (!done) ::unlink(fresh.c_str());
    return done;
  }

  tl::expected<void, Error> take_back(const std::filesystem::path& backup) override {
    constexpr const char* kTried = "import the backup";
    const auto prepared = prepare_backup(backup, path_);
    if (!prepared) return tl::unexpected(prepared.error());
    auto done = remove_replaced(path_).and_then([&](const auto& replaced) { return copy_to(replaced); });
    if (done) done = attach(*prepared, kTried);
    if (done) {
      done = in_one_transaction(kTried, [&] { return execute(database_.get(), kTakeBack, kTried, path_); });
      sqlite3_exec(database_.get(), "DETACH backup", nullptr, nullptr, nullptr);
    }
    remove_database(*prepared);
    return done.and_then([&] { return still_there(kTried); });
  }

 private:
  // All of it or nothing, and one sync for it: that of the COMMIT.
  template <class Steps>
  tl::expected<void, Error> in_one_transaction(const char* tried, const Steps& steps) {
    auto done = execute(database_.get(), "BEGIN", tried, path_)
                    .and_then([&]() -> tl::expected<void, Error> { return steps(); })
                    .and_then([&] { return execute(database_.get(), "COMMIT", tried, path_); });
    // After a failed COMMIT the transaction may still be open, or not.
    if (!done) sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
    return done;
  }

  // 0: this name has none, or has another home address.
  tl::expected<std::uint32_t, Error> find_node(const std::string& name, const Ipv6Address& home_address) {
    auto* statement = find_node_.get();
    const InUse in_use{find_node_};
    sqlite3_bind_text(statement, 1, name.c_str(), -1, SQLITE_TRANSIENT);
    bind_address(statement, 2, home_address);
    const int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) return static_cast<std::uint32_t>(sqlite3_column_int64(statement, 0));
    if (code != SQLITE_DONE) return tl::unexpected(failed(code, "read the reqid of a node"));
    return 0;
  }

  tl::expected<std::uint32_t, Error> save_node(const std::string& name, const Ipv6Address& home_address) {
    const InUse in_use{save_node_};
    auto* statement = save_node_.get();
    sqlite3_bind_text(statement, 1, name.c_str(), -1, SQLITE_TRANSIENT);
    bind_address(statement, 2, home_address);
    sqlite3_bind_int64(statement, 3, mnd::kernel::kAgentFirstReqid);
    int code = sqlite3_step(statement);
    if (code != SQLITE_ROW) return tl::unexpected(failed(code, "store the reqid of a node"));
    const auto reqid = static_cast<std::uint32_t>(sqlite3_column_int64(statement, 0));
    // Outside a transaction the commit happens with the step that says done.
    code = sqlite3_step(statement);
    if (code != SQLITE_DONE) return tl::unexpected(failed(code, "store the reqid of a node"));
    return reqid;
  }

  tl::expected<void, Error> save_one(const BindingRecord& record, const char* tried) {
    const InUse in_use{save_record_};
    auto* statement = save_record_.get();
    bind_address(statement, 1, record.home_address);
    if (record.care_of) bind_address(statement, 2, *record.care_of);
    sqlite3_bind_int(statement, 3, record.sequence.value());
    sqlite3_bind_int(statement, 4, record.key_mobility ? 1 : 0);
    sqlite3_bind_int64(statement, 5, record.granted.count());
    sqlite3_bind_int64(statement, 6, record.expires_unix);
    sqlite3_bind_int(statement, 7, record.link_local ? 1 : 0);
    bind_boot_time(statement, 8, record.expires_boot);
    const int code = sqlite3_step(statement);
    if (code != SQLITE_DONE) return tl::unexpected(failed(code, tried));
    return {};
  }

  tl::expected<void, Error> attach(const std::filesystem::path& file, const char* tried) {
    const InUse in_use{attach_};
    sqlite3_bind_text(attach_.get(), 1, file.c_str(), -1, SQLITE_TRANSIENT);
    const int code = sqlite3_step(attach_.get());
    if (code != SQLITE_DONE) return tl::unexpected(failed(code, tried));
    return {};
  }

  // The boot, and the time of its clock, in two columns; empty: another boot's.
  std::optional<mip6::BootTime> boot_time_column(sqlite3_stmt* statement, int column) const {
    const auto* boot = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
    if (boot == nullptr || boot_id_.empty() || boot_id_ != boot) return std::nullopt;
    return mip6::BootTime{mip6::Duration{sqlite3_column_int64(statement, column + 1)}};
  }

  void bind_boot_time(sqlite3_stmt* statement, int index, const std::optional<mip6::BootTime>& time) const {
    if (!time || boot_id_.empty()) return;
    sqlite3_bind_text(statement, index, boot_id_.c_str(), -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(statement, index + 1, time->time_since_epoch().count());
  }

  // Of kListBans.
  std::optional<BanEnd> ban_end_columns(sqlite3_stmt* statement) const {
    if (sqlite3_column_type(statement, 3) == SQLITE_NULL) return std::nullopt;
    return BanEnd{.at = {.granted = mip6::Lifetime{sqlite3_column_int64(statement, 3)},
                         .expires_unix = sqlite3_column_int64(statement, 4),
                         .expires_boot = boot_time_column(statement, 5)},
                  .strikes = static_cast<std::uint32_t>(sqlite3_column_int64(statement, 7))};
  }

  tl::expected<void, Error> copy_into(const std::filesystem::path& fresh, const char* tried) {
    const InUse in_use{copy_};
    sqlite3_bind_text(copy_.get(), 1, fresh.c_str(), -1, SQLITE_TRANSIENT);
    const int code = sqlite3_step(copy_.get());
    if (code != SQLITE_DONE) return tl::unexpected(failed(code, tried));
    return {};
  }

  // SQLite goes on writing into files that nobody will find again.
  tl::expected<void, Error> still_there(const char* tried) const {
    struct stat status {};
    const bool same = ::stat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_ &&
                      ::stat((path_.string() + "-wal").c_str(), &status) == 0;
    if (same) return {};
    return tl::unexpected(Error{.tried = tried,
                                .on = path_.string(),
                                .reason = "the database was removed or replaced while it is in use",
                                .remedy = "restart mip6-ha",
                                .os_error = 0});
  }

  Error failed(int code, std::string tried) const { return error_of(database_.get(), code, std::move(tried), path_); }

  Database database_;
  std::filesystem::path path_;
  std::string boot_id_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  Statement find_node_;
  Statement save_node_;
  Statement list_nodes_;
  Statement save_record_;
  Statement list_records_;
  Statement find_record_;
  Statement find_manual_keys_;
  Statement save_manual_keys_;
  Statement leave_manual_keys_;
  Statement forget_record_;
  Statement list_bans_;
  Statement ban_;
  Statement unban_;
  Statement copy_;
  Statement attach_;
};

}  // namespace

tl::expected<std::unique_ptr<Store>, Error> Store::open(const std::filesystem::path& directory,
                                                        const std::string& boot_id) {
  const auto path = directory / kDatabase;
  auto database = open_state(path);
  if (!database) return tl::unexpected(database.error());
  auto store = std::make_unique<SqliteStore>(std::move(*database), path, boot_id);
  if (const auto prepared = store->prepare(); !prepared) return tl::unexpected(prepared.error());
  return store;
}

tl::expected<void, Error> Store::restore(const std::filesystem::path& directory, const std::filesystem::path& backup) {
  return restore_state(backup, directory / kDatabase);
}

}  // namespace mip6ha
