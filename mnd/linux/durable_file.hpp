// A small file that is either the old or the new content after a power cut, never half of it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "libmip6/error.hpp"

namespace mnd::kernel {

// Temporary file, write, fsync, rename, fsync of the folder. Mode 0600. The folder must exist.
tl::expected<void, mip6::Error> replace_durably(const std::filesystem::path& path, std::string_view content);
// Empty optional: no such file. An error: it is there but cannot be read.
tl::expected<std::optional<std::string>, mip6::Error> read_durable(const std::filesystem::path& path);

// The content of a secret's file: one trailing newline cut. Refused unless a regular file of root (or of us) that
// others cannot read and the group cannot write (mode 0640 or stricter).
tl::expected<std::string, mip6::Error> read_secret(const std::filesystem::path& path);

}  // namespace mnd::kernel
