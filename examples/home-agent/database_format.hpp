// The file of the store: its tables, how it comes to be and is converted, and how a backup takes its place.
#pragma once

#include <filesystem>
#include <tl/expected.hpp>

#include "examples/home-agent/database.hpp"
#include "libmip6/error.hpp"

namespace mip6ha {

// Opens the database at `path`, in the present format. Folder (0700) and database are made if they are missing, an
// older format is converted. Errors, all with a remedy: those of Store::open().
tl::expected<Database, mip6::Error> open_state(const std::filesystem::path& path);

// What Store::restore() does, for the database at `path`.
tl::expected<void, mip6::Error> restore_state(const std::filesystem::path& backup, const std::filesystem::path& path);

// The first half of it, beside the database at `path`, which may be in use: a copy of the backup in the present format,
// without anything that is not to be trusted. The caller takes it away by remove_database().
tl::expected<std::filesystem::path, mip6::Error> prepare_backup(const std::filesystem::path& backup,
                                                                const std::filesystem::path& path);
// With its logs, if there are any: one that stays behind is taken for that of the next file of this name.
void remove_database(const std::filesystem::path& file);
// Makes room for what an import replaces at `path`: its name.
tl::expected<std::filesystem::path, mip6::Error> remove_replaced(const std::filesystem::path& path);

// The file (or folder) is on the disk when this returns.
tl::expected<void, mip6::Error> sync_path(const std::filesystem::path& path);

}  // namespace mip6ha
