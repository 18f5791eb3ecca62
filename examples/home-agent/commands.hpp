// The commands of the control socket, on both of its sides: one table for server, client, usage and man page.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "examples/home-agent/snapshot.hpp"
#include "libmip6/error.hpp"

namespace mip6ha {

// Makes a copy of the database in the daemon's state directory, for restore(): its path.
using MakeCopy = std::function<tl::expected<std::filesystem::path, mip6::Error>()>;

struct Command {
  using Expected = tl::expected<nlohmann::json, mip6::Error>;
  std::string_view name;
  std::string_view argument;                                                      // in the usage; empty: it has none
  std::string_view summary;                                                       // one line of the usage
  nlohmann::json (*answer)(const Snapshot& snapshot, const MakeCopy& make_copy);  // in the daemon
  // In the client: what is left to do with the answer and the argument; nullptr: nothing.
  Expected (*finish)(const nlohmann::json& answer, const std::filesystem::path& argument);
  std::string (*text)(const nlohmann::json& answer);  // in the client, without --json
};
std::span<const Command> commands();
const Command* find_command(std::string_view name);  // nullptr: no such command

// The daemon's answer to one request, whatever it is: an object, with "error" and "remedy" if it was no command.
nlohmann::json answer_request(const Snapshot& snapshot, const nlohmann::json& request, const MakeCopy& make_copy);

// Client: sends one request to a running mip6-ha and waits for its answer (at most 5 s).
tl::expected<nlohmann::json, mip6::Error> ask_daemon(const std::filesystem::path& socket,
                                                     const nlohmann::json& request);

}  // namespace mip6ha
