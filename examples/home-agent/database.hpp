// SQLite as the store uses it: owning handles, errors with a remedy. WAL with synchronous FULL costs one fsync per
// commit; locking mode EXCLUSIVE keeps a second process out and needs no shared memory file.
#pragma once

#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "libmip6/address.hpp"
#include "libmip6/error.hpp"

namespace mip6ha {

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;
struct FinishStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, FinishStatement>;

// Makes the statement ready for its next use, whatever way the function is left.
class InUse {
 public:
  explicit InUse(const Statement& statement) : statement_{statement.get()} {}
  InUse(const InUse&) = delete;
  InUse& operator=(const InUse&) = delete;
  ~InUse() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }

 private:
  sqlite3_stmt* statement_;
};

// `database` may be null: then the code alone speaks.
mip6::Error error_of(sqlite3* database, int code, std::string tried, const std::filesystem::path& path);
// From errno.
mip6::Error system_error(std::string tried, const std::filesystem::path& path);
mip6::Error damaged(const std::filesystem::path& path, std::string reason);

tl::expected<Database, mip6::Error> open_database(const std::filesystem::path& path);
// Another connection has it open. False also if there is none, or something else.
bool is_in_use(const std::filesystem::path& path);
tl::expected<void, mip6::Error> execute(sqlite3* database, const char* sql, const std::string& tried,
                                        const std::filesystem::path& path);
// The first column of the first row of a query that always has one.
tl::expected<std::string, mip6::Error> ask(sqlite3* database, const char* sql, const std::filesystem::path& path);

void bind_address(sqlite3_stmt* statement, int index, const mip6::Ipv6Address& address);
// Empty: the column has none.
std::optional<mip6::Ipv6Address> address_column(sqlite3_stmt* statement, int index);

}  // namespace mip6ha
