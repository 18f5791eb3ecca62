// What the command line of mip6-ha asks for, decided without doing it.
#pragma once

#include <boost/program_options/variables_map.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "examples/home-agent/admin_cli.hpp"
#include "examples/home-agent/commands.hpp"

namespace mip6ha {

struct CommandLine {
  enum class Action : std::uint8_t {
    kRefuse,  // for `mistake`
    kHelp,
    kVersion,
    kServe,
    kCheck,
    kTakeKeysAsNew,
    kImport,      // by --config: also while no home agent runs
    kAsk,         // `command`, of a running home agent
    kAdminister,  // `admin`
  };
  Action action = Action::kRefuse;
  std::string mistake;  // what is wrong, in words
  std::string remedy = "try mip6-ha --help";
  std::string config;              // empty: not named, and not needed
  std::string new_keys;            // --keys-are-new NODE
  std::string why;                 // --why TEXT
  std::string socket;              // --socket S, or its default
  bool json = false;               // --json, before the command or after it
  std::vector<std::string> words;  // the command and what follows it, without options
  const Command* command = nullptr;
  const AdminCommand* admin = nullptr;
  boost::program_options::variables_map given;  // for run_admin()
};

// `arguments`: without the program's name.
CommandLine read_command_line(const std::vector<std::string>& arguments);

std::string usage();

}  // namespace mip6ha
