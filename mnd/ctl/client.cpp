// See client.hpp. Blocking: this program does nothing else.
#include "mnd/ctl/client.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "mnd/linux/unix_socket.hpp"

namespace mip6ctl {

namespace {

Failure unreachable(const std::string& path, int number) {
  const auto what = fmt::format("cannot reach mnd at {}: {}", printable(path), std::strerror(number));
  if (number == EACCES || number == EPERM) return {what, "run mip6ctl as root, or as a member of the group mnd", true};
  return {what, "start it (systemctl start mnd), or name its control-socket with --socket", false};
}

}  // namespace

tl::expected<Client, Failure> Client::connect(const std::string& path) {
  auto peer = mnd::kernel::connect_to(path);
  if (!peer) return tl::unexpected(unreachable(path, peer.error()));
  return Client{std::move(*peer)};
}

tl::expected<void, Failure> Client::send(const json& request) {
  auto line = one_line(request) + "\n";
  std::string_view left{line};
  while (!left.empty()) {
    const auto sent = ::send(peer_.get(), left.data(), left.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return tl::unexpected(Failure{"mnd closed the connection", "look at its log: journalctl -u mnd"});
    left.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

tl::expected<json, Failure> Client::receive(std::optional<std::chrono::milliseconds> timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout.value_or(std::chrono::milliseconds{0});
  for (;;) {
    if (const auto end = input_.find('\n'); end != std::string::npos) {
      auto answer = json::parse(input_.substr(0, end), nullptr, false);
      input_.erase(0, end + 1);
      if (!answer.is_object())
        return tl::unexpected(Failure{"what answers is not mnd", "name its control-socket with --socket"});
      return answer;
    }
    if (input_.size() > kMaxLine)
      return tl::unexpected(Failure{"the answer is too long", "name mnd's control-socket with --socket"});
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd readable{.fd = peer_.get(), .events = POLLIN, .revents = 0};
    const int ready = ::poll(&readable, 1, timeout ? static_cast<int>(std::max<long>(left.count(), 0)) : -1);
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return tl::unexpected(Failure{"mnd does not answer", "look at its log: journalctl -u mnd"});
    std::array<char, 16384> block{};
    const auto got = ::read(peer_.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return tl::unexpected(Failure{"mnd closed the connection", "look at its log: journalctl -u mnd"});
    input_.append(block.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace mip6ctl
