// See durable_file.hpp.
#include "mnd/linux/durable_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "mnd/linux/descriptor.hpp"
#include "mnd/linux/os_error.hpp"

namespace mnd::kernel {

namespace {

constexpr std::size_t kMaxStateFile = 1024 * 1024;
constexpr std::size_t kMaxSecret = 4096;
constexpr std::size_t kMaxKeyFile = 64 * 1024 - 1;  // what is in it goes to charon: VICI's longest value

int real_open(const char* path, int flags, unsigned mode) { return ::open(path, flags, mode); }
long real_write(int fd, const void* data, std::size_t size) { return ::write(fd, data, size); }

tl::unexpected<mip6::Error> failed(int number, std::string tried, const std::filesystem::path& path) {
  return tl::unexpected(os_error(number, std::move(tried), path.string(),
                                 "check that the folder exists, is writable and that its disk is not full"));
}

tl::expected<void, mip6::Error> write_all(const FileCalls& calls, int fd, std::string_view content,
                                          const std::filesystem::path& path) {
  while (!content.empty()) {
    const long written = calls.write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed(errno, "write the file", path);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

tl::expected<void, mip6::Error> write_temporary(const FileCalls& calls, const std::filesystem::path& temporary,
                                                std::string_view content) {
  const Descriptor file{calls.open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file) return failed(errno, "make the file", temporary);
  // a file that a crash left may have another mode
  if (::fchmod(file.get(), 0600) != 0) return failed(errno, "set the mode of the file", temporary);
  if (auto written = write_all(calls, file.get(), content, temporary); !written) return written;
  if (calls.fsync(file.get()) != 0) return failed(errno, "write the file to disk", temporary);
  return {};
}

// At most `limit` bytes; more is EFBIG.
tl::expected<std::string, int> read_all(int fd, std::size_t limit) {
  std::string content;
  std::array<char, 4096> block{};
  for (;;) {
    const auto got = ::read(fd, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return tl::unexpected(errno);
    if (got == 0) return content;
    content.append(block.data(), static_cast<std::size_t>(got));
    if (content.size() > limit) return tl::unexpected(EFBIG);
  }
}

// Who reads it then is root, the daemons' group, or who runs this.
bool may_read_secrets(gid_t group) {
  if (group == 0 || group == ::getegid()) return true;
  const auto* daemons = ::getgrnam("mnd");
  return daemons != nullptr && daemons->gr_gid == group;
}

struct SecretKind {
  std::string_view name;     // "the secret"
  std::string_view content;  // "the shared secret"
  std::size_t limit;
};

tl::expected<std::string, mip6::Error> read_protected(const std::filesystem::path& path, const SecretKind& kind) {
  const auto tried = fmt::format("read {}", kind.name);
  const auto refused = [&](std::string reason, std::string remedy) {
    return tl::unexpected(
        mip6::Error{.tried = tried, .on = path.string(), .reason = std::move(reason), .remedy = std::move(remedy)});
  };
  // O_NONBLOCK: the name of a pipe must not stop the daemon
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  const int open_error = errno;
  if (!file)
    return tl::unexpected(os_error(open_error, tried, path.string(),
                                   open_error == ENOENT
                                       ? fmt::format("write {} into this file, mode 0640 or stricter", kind.content)
                                       : remedy_for_reading(open_error, "make it a readable file")));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return failed(errno, fmt::format("look at {}", kind.name), path);
  if (!S_ISREG(status.st_mode))
    return refused("not a regular file", fmt::format("name a file that contains {}", kind.content));
  if (status.st_uid != 0 && status.st_uid != ::geteuid())
    return refused("the file belongs to another user", fmt::format("chown root {}", path.string()));
  if ((status.st_mode & 0037) != 0)
    return refused(fmt::format("mode {:04o} lets others at it", status.st_mode & 07777),
                   fmt::format("chmod 0640 {}", path.string()));
  if ((status.st_mode & S_IRGRP) != 0 && !may_read_secrets(status.st_gid))
    return refused("a group that is neither root nor mnd may read it",
                   fmt::format("chgrp root {}, or take a copy", path.string()));
  auto content = read_all(file.get(), kind.limit);
  if (!content)
    return tl::unexpected(
        os_error(content.error(), tried, path.string(), fmt::format("{} has at most {} bytes", kind.name, kind.limit)));
  if (content->ends_with('\n')) content->pop_back();
  if (content->empty()) return refused("the file is empty", fmt::format("write {} into it", kind.content));
  return std::move(*content);
}

}  // namespace

const FileCalls kFileCalls{.open = real_open, .write = real_write, .fsync = ::fsync, .rename = ::rename};

tl::expected<void, mip6::Error> replace_durably(const std::filesystem::path& path, std::string_view content,
                                                const FileCalls& calls) {
  auto temporary = path;
  temporary += ".new";
  if (auto written = write_temporary(calls, temporary, content); !written) {
    ::unlink(temporary.c_str());
    return written;
  }
  if (calls.rename(temporary.c_str(), path.c_str()) != 0) {
    auto error = failed(errno, "replace the file", path);
    ::unlink(temporary.c_str());
    return error;
  }
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path{"."};
  const Descriptor entry{calls.open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)};
  if (!entry) return failed(errno, "open the folder", folder);
  if (calls.fsync(entry.get()) != 0) return failed(errno, "write the folder to disk", folder);
  return {};
}

bool is_there(const std::filesystem::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

tl::expected<std::optional<std::string>, mip6::Error> read_durable(const std::filesystem::path& path) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (!file && errno == ENOENT) return std::optional<std::string>{};
  if (!file) return failed(errno, "open the file", path);
  auto content = read_all(file.get(), kMaxStateFile);
  if (!content) return failed(content.error(), "read the file", path);
  return std::optional<std::string>{std::move(*content)};
}

tl::expected<std::string, mip6::Error> read_secret(const std::filesystem::path& path) {
  return read_protected(path, {"the secret", "the shared secret", kMaxSecret});
}

tl::expected<std::string, mip6::Error> read_key_file(const std::filesystem::path& path) {
  return read_protected(path, {"the certificate file", "private key and certificates", kMaxKeyFile});
}

tl::expected<std::string, mip6::Error> read_manual_key_file(const std::filesystem::path& path) {
  return read_protected(path, {"the manual keys", "what 'mnd --make-keys' prints", kMaxSecret});
}

}  // namespace mnd::kernel
