// A small file that is either the old or the new content after a power cut, never half of it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "libmip6/error.hpp"

namespace mnd::kernel {

// The system calls of replace_durably(), so that a test can let each of them fail.
struct FileCalls {
  int (*open)(const char* path, int flags, unsigned mode);
  long (*write)(int fd, const void* data, std::size_t size);
  int (*fsync)(int fd);
  int (*rename)(const char* from, const char* to);
};
extern const FileCalls kFileCalls;  // the real ones

// Temporary file, write, fsync, rename, fsync of the folder. Mode 0600. The folder must exist.
// After an error the old content is there (or, if only the last step failed, perhaps the new one, whole).
tl::expected<void, mip6::Error> replace_durably(const std::filesystem::path& path, std::string_view content,
                                                const FileCalls& calls = kFileCalls);
// Empty optional: no such file. An error: it is there but cannot be read.
tl::expected<std::optional<std::string>, mip6::Error> read_durable(const std::filesystem::path& path);

// False too where its folder may not be searched.
bool is_there(const std::filesystem::path& path);

// The content of a secret's file: one trailing newline cut. Refused unless a regular file of root (or of us) that
// others cannot read and the group cannot write (mode 0640 or stricter; a group that can read it is root, mnd or ours),
// and that is not empty.
tl::expected<std::string, mip6::Error> read_secret(const std::filesystem::path& path);
// The same for a bundle of private key and certificates, which may be larger.
tl::expected<std::string, mip6::Error> read_key_file(const std::filesystem::path& path);
// The same for keys set by hand.
tl::expected<std::string, mip6::Error> read_manual_key_file(const std::filesystem::path& path);

}  // namespace mnd::kernel
