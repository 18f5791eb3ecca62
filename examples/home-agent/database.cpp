#include "examples/home-agent/database.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "mnd/linux/os_error.hpp"

namespace mip6ha {

using mip6::Error;
using mip6::Ipv6Address;

namespace {

std::string remedy_for(int code, const std::filesystem::path& path) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another mip6-ha uses this state-directory: stop it, or give this one a directory of its own";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return fmt::format(
          "the file is damaged: restore it from a backup (mip6-ha --config FILE import BACKUP); or, to start without "
          "bindings and sequence numbers, remove "
          "{}* (the nodes get new keys by IKE; manual keys have to be replaced)",
          path.string());
    case SQLITE_FULL:
      return "make room on that file system";
    default:
      return fmt::format(
          "see that {} can be written by the user that mip6-ha runs as, and that its file system is neither read-only "
          "nor failing",
          path.parent_path().string());
  }
}

}  // namespace

Error error_of(sqlite3* database, int code, std::string tried, const std::filesystem::path& path) {
  const int kind = code & 0xff;
  const bool by_system = database != nullptr && (kind == SQLITE_CANTOPEN || kind == SQLITE_IOERR);
  return {.tried = std::move(tried),
          .on = path.string(),
          .reason = database == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(database),
          .remedy = remedy_for(code, path),
          .os_error = by_system ? sqlite3_system_errno(database) : 0};
}

Error system_error(std::string tried, const std::filesystem::path& path) {
  const int number = errno;
  const int code = number == ENOSPC || number == EDQUOT ? SQLITE_FULL : SQLITE_CANTOPEN;
  return mnd::kernel::os_error(number, std::move(tried), path.string(), remedy_for(code, path));
}

Error damaged(const std::filesystem::path& path, std::string reason) {
  return {.tried = "use the database",
          .on = path.string(),
          .reason = std::move(reason),
          .remedy = remedy_for(SQLITE_CORRUPT, path),
          .os_error = 0};
}

tl::expected<void, Error> execute(sqlite3* database, const char* sql, const std::string& tried,
                                  const std::filesystem::path& path) {
  errno = 0;
  const int code = sqlite3_exec(database, sql, nullptr, nullptr, nullptr);
  const int number = errno;
  if (code == SQLITE_OK) return {};
  Error error = error_of(database, code, tried, path);
  // SQLite does not note the system's reason for what fails in a COMMIT.
  if ((code & 0xff) == SQLITE_IOERR && number != 0) error.os_error = number;
  return tl::unexpected(std::move(error));
}

tl::expected<std::string, Error> ask(sqlite3* database, const char* sql, const std::filesystem::path& path) {
  sqlite3_stmt* raw = nullptr;
  int code = sqlite3_prepare_v2(database, sql, -1, &raw, nullptr);
  const Statement statement{raw};
  if (code == SQLITE_OK) code = sqlite3_step(raw);
  if (code != SQLITE_ROW) return tl::unexpected(error_of(database, code, "read the database", path));
  const auto* text = sqlite3_column_text(raw, 0);
  return std::string{text == nullptr ? "" : reinterpret_cast<const char*>(text)};
}

tl::expected<Database, Error> open_database(const std::filesystem::path& path) {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database{raw};
  if (code != SQLITE_OK) return tl::unexpected(error_of(raw, code, "open the database", path));
  // SQLite is content to read then, and may be until the first binding is to be stored.
  if (sqlite3_db_readonly(raw, "main") == 1)
    return tl::unexpected(error_of(nullptr, SQLITE_READONLY, "open the database", path));
  const auto ready =
      execute(raw, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL;", "open the database", path);
  if (!ready) return tl::unexpected(ready.error());
  const auto mode = ask(raw, "PRAGMA journal_mode = WAL", path);
  if (!mode) return tl::unexpected(mode.error());
  if (*mode != "wal") return tl::unexpected(damaged(path, fmt::format("journal mode is {}, not wal", *mode)));
  return database;
}

bool is_in_use(const std::filesystem::path& path) {
  sqlite3* raw = nullptr;
  int code = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  const Database database{raw};
  if (code == SQLITE_OK)
    code = sqlite3_exec(raw, "PRAGMA locking_mode = EXCLUSIVE; SELECT count(*) FROM sqlite_schema", nullptr, nullptr,
                        nullptr);
  return (code & 0xff) == SQLITE_BUSY;
}

void bind_address(sqlite3_stmt* statement, int index, const Ipv6Address& address) {
  sqlite3_bind_blob(statement, index, address.bytes.data(), static_cast<int>(address.bytes.size()), SQLITE_TRANSIENT);
}

std::optional<Ipv6Address> address_column(sqlite3_stmt* statement, int index) {
  Ipv6Address address;
  if (sqlite3_column_bytes(statement, index) != static_cast<int>(address.bytes.size())) return std::nullopt;
  std::memcpy(address.bytes.data(), sqlite3_column_blob(statement, index), address.bytes.size());
  return address;
}

}  // namespace mip6ha
