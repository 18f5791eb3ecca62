// See self_start.hpp.
#include "mnd/linux/self_start.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "mnd/linux/os_error.hpp"

namespace mnd::kernel {

namespace {

constexpr unsigned kFirst = STDERR_FILENO + 1;

// Asio's are not closed by themselves. Marked, not closed: they are needed if the start fails.
void close_all_at_start() {
  if (::syscall(SYS_close_range, kFirst, ~0U, CLOSE_RANGE_CLOEXEC) == 0) return;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  for (unsigned one = kFirst; one < limit.rlim_cur; ++one) ::fcntl(static_cast<int>(one), F_SETFD, FD_CLOEXEC);
}

}  // namespace

SelfStart::SelfStart(int argc, char* const argv[]) : words_(argv, argv + argc) {
  std::error_code error;
  path_ = std::filesystem::read_symlink("/proc/self/exe", error);
}

mip6::Error SelfStart::start() const {
  std::vector<char*> words;
  for (const auto& word : words_) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  close_all_at_start();
  ::execv(path_.c_str(), words.data());
  return os_error(errno, "start the program again", path_.string(), "look whether it is installed");
}

}  // namespace mnd::kernel
