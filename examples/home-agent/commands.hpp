// The commands of the control socket, on both of its sides: one table for server, client, usage and man page.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "examples/home-agent/steering.hpp"
#include "libmip6/error.hpp"
#include "mnd/linux/control_server.hpp"

namespace mip6ha {

// What a request names beside its command, checked: it comes from anybody who may connect.
struct Asked {
  std::string node;                     // [a-z0-9-]{1,kMaxNodeName}
  std::string why;                      // at most kMaxWhy bytes, without control characters
  std::vector<std::string> new_keys{};  // of reload: nodes whose manual keys were just made
  bool placed = false;                  // of import: the backup is where it was wanted
};
inline constexpr std::size_t kMaxWhy = 200;

struct Command {
  using Expected = tl::expected<nlohmann::json, mip6::Error>;
  enum class Argument : std::uint8_t { kNone, kFile, kNode, kNodeAndWhy };
  std::string_view name;
  Argument argument = Argument::kNone;
  mnd::kernel::Asker asker{};                                                  // the least that may ask
  std::string_view summary;                                                    // one line of the usage
  nlohmann::json (*answer)(Steering& steering, const Asked& asked) = nullptr;  // in the daemon; nullptr: later
  bool lists = false;                                                          // the answer goes on with all bindings
  std::string (*text)(const nlohmann::json& answer) = nullptr;                 // in the client, without --json
  // In the client: what is left to do with the answer and the argument, and may want a second one; nullptr: nothing.
  using AskAgain = std::function<Expected(const nlohmann::json& request)>;
  Expected (*finish)(const nlohmann::json& answer, const std::filesystem::path& argument,
                     const AskAgain& ask_again) = nullptr;
  bool (*well)(const nlohmann::json& answer) = nullptr;  // in the client: exit status 0; nullptr: always
};
std::span<const Command> commands();
const Command* find_command(std::string_view name);    // nullptr: no such command
std::string_view argument_of(const Command& command);  // in the usage: "NAME [--why TEXT]"

// The daemon's answer to one request, whatever it is: an object, with "error" and "remedy" if it was no command, or not
// for this asker. Bindings follow in pieces, and a new configuration is answered when it is in force: `steering` must
// outlive that.
mnd::kernel::ControlServer::Answer answer_request(Steering& steering, const nlohmann::json& request,
                                                  mnd::kernel::Asker asker);

// {version, error: {what, remedy}}, as answers of commands and `--json` have it.
nlohmann::json error_json(mip6::Error error);
// JSON without line breaks. What a person typed need not be UTF-8: what is not, is replaced.
std::string line_of(const nlohmann::json& object);

// Client: sends one request to a running mip6-ha and waits for its answer, or a piece of it, at most so long.
inline constexpr std::chrono::seconds kAnswerTimeout{60};
inline constexpr std::chrono::seconds kWorkTimeout{
    1800};  // of reload and import: tens of thousands of nodes, one after the other
tl::expected<nlohmann::json, mip6::Error> ask_daemon(const std::filesystem::path& socket,
                                                     const nlohmann::json& request);

}  // namespace mip6ha
