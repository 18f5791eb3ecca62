#include "mnd/linux/durable_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "tests/catch.hpp"
#include "tests/unit/as_nobody.hpp"
#include "tests/unit/temporary_folder.hpp"

using namespace mnd::kernel;

namespace {

// Which call fails (from 1 on, 0: none), which one is running, and what was done.
int failing_call = 0;
int call = 0;
std::vector<std::string> done;

bool fails(const char* name) {
  done.emplace_back(name);
  if (++call != failing_call) return false;
  errno = ENOSPC;
  return true;
}
int failing_open(const char* path, int flags, unsigned mode) {
  return fails(flags & O_DIRECTORY ? "open folder" : "open") ? -1 : kFileCalls.open(path, flags, mode);
}
long failing_write(int fd, const void* data, std::size_t size) {
  return fails("write") ? -1 : kFileCalls.write(fd, data, size);
}
int failing_fsync(int fd) {
  struct stat status {};
  ::fstat(fd, &status);
  return fails(S_ISDIR(status.st_mode) ? "fsync folder" : "fsync") ? -1 : kFileCalls.fsync(fd);
}
int failing_rename(const char* from, const char* to) { return fails("rename") ? -1 : kFileCalls.rename(from, to); }
constexpr FileCalls kFailingCalls{
    .open = failing_open, .write = failing_write, .fsync = failing_fsync, .rename = failing_rename};

long one_byte_write(int fd, const void* data, std::size_t) { return kFileCalls.write(fd, data, 1); }

void fail_at(int number) {
  failing_call = number;
  call = 0;
  done.clear();
}

std::string content_of(const std::filesystem::path& path) { return read_durable(path).value().value(); }

mode_t mode_of(const std::filesystem::path& path) {
  struct stat status {};
  ::stat(path.c_str(), &status);
  return status.st_mode & 07777;
}

}  // namespace

TEST_CASE("a file is written to disk before it takes the old one's place, and the folder after it") {
  const TemporaryFolder folder;
  fail_at(0);
  REQUIRE(replace_durably(folder / "state", "new", kFailingCalls));
  CHECK(done == std::vector<std::string>{"open", "write", "fsync", "rename", "open folder", "fsync folder"});
  CHECK(content_of(folder / "state") == "new");
}

TEST_CASE("whichever step fails, the file is whole and the error says what was tried") {
  for (int step = 1; step <= 6; ++step) {
    const TemporaryFolder folder;
    const auto path = folder.file("state", "old");
    fail_at(step);
    const auto result = replace_durably(path, "new", kFailingCalls);
    INFO("step " << step);
    REQUIRE_FALSE(result);
    CHECK(result.error().os_error == ENOSPC);
    CHECK_FALSE(result.error().remedy.empty());
    CHECK(content_of(path) == (step <= 4 ? "old" : "new"));
    CHECK_FALSE(std::filesystem::exists(folder / "state.new"));
  }
}

TEST_CASE("a write that takes a part of the data only is gone on with") {
  const TemporaryFolder folder;
  auto calls = kFileCalls;
  calls.write = one_byte_write;
  REQUIRE(replace_durably(folder / "state", "several bytes", calls));
  CHECK(content_of(folder / "state") == "several bytes");
}

TEST_CASE("the file is for its owner only, also if a crash left a temporary one of another mode") {
  const TemporaryFolder folder;
  folder.file("state.new", "a long rest of a former attempt", 0666);
  REQUIRE(replace_durably(folder / "state", "x"));
  CHECK(content_of(folder / "state") == "x");
  CHECK(mode_of(folder / "state") == 0600);
}

TEST_CASE("a file that is not there is empty, one that cannot be read is an error") {
  const TemporaryFolder folder;
  CHECK(read_durable(folder / "none").value() == std::nullopt);
  std::filesystem::create_directory(folder / "folder");
  CHECK_FALSE(read_durable(folder / "folder"));
  CHECK_FALSE(replace_durably(folder / "no folder/state", "x"));
}

TEST_CASE("a secret loses one newline at its end and nothing else") {
  const TemporaryFolder folder;
  CHECK(read_secret(folder.file("a", "geheim\n", 0640)).value() == "geheim");
  CHECK(read_secret(folder.file("b", " geheim \n\n", 0400)).value() == " geheim \n");
  CHECK(read_secret(folder.file("c", "geheim", 0600)).value() == "geheim");
}

TEST_CASE("a secret that others can get at is refused with the remedy") {
  const TemporaryFolder folder;
  for (const unsigned mode : {0644u, 0660u, 0641u, 0604u, 0602u, 0650u}) {
    const auto secret = read_secret(folder.file("secret", "geheim", mode));
    INFO("mode " << std::oct << mode);
    REQUIRE_FALSE(secret);
    CHECK(secret.error().remedy.find("chmod 0640") != std::string::npos);
    CHECK(secret.error().to_string().find("geheim") == std::string::npos);
  }
}

TEST_CASE("a secret that another group can read, or that is another user's, is refused with the remedy") {
  REQUIRE(::geteuid() == 0);  // others cannot give files away
  const TemporaryFolder folder;
  constexpr uid_t kStranger = 65533;
  const auto path = folder.file("secret", "geheim", 0640);
  REQUIRE(::chown(path.c_str(), 0, kStranger) == 0);
  CHECK(read_secret(path).error().remedy == "chgrp root " + path.string() + ", or take a copy");
  ::chmod(path.c_str(), 0600);  // the group has no part in it
  CHECK(read_secret(path));
  REQUIRE(::chown(path.c_str(), kStranger, 0) == 0);
  CHECK(read_secret(path).error().remedy == "chown root " + path.string());
}

TEST_CASE("a secret that is missing, empty, too long or no file is refused") {
  const TemporaryFolder folder;
  CHECK(read_secret(folder / "none").error().os_error == ENOENT);
  CHECK(read_secret(folder.file("empty", "")).error().reason == "the file is empty");
  CHECK(read_secret(folder.file("newline", "\n")).error().reason == "the file is empty");
  CHECK(read_secret(folder.file("long", std::string(5000, 'x'))).error().os_error == EFBIG);
  CHECK(read_secret(folder.path()).error().reason == "not a regular file");
  ::mkfifo((folder / "pipe").c_str(), 0600);
  CHECK(read_secret(folder / "pipe").error().reason == "not a regular file");
}

TEST_CASE("a key file may be larger than a secret, and is protected like one") {
  const TemporaryFolder folder;
  CHECK(read_key_file(folder.file("key", std::string(20000, 'x'))).value().size() == 20000);
  CHECK(read_key_file(folder.file("long", std::string(70000, 'x'))).error().os_error == EFBIG);
  CHECK(read_key_file(folder.file("open", "x", 0644)).error().remedy == "chmod 0640 " + (folder / "open").string());
  CHECK(read_key_file(folder / "none").error().remedy ==
        "write private key and certificates into this file, mode 0640 or stricter");
}

TEST_CASE("who may not read a secret is told as whom it works") {
  const TemporaryFolder folder;
  const auto path = folder.file("secret", "geheim\n", 0);
  const AsNobody user{folder.path()};
  for (const auto& read : {read_secret(path), read_key_file(path), read_manual_key_file(path)}) {
    REQUIRE_FALSE(read);
    CHECK(read.error().os_error == EACCES);
    CHECK(read.error().remedy.find("member of the group mnd") != std::string::npos);
  }
}
