// What the command line asks for, wherever its options stand; and that what is asked for as JSON is told as JSON.
#include "examples/home-agent/command_line.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "tests/catch.hpp"
#include "tests/unit/printed.hpp"
#include "tests/unit/temporary_folder.hpp"

namespace mip6ha {
namespace {

using Action = CommandLine::Action;
using Words = std::vector<std::string>;

Words operator+(Words all, const Words& more) {
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

// Both ways to have an option at a command.
std::array<Words, 2> with(const Words& option, const Words& command) { return {option + command, command + option}; }

TEST_CASE("each command of a running home agent takes --json before it and after it", "[command-line]") {
  for (const auto& command : commands()) {
    Words words{std::string{command.name}};
    if (command.argument != Command::Argument::kNone) words.emplace_back("laptop");
    INFO(command.name);
    CHECK_FALSE(read_command_line(words).json);
    for (const auto& arguments : with({"--json"}, words)) {
      const auto line = read_command_line(arguments);
      CHECK(line.action == Action::kAsk);
      CHECK(line.command == &command);
      CHECK(line.json);
      CHECK(line.words == words);
    }
    for (const auto& arguments : with({"--socket", "/s"}, words)) {
      CHECK(read_command_line(arguments).action == Action::kAsk);
      CHECK(read_command_line(arguments).socket == "/s");
    }
    CHECK(read_command_line(words + Words{"more"}).action == Action::kRefuse);
  }
}

TEST_CASE("a backup is imported by the configuration, too, and told as JSON", "[command-line]") {
  const Words words{"import", "backup"};
  const Words config{"--config", "/c"};
  for (const auto& arguments : with(config, words)) {
    CHECK(read_command_line(arguments).action == Action::kImport);
    CHECK_FALSE(read_command_line(arguments).json);
    for (const auto& as_json : with({"--json"}, arguments)) {
      const auto line = read_command_line(as_json);
      CHECK(line.action == Action::kImport);
      CHECK(line.json);
      CHECK(line.config == "/c");
      CHECK(line.words == words);
    }
    CHECK(read_command_line(arguments + Words{"--check"}).action == Action::kRefuse);
    CHECK(read_command_line(arguments + Words{"--keys-are-new", "laptop"}).action == Action::kRefuse);
  }
}

TEST_CASE("without a command the home agent runs, or does what is asked for once", "[command-line]") {
  const Words config{"--config", "/c"};
  CHECK(read_command_line(config).action == Action::kServe);
  CHECK(read_command_line(config + Words{"--check"}).action == Action::kCheck);
  const auto keys = read_command_line(config + Words{"--keys-are-new", "laptop"});
  CHECK(keys.action == Action::kTakeKeysAsNew);
  CHECK(keys.new_keys == "laptop");
  CHECK(read_command_line({"--help"}).action == Action::kHelp);
  CHECK(read_command_line({"--version"}).action == Action::kVersion);
}

TEST_CASE("what goes with nothing is refused, and what is wrong with it is told in a line", "[command-line]") {
  const std::vector<std::pair<Words, const char*>> wrong{
      {{}, "nothing is asked for"},
      {{"--json"}, "nothing is asked for"},
      {{"nothing"}, "no command 'nothing'"},
      {{"nothing", "--config", "/c"}, "no command 'nothing'"},
      {{"status", "--config", "/c"}, "status has no option --config"},
      {{"status", "--check"}, "status has no option --check"},
      {{"list", "--why", "stolen"}, "list has no option --why"},
      {{"import", "backup", "--config", "/c", "--check"}, "import has no option --check"},
      {{"show"}, "show needs NAME"},
      {{"show", "laptop", "phone"}, "show: 'phone' is too much"},
      {{"status", "--what"}, "--what"}};
  for (const auto& [arguments, told] : wrong) {
    const auto line = read_command_line(arguments);
    INFO(told << ": " << line.mistake);
    CHECK(line.action == Action::kRefuse);
    CHECK(line.mistake.find(told) != std::string::npos);
    CHECK(line.mistake.find('\n') == std::string::npos);
    CHECK(line.remedy == "try mip6-ha --help");
  }
  CHECK(read_command_line({"ban", "laptop", "--why", "stolen"}).why == "stolen");
}

TEST_CASE("of an unknown command the one that is meant is told", "[command-line]") {
  for (const auto& [said, meant] : {std::pair{"evnets", "events"}, {"rotat", "rotate"}, {"hlep", "help"}})
    for (const Words& arguments : {Words{said}, Words{"help", said}}) {
      const auto line = read_command_line(arguments);
      CHECK(line.action == Action::kRefuse);
      CHECK(line.mistake == fmt::format("there is no command '{}'", said));
      CHECK(line.remedy == fmt::format("did you mean '{}'?", meant));
    }
  for (const char* said : {"xyzzy", "foo"}) CHECK(read_command_line({said}).remedy == "try mip6-ha --help");
}

TEST_CASE("help is what --help is, also for a command", "[command-line]") {
  for (const Words& arguments : {Words{"help"}, {"help", "status"}, {"help", "rotate"}, {"help", "help"}})
    CHECK(read_command_line(arguments).action == Action::kHelp);
  CHECK(read_command_line({"help", "status", "list"}).action == Action::kRefuse);
  CHECK(usage().find("mip6-ha help [COMMAND]") != std::string::npos);
}

TEST_CASE("what is done once takes the usual configuration if none is named; to run needs its name", "[command-line]") {
  const auto check = read_command_line({"--check"});
  CHECK(check.action == Action::kCheck);
  CHECK(check.config == kDefaultConfig);
  const auto keys = read_command_line({"--keys-are-new", "laptop"});
  CHECK(keys.action == Action::kTakeKeysAsNew);
  CHECK(keys.config == kDefaultConfig);
  CHECK(read_command_line({"status"}).config.empty());
}

TEST_CASE("the commands that change the configuration tell as JSON what they did, wherever --json stands",
          "[command-line]") {
  const auto before = GENERATE(true, false);
  const TemporaryFolder folder;
  const auto file = (folder / "mip6-ha/mip6-ha.conf").string();
  const auto ran = [&](const Words& words) {
    const auto arguments = with({"--json"}, words + Words{"--config", file});
    const auto line = read_command_line(before ? arguments[0] : arguments[1]);
    REQUIRE(line.action == Action::kAdminister);
    int status = -1;
    const auto text = printed([&] { status = run_admin(*line.admin, line.words, line.given); });
    INFO(text);
    CHECK(status == 0);
    const auto told = nlohmann::json::parse(text, nullptr, false);
    REQUIRE(told.is_object());
    CHECK(told.contains("version"));
    return told;
  };
  CHECK(ran({"init", "--prefix", "2001:db8:1::/64", "--interface", "no-such-if"}).at("config") == file);
  std::ofstream{file, std::ios::app} << "state-directory = " << (folder / "state").string()
                                     << "\ncontrol-socket = " << (folder / "control").string() << '\n';
  for (const char* command : {"add", "rotate", "remove"})
    CHECK(ran({command, "laptop"}).at("nodes").at(0).at("name") == "laptop");
}

TEST_CASE("add is told which of name and table it lacks, or has too much", "[command-line]") {
  const auto told = [](const Words& arguments) {
    const auto line = read_command_line(arguments);
    REQUIRE(line.action == Action::kAdminister);
    return printed([&] { CHECK(run_admin(*line.admin, line.words, line.given) == 2); }, STDERR_FILENO);
  };
  CHECK(told({"add", "laptop", "--from", "t"}).find("not both") != std::string::npos);
  CHECK(told({"add"}).find("needs the name of a node") != std::string::npos);
}

TEST_CASE("doctor looks at the machine where no home agent answers, or tells what is wrong with the configuration",
          "[command-line]") {
  const auto line = read_command_line({"doctor", "--config", "/c"});
  CHECK(line.action == Action::kAsk);
  CHECK(line.config == "/c");
  const TemporaryFolder folder;
  const auto file = folder / "ha.conf";
  const mip6::Error error{.tried = "ask mip6-ha", .os_error = ENOENT};
  const auto told = [&](bool as_json) { return printed([&] { CHECK(tell_machine(file, error, as_json) == 1); }); };
  const auto missing = nlohmann::json::parse(told(true));
  CHECK(missing.contains("error"));
  CHECK(missing.at("mistakes").size() == 1);
  CHECK_FALSE(missing.contains("findings"));
  std::filesystem::create_directory(folder / "nodes.d");
  std::ofstream{file} << "address = 2001:db8:1::1\ninterface = no-such-if\nprefix = 2001:db8:1::/64\n";
  const auto text = told(false);
  INFO(text);
  CHECK(text.find("TO DO home-link: ") != std::string::npos);
  const auto findings = nlohmann::json::parse(told(true)).at("findings");
  const auto link =
      std::find_if(findings.begin(), findings.end(), [](auto& one) { return one["check"] == "home-link"; });
  REQUIRE(link != findings.end());
  CHECK_FALSE(link->at("good").get<bool>());

  const auto secret = folder.file("laptop.secret", "fifteen letters\n");
  folder.file("nodes.d/laptop.conf",
              "[node laptop]\nhome-address = 2001:db8:1::42\nsecret-file = " + secret.string() + '\n');
  const auto of_node = told(false);
  INFO(of_node);
  CHECK(of_node.find("TO DO nodes: node laptop: the secret has fewer than 16 characters") != std::string::npos);
}

}  // namespace
}  // namespace mip6ha
