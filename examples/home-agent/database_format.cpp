#include "examples/home-agent/database_format.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "mnd/linux/durable_file.hpp"

namespace mip6ha {
namespace {

using mip6::Error;
using mnd::kernel::is_there;
using std::filesystem::path;

constexpr int kSchemaVersion = 5;

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

// From format 2 to 3: the end of a binding on the boot clock (nanoseconds) with the boot that this is of; keys whose
// record came back with a backup.
constexpr const char* kClocks = R"(
ALTER TABLE bindings ADD COLUMN boot_id TEXT;
ALTER TABLE bindings ADD COLUMN expires_boot INTEGER;
ALTER TABLE manual_keys ADD COLUMN restored INTEGER NOT NULL DEFAULT 0 CHECK (restored IN (0, 1));
PRAGMA user_version = 3;
)";

// From format 3 to 4: nodes that are refused by name.
constexpr const char* kBans = R"(
CREATE TABLE bans (
  name TEXT PRIMARY KEY NOT NULL,
  why TEXT NOT NULL,
  since INTEGER NOT NULL
) STRICT;
PRAGMA user_version = 4;
)";

// From format 4 to 5: the end of a ban that ends by itself, on both clocks, and how many came before it.
constexpr const char* kBanEnds = R"(
ALTER TABLE bans ADD COLUMN granted INTEGER;
ALTER TABLE bans ADD COLUMN expires_unix INTEGER;
ALTER TABLE bans ADD COLUMN boot_id TEXT;
ALTER TABLE bans ADD COLUMN expires_boot INTEGER;
ALTER TABLE bans ADD COLUMN strikes INTEGER;
PRAGMA user_version = 5;
)";

// Nothing that a backup says of sequence numbers is trusted: updates were accepted since, which it does not know and
// which could come again. Without a last number the home agent has dynamic keys made anew before it takes an update;
// nodes with manual keys are refused until these are others than at the next start. Bindings go too: the nodes may have
// moved, and they register as soon as they have new keys.
constexpr const char* kForgetNumbers = R"(
DELETE FROM bindings;
UPDATE manual_keys SET numbers_known = 0, used = 1, restored = 1;
)";

path with_suffix(const path& file, const char* suffix) { return file.string() + suffix; }

tl::expected<void, Error> rename_durably(const path& from, const path& to, const char* tried) {
  if (::rename(from.c_str(), to.c_str()) != 0) return tl::unexpected(system_error(tried, to));
  return sync_path(to.parent_path());
}

tl::expected<void, Error> make_folder(const path& folder) {
  if (::mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return tl::unexpected(system_error("create the state directory", folder));
}

// A new database appears under its name only when it is complete: an empty or half-made file of that name is a damage
// then, never a first start.
tl::expected<void, Error> create_database(const path& file) {
  const path fresh = with_suffix(file, ".new");
  remove_database(fresh);
  const int descriptor = ::open(fresh.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor < 0) return tl::unexpected(system_error("create the database", fresh));
  ::close(descriptor);
  {
    auto database = open_database(fresh);
    if (!database) return tl::unexpected(database.error());
    const auto made =
        execute(database->get(),
                fmt::format("BEGIN; {} {} {} {} {} COMMIT;", kSchema, kManualKeys, kClocks, kBans, kBanEnds).c_str(),
                "create the database", fresh);
    if (!made) return tl::unexpected(made.error());
  }  // closing moves everything from the log into the file, synced
  return rename_durably(fresh, file, "create the database");
}

tl::expected<void, Error> check_database(sqlite3* database, const path& file) {
  const auto verdict = ask(database, "PRAGMA quick_check(1)", file);
  if (!verdict) return tl::unexpected(verdict.error());
  if (*verdict != "ok") return tl::unexpected(damaged(file, *verdict));
  const auto version = ask(database, "PRAGMA user_version", file);
  if (!version) return tl::unexpected(version.error());
  if (*version == std::to_string(kSchemaVersion)) return {};
  const auto convert = [&](const std::string& steps) {
    return execute(database, fmt::format("BEGIN; {} COMMIT;", steps).c_str(), "convert the database", file);
  };
  if (*version == "1") return convert(fmt::format("{} {} {} {}", kManualKeys, kClocks, kBans, kBanEnds));
  if (*version == "2") return convert(fmt::format("{} {} {}", kClocks, kBans, kBanEnds));
  if (*version == "3") return convert(fmt::format("{} {}", kBans, kBanEnds));
  if (*version == "4") return convert(kBanEnds);
  if (*version == "0") return tl::unexpected(damaged(file, "it has no tables of mip6-ha"));
  return tl::unexpected(
      Error{.tried = "use the database",
            .on = file.string(),
            .reason = fmt::format("it has format {}, this mip6-ha knows {}", *version, kSchemaVersion),
            .remedy = "start the mip6-ha that wrote it, or a newer one",
            .os_error = 0});
}

// Folder and file are there, and the file is not the empty rest of something.
tl::expected<void, Error> provide_database(const path& file) {
  if (auto made = make_folder(file.parent_path()); !made) return made;
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) {
    if (errno != ENOENT) return tl::unexpected(system_error("open the database", file));
    if (is_there(with_suffix(file, "-wal")))
      return tl::unexpected(damaged(file, "the file is gone, but its log is still there"));
    // A new one would give the nodes other reqids.
    if (is_there(with_suffix(file, ".replaced")))
      return tl::unexpected(Error{
          .tried = "use the database",
          .on = file.string(),
          .reason = "an import was interrupted",
          .remedy = fmt::format(
              "import the backup once more; or give the former one its name back: mv {0}.replaced {0}", file.string()),
          .os_error = 0});
    return create_database(file);
  }
  if (status.st_size == 0) return tl::unexpected(damaged(file, "the file is empty"));
  return {};
}

