// The subcommands that change the configuration: init, add, remove, rotate; and doctor where no home agent runs.
#pragma once

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/variables_map.hpp>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libmip6/error.hpp"

namespace mip6ha {

inline constexpr std::string_view kDefaultConfig = "/etc/mip6-ha/mip6-ha.conf";

struct AdminCommand {
  using Given = boost::program_options::variables_map;
  std::string_view name;
  std::string_view usage;                 // what follows the name
  std::string_view summary;               // one line of the usage
  std::span<const std::string_view> may;  // the options that it takes, beside --config and --json
  bool named = false;                     // a node's name may follow
  int (*run)(const Given& given, const std::string& node) = nullptr;  // the exit status
};
std::span<const AdminCommand> admin_commands();
const AdminCommand* find_admin_command(std::string_view name);  // nullptr: no such command

// The options of these commands, for the option table.
boost::program_options::options_description admin_options();

// Runs the command of words.front(); what does not fit it is told, with exit status 2.
int run_admin(const AdminCommand& command, const std::vector<std::string>& words, const AdminCommand::Given& given);

// What `doctor` tells where no home agent answers, for `error`: that, and the machine as `init` looks at it, by the
// configuration, with what that warns of, or the mistakes of that. The exit status.
int tell_machine(const std::filesystem::path& config, const mip6::Error& error, bool as_json);

}  // namespace mip6ha
