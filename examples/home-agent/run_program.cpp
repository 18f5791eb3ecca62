// See run_program.hpp.
#include "examples/home-agent/run_program.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <csignal>

#include "mnd/linux/descriptor.hpp"
#include "mnd/linux/os_error.hpp"

namespace mip6ha {
namespace {

using mip6::Error;
using mnd::kernel::Descriptor;

constexpr std::size_t kMaxInput = 16 * 1024;  // a pipe takes it whole

struct Pipe {
  Descriptor read;
  Descriptor write;
};

tl::expected<Pipe, int> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return tl::unexpected(errno);
  return Pipe{Descriptor{ends[0]}, Descriptor{ends[1]}};
}

// Both outputs to their ends.
void drain(int output, int errors, std::string& written, std::string& told) {
  std::array<pollfd, 2> waited{{{output, POLLIN, 0}, {errors, POLLIN, 0}}};
  std::array<char, 4096> block{};
  while (waited[0].fd >= 0 || waited[1].fd >= 0) {
    if (::poll(waited.data(), waited.size(), -1) < 0 && errno != EINTR) return;
    for (auto& one : waited) {
      if (one.fd < 0 || one.revents == 0) continue;
      const auto count = ::read(one.fd, block.data(), block.size());
      if (count < 0 && errno == EINTR) continue;
      if (count > 0)
        (&one == &waited[0] ? written : told).append(block.data(), static_cast<std::size_t>(count));
      else
        one.fd = -1;
    }
  }
}

std::string last_line(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  const auto end = text.rfind('\n');
  return end == std::string::npos ? text : text.substr(end + 1);
}

// posix_spawn's own structure, which must be given back.
class Redirections {
 public:
  Redirections(const Pipe& in, const Pipe& out, const Pipe& err) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_adddup2(&actions_, in.read.get(), STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions_, out.write.get(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions_, err.write.get(), STDERR_FILENO);
  }
  Redirections(const Redirections&) = delete;
  Redirections& operator=(const Redirections&) = delete;
  ~Redirections() { ::posix_spawn_file_actions_destroy(&actions_); }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

}  // namespace

tl::expected<std::string, Error> run_program(const std::vector<std::string>& words, std::string_view input,
                                             std::string_view package) {
  assert(!words.empty() && input.size() <= kMaxInput);
  const auto tried = words.size() > 1 ? fmt::format("run {} {}", words[0], words[1]) : fmt::format("run {}", words[0]);
  const auto failed = [&](int number) {
    return tl::unexpected(
        mnd::kernel::os_error(number, tried, {}, number == ENOENT ? fmt::format("apt install {}", package) : ""));
  };
  auto in = make_pipe();
  auto out = make_pipe();
  auto err = make_pipe();
  if (!in || !out || !err) return failed(EMFILE);

  std::vector<char*> arguments;
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t process = 0;
  const Redirections redirections{*in, *out, *err};
  if (const int number = ::posix_spawnp(&process, arguments[0], redirections.get(), nullptr, arguments.data(), environ);
      number != 0)
    return failed(number);
  in->read = {};
  out->write = {};
  err->write = {};
  // One that reads nothing and is gone must not take us along.
  const auto former = std::signal(SIGPIPE, SIG_IGN);
  const bool given = input.empty() || ::write(in->write.get(), input.data(), input.size()) >= 0;
  std::signal(SIGPIPE, former);
  in->write = {};
  std::string written;
  std::string told;
  drain(out->read.get(), err->read.get(), written, told);
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  if (given && WIFEXITED(status) && WEXITSTATUS(status) == 0) return written;
  return tl::unexpected(Error{.tried = tried, .on = {}, .reason = last_line(told), .remedy = {}, .os_error = 0});
}

}  // namespace mip6ha
