// Runs mnd for what it tells without being the daemon.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "mnd/ctl/commands.hpp"
#include "mnd/linux/descriptor.hpp"

namespace mip6ctl {
namespace {

std::filesystem::path program() {
  std::error_code error;
  const auto folder = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  if (error) return {};  // not whatever has that name where we are
  const auto beside = folder / "mnd";
  return std::filesystem::is_regular_file(beside, error) ? beside : folder.parent_path() / "sbin" / "mnd";
}

std::string all_of(const mnd::kernel::Descriptor& reading) {
  std::string text;
  std::array<char, 4096> block{};
  for (;;) {
    const auto got = ::read(reading.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(block.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace

std::optional<Ran> run_mnd(const std::vector<std::string>& words) {
  constexpr int kNotFound = 127;
  const auto path = program();
  std::vector<char*> arguments{const_cast<char*>(path.c_str())};
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
  const mnd::kernel::Descriptor reading{ends[0]};
  mnd::kernel::Descriptor writing{ends[1]};
  const auto child = ::fork();
  if (child < 0) return std::nullopt;
  if (child == 0) {
    if (::dup2(writing.get(), STDOUT_FILENO) >= 0) ::execv(path.c_str(), arguments.data());
    ::_exit(kNotFound);
  }
  writing = mnd::kernel::Descriptor{};
  Ran ran{.status = 0, .output = all_of(reading)};
  while (::waitpid(child, &ran.status, 0) < 0 && errno == EINTR) {
  }
  ran.status = WIFEXITED(ran.status) ? WEXITSTATUS(ran.status) : kNotFound;
  if (ran.status == kNotFound) return std::nullopt;
  return ran;
}

}  // namespace mip6ctl
