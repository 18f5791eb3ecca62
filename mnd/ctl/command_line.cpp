// The command line of mip6ctl.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "mnd/ctl/commands.hpp"
#include "mnd/linux/nearest_key.hpp"

namespace mip6ctl {
namespace {

namespace po = boost::program_options;

po::options_description described(Options& options) {
  po::options_description shown{"Options"};
  shown.add_options()                                                                                              //
      ("socket", po::value(&options.socket)->value_name("PATH")->default_value(options.socket), "control socket")  //
      ("json", po::bool_switch(&options.json), "the same as JSON, an object per line")                             //
      ("config", po::value(&options.config)->value_name("FILE")->default_value(options.config),
       "doctor, report and config check: mnd's configuration, if mnd does not run")      //
      ("follow,f", po::bool_switch(&options.follow), "events: go on with what happens")  //
      ("since", po::value(&options.since)->value_name("TIME"),
       "events: from then on; 10min, 2h, or a time as events have it")  //
      ("help,h", "this text")                                           //
      ("version", "the version");
  return shown;
}

bool takes(const Command& command, const std::string& option) {
  return fmt::format(" {} ", command.options).find(fmt::format(" --{} ", option)) != std::string::npos;
}

// Whether it is an option of this command, or of every one.
bool may_have(const Command& command, const std::string& option) {
  return takes(command, option) ||
         std::none_of(kCommands.begin(), kCommands.end(), [&](const auto& one) { return takes(one, option); });
}

std::string usage_of(const Command& command) {
  Options options;
  const auto all = described(options);
  po::options_description its{"Options"};
  for (const auto& option : all.options())
    if (may_have(command, option->long_name())) its.add(option);
  std::ostringstream text;
  text << fmt::format("Usage: mip6ctl [OPTION...] {}{}{}\n\n{}\n\n", command.name, command.words.empty() ? "" : " ",
                      command.words, command.summary);
  if (!command.values.empty())
    text << fmt::format("{}: {}\n\n", command.words.substr(0, command.words.find(' ')), command.values);
  text << its;
  return text.str();
}

std::string usage() {
  Options options;

  std::ostringstream text;
  text << "Usage: mip6ctl [OPTION...] [COMMAND]\n\nCommands (the first one if none is given):\n";
  for (const auto& command : kCommands) {
    const auto words = fmt::format("{} {}", command.name, command.words);
    text << fmt::format("  {:<26} {}\n", words, command.summary);
  }
  text << '\n'
       << described(options)
       << "\nExit status: 0 well; 1 failed, or trouble; 2 wrong usage; 3 mnd does not run; 4 not registered; "
          "5 not\npermitted.\n";
  return text.str();
}

// https://no-color.org: set, and not empty.
bool wants_colours() {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return (no_colour == nullptr || *no_colour == '\0') && (terminal == nullptr || std::string_view{terminal} != "dumb");
}

int wrong_usage(const std::string& what) { return fail({what, "see mip6ctl --help"}, kUsage); }

const Command* find_command(std::string_view name) {
  const auto* found = std::find_if(kCommands.begin(), kCommands.end(), [&](auto& one) { return one.name == name; });
  return found == kCommands.end() ? nullptr : found;
}

int unknown_command(const std::string& name) {
  std::vector<std::string_view> names;
  for (const auto& command : kCommands) names.push_back(command.name);
  const auto meant = mnd::kernel::nearest_key(name, names);
  return fail({fmt::format("unknown command '{}'", printable(name)),
               meant.empty() ? "see mip6ctl --help" : fmt::format("did you mean '{}'?", meant)},
              kUsage);
}

}  // namespace

int run_help(const Options& options) {
  if (options.words.empty()) return print(usage()) ? kOk : kFailed;
  const auto* command = find_command(options.words.front());
  if (command == nullptr) return unknown_command(options.words.front());
  return print(usage_of(*command)) ? kOk : kFailed;
}

int run(int argc, char* argv[]) {
  Options options;
  const auto shown = described(options);
  po::options_description all;
  all.add(shown).add_options()("command", po::value<std::string>()->default_value(std::string{kCommands[0].name}))(
      "words", po::value(&options.words));
  po::positional_options_description positional;
  positional.add("command", 1).add("words", -1);

  po::variables_map given;
  try {
    po::store(po::command_line_parser(argc, argv).options(all).positional(positional).run(), given);
    po::notify(given);
  } catch (const po::error& error) {
    return wrong_usage(error.what());
  }
  if (given.count("help") && given["command"].defaulted()) return print(usage()) ? kOk : kFailed;
  if (given.count("version")) return fmt::print("mip6ctl {}\n", MND_VERSION), kOk;

  const auto name = given["command"].as<std::string>();
  const auto* command = find_command(name);
  if (command == nullptr) return unknown_command(name);
  if (given.count("help")) return print(usage_of(*command)) ? kOk : kFailed;
  options.names_config = !given["config"].defaulted();
  for (const auto& option : shown.options())
    if (const auto& its_name = option->long_name();
        given.count(its_name) && !given[its_name].defaulted() && !may_have(*command, its_name))
      return wrong_usage(fmt::format("'{}' takes no --{}", name, its_name));
  if (options.words.size() > command->most_words) return wrong_usage("one command at a time");
  options.terminal = ::isatty(STDOUT_FILENO) == 1;
  if (options.terminal && wants_colours()) options.colours = Colours::kOn;
  return command->run(options);
}

}  // namespace mip6ctl
