// The table of commands, and the client's side of the control socket.
#include "examples/home-agent/commands.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "examples/home-agent/backup.hpp"
#include "mnd/linux/control_server.hpp"
#include "mnd/linux/os_error.hpp"

namespace mip6ha {
namespace {

using mip6::Error;
using nlohmann::json;

constexpr int kAnswerTimeoutSeconds = 5;
constexpr std::size_t kMaxAnswer = 16 * 1024 * 1024;  // bytes; 5,000 nodes take about one tenth

json error_json(const std::string& what, const std::string& remedy) {
  return {{"version", mnd::kernel::kControlVersion}, {"error", {{"what", what}, {"remedy", remedy}}}};
}

json export_json(const Snapshot&, const MakeCopy& make_copy) {
  const auto copy = make_copy();
  if (copy) return {{"version", mnd::kernel::kControlVersion}, {"file", copy->string()}};
  Error what = copy.error();
  what.remedy.clear();
  return error_json(what.to_string(), copy.error().remedy);
}

std::string text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "?";
}

std::string export_text(const json& answer) { return fmt::format("exported to {}\n", text_of(answer, "file")); }

constexpr std::array<Command, 3> kCommands{{
    {"status", "", "the home agent, its counters and its nodes",
     [](const Snapshot& s, const MakeCopy&) { return status_json(s); }, nullptr, status_text},
    {"list", "", "the nodes with home address, care-of address, lifetime and sequence number",
     [](const Snapshot& s, const MakeCopy&) { return list_json(s); }, nullptr, list_text},
    {"export", "FILE", "a backup of what it keeps on disk", export_json, take_copy, export_text},
}};

Error failure(const std::filesystem::path& socket, int number) {
  const bool denied = number == EACCES || number == EPERM;
  const char* remedy = denied ? "ask as root or as a member of the group mnd"
                              : "see that mip6-ha is running, and name its control-socket with --socket";
  return mnd::kernel::os_error(number == EAGAIN ? ETIMEDOUT : number, "ask mip6-ha", socket.string(), remedy);
}

class Descriptor {
 public:
  explicit Descriptor(int value) : value_{value} {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  int get() const { return value_; }

 private:
  int value_;
};

tl::expected<std::string, Error> exchange(const Descriptor& peer, const std::filesystem::path& socket,
                                          const std::string& request) {
  if (::send(peer.get(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
    return tl::unexpected(failure(socket, errno));
  std::string line;
  std::array<char, 4096> buffer{};
  while (line.size() < kMaxAnswer) {
    const ssize_t count = ::recv(peer.get(), buffer.data(), buffer.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return tl::unexpected(failure(socket, errno));
    if (count == 0) return tl::unexpected(failure(socket, ECONNRESET));
    line.append(buffer.data(), static_cast<std::size_t>(count));
    if (const auto end = line.find('\n'); end != std::string::npos) return line.substr(0, end);
  }
  return tl::unexpected(failure(socket, EMSGSIZE));
}

}  // namespace

std::span<const Command> commands() { return kCommands; }

const Command* find_command(std::string_view name) {
  for (const auto& command : kCommands)
    if (command.name == name) return &command;
  return nullptr;
}

json answer_request(const Snapshot& snapshot, const json& request, const MakeCopy& make_copy) {
  const auto refuse = [](const char* what) {
    return error_json(what, R"(ask {"command": "status"}, or see that client and daemon are of the same version)");
  };
  if (!request.is_object() || !request.contains("command") || !request.at("command").is_string())
    return refuse("the request has no command");
  const auto& name = request.at("command").get_ref<const std::string&>();
  const Command* command = find_command(name);
  // The name comes from anybody and is not repeated: it need not be valid UTF-8, nor short.
  if (command == nullptr) return refuse("no such command");
  return command->answer(snapshot, make_copy);
}

tl::expected<json, Error> ask_daemon(const std::filesystem::path& socket, const json& request) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = socket.string();
  if (path.size() >= sizeof address.sun_path) return tl::unexpected(failure(socket, ENAMETOOLONG));
  std::memcpy(address.sun_path, path.data(), path.size());

  const Descriptor peer{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const timeval limit{.tv_sec = kAnswerTimeoutSeconds, .tv_usec = 0};
  if (peer.get() < 0 || ::setsockopt(peer.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
      ::setsockopt(peer.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0 ||
      ::connect(peer.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return tl::unexpected(failure(socket, errno));

  const auto line = exchange(peer, socket, request.dump() + '\n');
  if (!line) return tl::unexpected(line.error());
  json answer = json::parse(*line, nullptr, false);
  if (!answer.is_object()) return tl::unexpected(failure(socket, EBADMSG));
  if (answer.contains("error") && answer.at("error").is_object())
    return tl::unexpected(Error{.tried = "ask mip6-ha",
                                .on = socket.string(),
                                .reason = text_of(answer.at("error"), "what"),
                                .remedy = text_of(answer.at("error"), "remedy"),
                                .os_error = 0});
  return answer;
}

}  // namespace mip6ha
