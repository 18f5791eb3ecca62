// See file_change.hpp. The journal lists what must not be there if the change does not come to its end: it is on the
// disk before the first file is, and gone after the last.
#include "examples/home-agent/file_change.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <set>
#include <string_view>
#include <utility>

#include "mnd/linux/durable_file.hpp"
#include "mnd/linux/os_error.hpp"

namespace mip6ha {
namespace {

using mip6::Error;
using mnd::kernel::Descriptor;

tl::unexpected<Error> failed(int number, const std::string& tried, const std::filesystem::path& path) {
  std::string remedy = "see that the folder exists, is writable and that its disk is not full";
  if (number == EEXIST) remedy = "remove the file, or name another";
  if (number == EACCES || number == EPERM) remedy = "do it as root";
  return tl::unexpected(mnd::kernel::os_error(number, tried + ' ' + path.string(), {}, std::move(remedy)));
}

// Under this name until the end.
std::filesystem::path temporary_of(std::filesystem::path path) { return path += ".new"; }

}  // namespace

FileChange::FileChange(std::filesystem::path folder, Descriptor lock)
    : folder_{std::move(folder)}, lock_{std::move(lock)} {}

std::filesystem::path FileChange::journal() const { return folder_ / ".unfinished"; }

tl::expected<FileChange, Error> FileChange::begin(const std::filesystem::path& folder) {
  const auto path = folder / ".lock";
  Descriptor lock{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!lock) return failed(errno, "lock the folder", folder);
  while (::flock(lock.get(), LOCK_EX) != 0)
    if (errno != EINTR) return failed(errno, "lock the folder", folder);
  FileChange change{folder, std::move(lock)};
  if (const auto right = change.put_right(); !right) return tl::unexpected(right.error());
  return change;
}

FileChange::Result FileChange::put_right() {
  std::ifstream list{journal()};
  if (!list) return {};
  for (std::string line; std::getline(list, line);)
    if (::unlink(line.c_str()) != 0 && errno != ENOENT)
      return failed(errno, "clean up after an earlier command: remove", line);
  if (::unlink(journal().c_str()) != 0) return failed(errno, "remove the file", journal());
  return {};
}

void FileChange::create(std::filesystem::path path, std::string content, unsigned mode) {
  files_.push_back({std::move(path), std::move(content), mode, false});
}

void FileChange::replace(std::filesystem::path path, std::string content, unsigned mode) {
  files_.push_back({std::move(path), std::move(content), mode, true});
}

void FileChange::remove(std::filesystem::path path) { removals_.push_back(std::move(path)); }

FileChange::Result FileChange::write_journal() const {
  std::string list;
  for (const auto& file : files_) list += (file.replaces ? temporary_of(file.path) : file.path).string() + '\n';
  for (const auto& path : removals_) list += path.string() + '\n';
  return mnd::kernel::replace_durably(journal(), list);
}

FileChange::Result FileChange::write(const File& file) {
  const auto path = file.replaces ? temporary_of(file.path) : file.path;
  const int exclusive = file.replaces ? O_TRUNC : O_EXCL;
  const Descriptor output{::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | exclusive, 0600)};
  if (!output) return failed(errno, "make the file", path);
  written_.push_back(path);
  std::string_view rest = file.content;
  while (!rest.empty()) {
    const auto count = ::write(output.get(), rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed(errno, "write the file", path);
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
  if (::fchmod(output.get(), file.mode) != 0) return failed(errno, "set the mode of the file", path);
  if (few() && ::fsync(output.get()) != 0) return failed(errno, "write the file to disk", path);
  return {};
}

// Thousands would take minutes with a sync for each; one of the whole file system waits for what others write, too.
bool FileChange::few() const { return files_.size() <= 16; }

FileChange::Result FileChange::sync() const {
  std::set<std::filesystem::path> folders{folder_};
  for (const auto& file : files_) folders.insert(file.path.parent_path());
  for (const auto& path : removals_) folders.insert(path.parent_path());
  for (const auto& folder : folders) {
    const Descriptor entry{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!entry) return failed(errno, "open the folder", folder);
    if ((few() ? ::fsync(entry.get()) : ::syncfs(entry.get())) != 0)
      return failed(errno, "write the files to disk", folder);
  }
  return {};
}

void FileChange::take_back() {
  for (const auto& path : written_) ::unlink(path.c_str());
  written_.clear();
}

FileChange::Result FileChange::commit() {
  // Before the journal, which would have it removed.
  for (const auto& file : files_) {
    struct stat status {};
    if (!file.replaces && ::lstat(file.path.c_str(), &status) == 0) return failed(EEXIST, "make the file", file.path);
  }
  written_.clear();
  auto done = write_journal();
  for (auto file = files_.begin(); done && file != files_.end(); ++file) done = write(*file);
  if (done) done = sync();
  for (auto file = files_.begin(); done && file != files_.end(); ++file)
    if (file->replaces && std::rename(temporary_of(file->path).c_str(), file->path.c_str()) != 0)
      done = failed(errno, "replace the file", file->path);
  if (!done) {
    take_back();
    ::unlink(journal().c_str());
    return done;
  }
  for (const auto& path : removals_)
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) done = failed(errno, "remove the file", path);
  // From here on they are there.
  if (done && ::unlink(journal().c_str()) != 0) done = failed(errno, "remove the file", journal());
  if (done) done = sync();
  files_.clear();
  removals_.clear();
  return done;
}

void FileChange::undo() {
  take_back();
  static_cast<void>(sync());
}

}  // namespace mip6ha
