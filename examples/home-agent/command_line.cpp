// See command_line.hpp.
#include "examples/home-agent/command_line.hpp"

#include <fmt/format.h>

#include <boost/program_options.hpp>
#include <sstream>

#include "examples/home-agent/node_site.hpp"
#include "mnd/linux/nearest_key.hpp"

namespace mip6ha {
namespace {

namespace options = boost::program_options;
using Action = CommandLine::Action;

options::options_description described(CommandLine& line) {
  options::options_description all{"options"};
  all.add_options()("config", options::value(&line.config)->value_name("FILE"), "configuration to run with")(
      "check", "only check the configuration, all mistakes at once")(
      "keys-are-new", options::value(&line.new_keys)->value_name("NODE"),
      "take the manual keys of a node as never used, where no record says what they have seen; while mip6-ha is "
      "stopped")("socket",
                 options::value(&line.socket)->value_name("S")->default_value(mip6ha::Config{}.control_socket.string()),
                 "control socket of a running mip6-ha")("why", options::value(&line.why)->value_name("TEXT"),
                                                        "reason of a ban, for list and show")(
      "json", "the same data as JSON")("version", "print the version")("help", "print this");
  all.add(admin_options());
  return all;
}

// What is wrong with a command of a running home agent; empty: nothing.
std::string objection_to_line(const Command& command, const CommandLine& line) {
  using Argument = Command::Argument;
  for (const auto& [name, value] : line.given) {
    const bool fits = value.defaulted() || name == "command" || name == "json" || name == "socket" ||
                      (name == "why" && command.argument == Argument::kNodeAndWhy) ||
                      (name == "config" && (command.name == "import" || command.name == "doctor"));
    if (!fits) return fmt::format("{} has no option --{}", command.name, name);
  }
  const std::size_t all = command.argument == Argument::kNone ? 1 : 2;
  if (line.words.size() < all) return fmt::format("{} needs {}", command.name, argument_of(command));
  if (line.words.size() > all) return fmt::format("{}: '{}' is too much", command.name, printable(line.words[all]));
  return {};
}

constexpr std::string_view kHelp = "help";

Action refuse_unknown(CommandLine& line, const std::string& name) {
  std::vector<std::string_view> names{kHelp};
  for (const auto& command : commands()) names.push_back(command.name);
  for (const auto& command : admin_commands()) names.push_back(command.name);
  line.mistake = fmt::format("there is no command '{}'", printable(name));
  if (const auto meant = mnd::kernel::nearest_key(name, names); !meant.empty())
    line.remedy = fmt::format("did you mean '{}'?", meant);
  return Action::kRefuse;
}

// Of a command or of all: the same.
Action help(CommandLine& line) {
  const auto& words = line.words;
  if (words.size() > 2) {
    line.mistake = fmt::format("help: '{}' is too much", printable(words[2]));
    return Action::kRefuse;
  }
  const bool known = words.size() < 2 || words[1] == kHelp || find_command(words[1]) != nullptr ||
                     find_admin_command(words[1]) != nullptr;
  return known ? Action::kHelp : refuse_unknown(line, words[1]);
}

Action action_of(CommandLine& line) {
  const auto& words = line.words;
  if (line.given.contains("help")) return Action::kHelp;
  if (line.given.contains("version")) return Action::kVersion;
  const bool check = line.given.contains("check");
  if (words.empty()) {
    if (line.config.empty() && !check && line.new_keys.empty()) {
      line.mistake = "nothing is asked for: write a command, or --config FILE to run as home agent";
      return Action::kRefuse;
    }
    if (line.config.empty()) line.config = kDefaultConfig;
    if (!line.new_keys.empty()) return Action::kTakeKeysAsNew;
    return check ? Action::kCheck : Action::kServe;
  }
  if (words.front() == kHelp) return help(line);
  line.admin = find_admin_command(words.front());
  if (line.admin != nullptr) return Action::kAdminister;
  line.command = find_command(words.front());
  if (line.command == nullptr) return refuse_unknown(line, words.front());
  line.mistake = objection_to_line(*line.command, line);
  if (!line.mistake.empty()) return Action::kRefuse;
  return line.config.empty() || line.command->name != "import" ? Action::kAsk : Action::kImport;
}

}  // namespace

CommandLine read_command_line(const std::vector<std::string>& arguments) {
  CommandLine line;
  options::options_description hidden;
  hidden.add_options()("command", options::value(&line.words));
  options::options_description all;
  all.add(described(line)).add(hidden);
  options::positional_options_description positional;
  positional.add("command", -1);
  try {
    options::store(options::command_line_parser(arguments).options(all).positional(positional).run(), line.given);
    options::notify(line.given);
  } catch (const options::error& error) {
    line.mistake = error.what();
    return line;
  }
  line.json = line.given.contains("json");
  line.action = action_of(line);
  return line;
}

std::string usage() {
  std::string text =
      "usage: mip6-ha --config FILE                run as home agent\n"
      "       mip6-ha [--config FILE] --check      or --keys-are-new NODE\n"
      "       mip6-ha --config FILE [--json] import BACKUP     the same as below, also while mip6-ha is stopped\n";
  for (const auto& command : commands())
    text += fmt::format("       mip6-ha {:<24} [--json] [--socket S] {}\n",
                        fmt::format("{} {}", command.name, argument_of(command)), command.summary);
  for (const auto& command : admin_commands())
    text += fmt::format("       mip6-ha {} {} [--json]\n{:30}{}\n", command.name, command.usage, "", command.summary);
  text += fmt::format("       mip6-ha {:<24} this text\n", "help [COMMAND]");
  CommandLine line;
  std::ostringstream listed;
  listed << described(line);
  return text + listed.str();
}

}  // namespace mip6ha
