// mip6ctl: shows and steers the mobile node daemon.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "mnd/ctl/commands.hpp"

namespace mip6ctl {
namespace {

namespace po = boost::program_options;

void usage(const po::options_description& shown) {
  std::cout << "Usage: mip6ctl [OPTION...] [COMMAND]\n\nCommands (the first one if none is given):\n";
  for (const auto& command : kCommands) {
    const auto words = fmt::format("{} {}", command.name, command.words);
    std::cout << fmt::format("  {:<26} {}\n", words, command.summary);
  }
  std::cout << '\n'
            << shown
            << "\nExit status: 0 well; 1 failed, or trouble; 2 wrong usage; 3 mnd does not run; 4 not registered; "
               "5 not\npermitted.\n";
}

bool takes(const Command& command, const std::string& option) {
  return (' ' + std::string{command.options} + ' ').find(' ' + option + ' ') != std::string::npos;
}

// https://no-color.org: set, and not empty.
bool wants_colours() {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return (no_colour == nullptr || *no_colour == '\0') && (terminal == nullptr || std::string_view{terminal} != "dumb");
}

int wrong_usage(const std::string& what) { return fail({what, "see mip6ctl --help"}, kUsage); }

int run(int argc, char* argv[]) {
  Options options;
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
  if (given.count("help")) return usage(shown), kOk;
  if (given.count("version")) return fmt::print("mip6ctl {}\n", MND_VERSION), kOk;

  const auto name = given["command"].as<std::string>();
  const auto command =
      std::find_if(kCommands.begin(), kCommands.end(), [&](const auto& one) { return one.name == name; });
  if (command == kCommands.end()) return wrong_usage(fmt::format("unknown command '{}'", printable(name)));
  for (const std::string option : {"follow", "since", "config"})
    if (given.count(option) && !given[option].defaulted() && !takes(*command, "--" + option))
      return wrong_usage(fmt::format("'{}' takes no --{}", name, option));
  if (options.words.size() > command->most_words) return wrong_usage("one command at a time");
  options.terminal = ::isatty(STDOUT_FILENO) == 1;
  if (options.terminal && wants_colours()) options.colours = Colours::kOn;
  return command->run(options);
}

}  // namespace
}  // namespace mip6ctl

int main(int argc, char* argv[]) { return mip6ctl::run(argc, argv); }
