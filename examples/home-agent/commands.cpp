// The table of commands, and the client's side of the control socket.
#include "examples/home-agent/commands.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "examples/home-agent/answers.hpp"
#include "examples/home-agent/backup.hpp"
#include "mnd/linux/os_error.hpp"
#include "mnd/linux/unix_socket.hpp"

namespace mip6ha {
namespace {

using mip6::Error;
using nlohmann::json;

constexpr std::size_t kMaxAnswer = 64 * 1024 * 1024;  // bytes; 100,000 nodes take about half

using mnd::kernel::Asker;
using Argument = Command::Argument;

}  // namespace

static json error_json(const std::string& what, const std::string& remedy) {
  return {{"version", mnd::kernel::kControlVersion}, {"error", {{"what", what}, {"remedy", remedy}}}};
}

json error_json(Error error) {
  const auto remedy = std::exchange(error.remedy, {});
  return error_json(error.to_string(), remedy);
}

std::string line_of(const json& object) { return object.dump(-1, ' ', false, json::error_handler_t::replace); }

namespace {

json with_version(json answer) {
  answer["version"] = mnd::kernel::kControlVersion;
  return answer;
}

json show_answer(Steering& steering, const Asked& asked) {
  const auto node = steering.node(asked.node);
  if (!node) return error_json(fmt::format("no node has the name {}", asked.node), "mip6-ha list names them all");
  return with_version({{"node", node_json(*node)}});
}

json events_answer(Steering& steering, const Asked&) { return with_version({{"events", steering.events()}}); }

json doctor_answer(Steering& steering, const Asked&) {
  return with_version({{"findings", findings_json(steering.examine())}});
}

json export_answer(Steering& steering, const Asked&) {
  const auto copy = steering.make_copy();
  return copy ? with_version({{"file", copy->string()}}) : error_json(copy.error());
}

json import_answer(Steering& steering, const Asked& asked) {
  if (!asked.placed) return with_version({{"place", steering.backup_place().string()}});
  const auto done = steering.take_back();
  return done ? with_version(imported_json(*done)) : error_json(done.error());
}

json reload_answer(const tl::expected<Reloaded, Mistakes>& done) {
  if (done) return with_version(reloaded_json(*done));
  const auto mistakes = mistakes_json(done.error());
  json answer = error_json(mistakes_text(done.error()), "mend the configuration and reload again: nothing has changed");
  answer["mistakes"] = mistakes;
  return answer;
}

json ban_answer(Steering& steering, const Asked& asked) {
  const auto done = steering.ban(asked.node, asked.why);
  if (!done) return error_json(done.error());
  return with_version({{"node", asked.node}, {"banned", {{"since", utc(done->since)}, {"why", done->why}}}});
}

json unban_answer(Steering& steering, const Asked& asked) {
  const auto done = steering.unban(asked.node);
  return done ? with_version({{"node", asked.node}, {"banned", nullptr}}) : error_json(done.error());
}

std::string export_text(const json& answer) { return fmt::format("exported to {}\n", shown(answer, "file")); }
std::string ban_text(const json& answer) {
  return fmt::format("{}: not served from now on; mip6-ha unban lifts it\n", shown(answer, "node"));
}
std::string unban_text(const json& answer) { return fmt::format("{}: no ban\n", shown(answer, "node")); }

constexpr auto kMember = Asker::kMember;
constexpr auto kRoot = Asker::kRoot;
constexpr std::array<Command, 10> kCommands{{
    {.name = "status",
     .asker = kMember,
     .summary = "the home agent, its counters and its nodes",
     .answer = [](Steering& s, const Asked&) { return status_json(s.snapshot()); },
     .lists = true,
     .text = status_text},
    {.name = "list",
     .asker = kMember,
     .summary = "the nodes with home address, care-of address, lifetime and sequence number",
     .answer = [](Steering&, const Asked&) { return with_version(json::object()); },
     .lists = true,
     .text = list_text},
    {.name = "show",
     .argument = Argument::kNode,
     .asker = kMember,
     .summary = "all of one node",
     .answer = show_answer,
     .text = show_text},
    {.name = "events",
     .asker = kMember,
     .summary = "what happened lately",
     .answer = events_answer,
     .text = events_text},
    {.name = "doctor",
     .asker = kMember,
     .summary = "what is wrong with the machine, and what to do about it",
     .answer = doctor_answer,
     .text = doctor_text,
     .well = no_findings},
    {.name = "reload",
     .asker = kRoot,
     .summary = "read the configuration again: nodes come, go and change their keys",
     .text = reload_text,
     .well = reloaded_whole},
    {.name = "ban",
     .argument = Argument::kNodeAndWhy,
     .asker = kRoot,
     .summary = "refuse a node from now on",
     .answer = ban_answer,
     .text = ban_text},
    {.name = "unban",
     .argument = Argument::kNode,
     .asker = kRoot,
     .summary = "serve it again",
     .answer = unban_answer,
     .text = unban_text},
    {.name = "export",
     .argument = Argument::kFile,
     .asker = kRoot,
     .summary = "a backup of what it keeps on disk",
     .answer = export_answer,
     .text = export_text,
     .finish = [](const json& answer, const std::filesystem::path& file,
                  const Command::AskAgain&) { return take_copy(answer, file); }},
    {.name = "import",
     .argument = Argument::kFile,
     .asker = kRoot,
     .summary = "back to such a backup, without trust in its sequence numbers",
     .answer = import_answer,
     .text = import_text,
     .finish = give_backup,
     .well = imported_whole},
}};

Error failure(const std::filesystem::path& socket, int number) {
  const char* remedy = "see that mip6-ha is running, and name its control-socket with --socket";
  if (number == EACCES || number == EPERM) remedy = "ask as root or as a member of the group mnd";
  if (number == ENOENT || number == ECONNREFUSED)
    remedy =
        "none is running there: systemctl start mip6-ha; why it ended: journalctl -u mip6-ha; another control-socket: "
        "--socket";
  return mnd::kernel::os_error(number == EAGAIN ? ETIMEDOUT : number, "ask mip6-ha", socket.string(), remedy);
}

tl::expected<std::string, Error> exchange(const mnd::kernel::Descriptor& peer, const std::filesystem::path& socket,
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
    const auto from = line.size();
    line.append(buffer.data(), static_cast<std::size_t>(count));
    if (const auto end = line.find('\n', from); end != std::string::npos) return line.substr(0, end);
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

std::string_view argument_of(const Command& command) {
  switch (command.argument) {
    case Argument::kNone:
      return "";
    case Argument::kFile:
      return "FILE";
    case Argument::kNode:
      return "NAME";
    case Argument::kNodeAndWhy:
      break;
  }
  return "NAME [--why TEXT]";
}

namespace {

// Nothing of what was sent is repeated: it need not be short.
tl::expected<Asked, const char*> read_asked(const Command& command, const json& request) {
  Asked asked;
  const auto no = [](const char* what) { return tl::unexpected<const char*>(what); };
  if (const auto names = request.find("keys_are_new"); names != request.end()) {
    const auto is_name = [](const json& one) {
      return one.is_string() && is_node_name(one.get_ref<const std::string&>());
    };
    if (!names->is_array() || !std::all_of(names->begin(), names->end(), is_name))
      return no("these are no names of nodes");
    for (const auto& name : *names) asked.new_keys.push_back(name);
  }
  asked.placed = request.value("placed", json{}) == json(true);
  if (command.argument != Argument::kNode && command.argument != Argument::kNodeAndWhy) return asked;
  const auto node = request.find("node");
  if (node == request.end() || !node->is_string()) return no("the request names no node");
  asked.node = node->get<std::string>();
  if (!is_node_name(asked.node)) return no("this is no name of a node");
  const auto why = request.find("why");
  if (command.argument != Argument::kNodeAndWhy || why == request.end() || why->is_null()) return asked;
  if (!why->is_string()) return no("the reason is no text");
  asked.why = why->get<std::string>();
  const auto control = [](char one) { return static_cast<unsigned char>(one) < 0x20 || one == 0x7f; };
  if (asked.why.size() > kMaxWhy || std::any_of(asked.why.begin(), asked.why.end(), control))
    return no("the reason is longer than 200 bytes, or more than one line");
  return asked;
}

// Texts of a peer may be in there: bytes that are no UTF-8 are replaced, not thrown about.

// The object with one more member, of which the rest comes piece by piece.
mnd::kernel::ControlServer::Answer listing(const json& head, Bindings bindings) {
  std::string begin = line_of(head);
  begin.back() = ',';
  return {
      .line = begin + R"("bindings":[)",
      .rest = [bindings = std::move(bindings), first = true, whole = false]() mutable -> std::optional<std::string> {
        if (whole) return std::nullopt;
        std::string piece;
        for (const auto& binding : bindings()) {
          if (!std::exchange(first, false)) piece += ',';
          piece += line_of(binding_json(binding));
        }
        whole = piece.empty();
        return whole ? "]}" : piece;
      }};
}

mnd::kernel::ControlServer::Answer reloading(Steering& steering, std::vector<std::string> new_keys) {
  return {.line = {}, .later = [&steering, new_keys = std::move(new_keys)](auto told) {
            steering.reload(new_keys,
                            [told = std::move(told)](const auto& done) { told(line_of(reload_answer(done))); });
          }};
}

}  // namespace

mnd::kernel::ControlServer::Answer answer_request(Steering& steering, const json& request, Asker asker) {
  const auto say = [](const json& answer) { return mnd::kernel::ControlServer::Answer{.line = line_of(answer)}; };
  const auto refuse = [&](const char* what) {
    return say(error_json(what, R"(ask {"command": "status"}, or see that client and daemon are of the same version)"));
  };
  if (!request.is_object() || !request.contains("command") || !request.at("command").is_string())
    return refuse("the request has no command");
  const auto& name = request.at("command").get_ref<const std::string&>();
  const Command* command = find_command(name);
  // The name comes from anybody and is not repeated: it need not be valid UTF-8, nor short.
  if (command == nullptr) return refuse("no such command");
  if (asker < command->asker) return say(error_json("this command is for root only", "ask as root"));
  auto asked = read_asked(*command, request);
  if (!asked) return say(error_json(asked.error(), "see the man page, mip6-ha(8)"));
  if (command->answer == nullptr) return reloading(steering, std::move(asked->new_keys));
  const json answer = command->answer(steering, *asked);
  return command->lists ? listing(answer, steering.bindings()) : say(answer);
}

tl::expected<json, Error> ask_daemon(const std::filesystem::path& socket, const json& request) {
  const auto said = [&](const char* key) { return request.is_object() ? request.value(key, json{}) : json{}; };
  const bool long_work = said("command") == "reload" || said("placed") == true;
  const auto asked = line_of(request) + '\n';
  const auto peer = mnd::kernel::connect_to(socket.native(), long_work ? kWorkTimeout : kAnswerTimeout);
  if (!peer) return tl::unexpected(failure(socket, peer.error()));

  const auto line = exchange(*peer, socket, asked);
  if (!line) return tl::unexpected(line.error());
  json answer = json::parse(*line, nullptr, false);
  if (!answer.is_object()) return tl::unexpected(failure(socket, EBADMSG));
  if (answer.contains("error") && answer.at("error").is_object())
    return tl::unexpected(Error{.tried = "ask mip6-ha",
                                .on = socket.string(),
                                .reason = shown(answer.at("error"), "what"),
                                .remedy = shown(answer.at("error"), "remedy"),
                                .os_error = 0});
  return answer;
}

}  // namespace mip6ha