// A copy of the backup that the home agent can start with, complete and closed.
tl::expected<void, Error> prepare_copy(const path& backup, const path& fresh) {
  remove_database(fresh);
  std::error_code error;
  std::filesystem::copy_file(backup, fresh, error);
  if (error) {
    errno = error.value();
    return tl::unexpected(system_error("copy the backup", backup));
  }
  if (::chmod(fresh.c_str(), 0600) != 0) return tl::unexpected(system_error("copy the backup", fresh));
  const auto of_backup = [&](Error why) {
    if (why.remedy == damaged(fresh, {}).remedy) why.remedy = "this backup is damaged: import another one";
    why.on = backup.string();
    return tl::unexpected(std::move(why));
  };
  {
    const auto database = open_database(fresh);
    if (!database) return of_backup(database.error());
    auto done = check_database(database->get(), fresh).and_then([&] {
      return execute(database->get(), fmt::format("BEGIN; {} COMMIT;", kForgetNumbers).c_str(), "import the backup",
                     fresh);
    });
    if (!done) return of_backup(done.error());
  }
  // Without its log the file would have its numbers again.
  if (is_there(with_suffix(fresh, "-wal"))) return tl::unexpected(damaged(fresh, "its log could not be put into it"));
  return sync_path(fresh);
}

// Whenever the power goes meanwhile, no number of the past is trusted: there is the old database; or none, which no
// start takes for the first one; or the new one. A log never meets another's file.
tl::expected<void, Error> replace_database(const path& fresh, const path& file) {
  constexpr const char* kTried = "put the backup in place";
  const path old = with_suffix(file, ".replaced");
  if (is_there(file)) {
    remove_database(old);
    if (auto moved = rename_durably(file, old, kTried); !moved) return moved;
  }
  for (const char* suffix : {"-wal", "-journal"})
    if (is_there(with_suffix(file, suffix)))
      if (auto moved = rename_durably(with_suffix(file, suffix), with_suffix(old, suffix), kTried); !moved)
        return moved;
  return rename_durably(fresh, file, kTried);
}

}  // namespace

void remove_database(const path& file) {
  for (const char* suffix : {"", "-wal", "-journal", "-shm"}) ::unlink(with_suffix(file, suffix).c_str());
}

tl::expected<path, Error> remove_replaced(const path& path) {
  const auto replaced = with_suffix(path, ".replaced");
  remove_database(replaced);
  return sync_path(path.parent_path()).map([&] { return replaced; });
}

tl::expected<path, Error> prepare_backup(const path& backup, const path& path) {
  const auto fresh = with_suffix(path, ".new");
  const auto done = prepare_copy(backup, fresh);
  if (!done) {
    remove_database(fresh);
    return tl::unexpected(done.error());
  }
  return fresh;
}

tl::expected<void, Error> sync_path(const path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
  const auto error = system_error("make durable", path);
  if (descriptor >= 0) ::close(descriptor);
  if (!synced) return tl::unexpected(error);
  return {};
}

tl::expected<Database, Error> open_state(const path& path) {
  if (const auto provided = provide_database(path); !provided) return tl::unexpected(provided.error());
  auto database = open_database(path);
  if (!database) return database;
  if (const auto checked = check_database(database->get(), path); !checked) return tl::unexpected(checked.error());
  return database;
}

tl::expected<void, Error> restore_state(const path& backup, const path& path) {
  if (is_in_use(path)) return tl::unexpected(error_of(nullptr, SQLITE_BUSY, "put the backup in place", path));
  if (auto made = make_folder(path.parent_path()); !made) return made;
  const auto fresh = prepare_backup(backup, path);
  if (!fresh) return tl::unexpected(fresh.error());
  auto done = replace_database(*fresh, path);
  if (!done) remove_database(*fresh);
  return done;
}

}  // namespace mip6ha
