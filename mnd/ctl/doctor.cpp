// mip6ctl doctor: the daemon's own, or mnd --doctor where it does not run.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "mnd/ctl/commands.hpp"
#include "mnd/linux/unix_socket.hpp"

namespace mip6ctl {
namespace {

bool runs(const std::string& socket) {
  const auto peer = mnd::kernel::connect_to(socket);
  return peer || (peer.error() != ENOENT && peer.error() != ECONNREFUSED);
}

// The one that is installed with this program, or was built with it.
std::filesystem::path program() {
  std::error_code error;
  const auto folder = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  const auto beside = folder / "mnd";
  return std::filesystem::is_regular_file(beside, error) ? beside : folder.parent_path() / "sbin" / "mnd";
}

// What it writes; an empty text if it can't be run.
std::string output_of(const std::filesystem::path& path, const std::string& config) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  const mnd::kernel::Descriptor reading{ends[0]};
  mnd::kernel::Descriptor writing{ends[1]};
  const auto child = ::fork();
  if (child < 0) return {};
  if (child == 0) {
    if (::dup2(writing.get(), STDOUT_FILENO) >= 0)
      ::execl(path.c_str(), path.c_str(), "--doctor", "--config", config.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  writing = mnd::kernel::Descriptor{};
  std::string text;
  std::array<char, 4096> block{};
  for (;;) {
    const auto got = ::read(reading.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(block.data(), static_cast<std::size_t>(got));
  }
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return text;
}

int tell(const Options& options, const json& answer) {
  print(options.json ? one_line(answer) + "\n" : render_findings(answer));
  return member(answer, "findings").empty() ? kOk : kFailed;
}

}  // namespace

int run_doctor(const Options& options) {
  if (!runs(options.socket)) {
    const auto answer = json::parse(output_of(program(), options.config), nullptr, false);
    if (answer.is_object()) return tell(options, answer);
  }
  const auto conversation = ask(options, {{"command", "doctor"}});
  if (!conversation) return conversation.error();
  return tell(options, conversation->answer);
}

}  // namespace mip6ctl
