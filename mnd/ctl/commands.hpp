// The subcommands of mip6ctl: one table from which dispatch, usage and completion come, one file per subcommand.
#pragma once

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "mnd/ctl/client.hpp"
#include "mnd/ctl/render.hpp"
#include "mnd/linux/machine.hpp"

namespace mip6ctl {

// Exit codes, for scripts.
enum Exit : int {
  kOk = 0,
  kFailed = 1,  // the daemon refused, is in trouble, or the doctor has found something
  kUsage = 2,
  kNotRunning = 3,  // or does not answer
  kNotRegistered = 4,
  kNotPermitted = 5,
};

struct Options {
  std::string socket = "/run/mnd/control.sock";
  std::string config = "/etc/mnd/mnd.conf";
  bool names_config = false;                   // it was given
  std::string resolvers = "/etc/resolv.conf";  // another one in tests
  mnd::kernel::KernelPaths kernel{};           // others in tests
  std::string since{};
  bool json = false;
  bool follow = false;
  bool terminal = false;             // standard output is one
  std::vector<std::string> words{};  // what comes behind the command's name
  Colours colours = Colours::kOff;
};

int run_status(const Options& options);
int run_watch(const Options& options);
int run_events(const Options& options);
int run_links(const Options& options);
int run_keying(const Options& options);
int run_sequence(const Options& options);
int run_trace(const Options& options);
int run_doctor(const Options& options);
int run_refresh(const Options& options);
int run_home(const Options& options);
int run_pause(const Options& options);
int run_resume(const Options& options);
int run_reload(const Options& options);
int run_restart(const Options& options);
int run_config(const Options& options);
int run_report(const Options& options);
int run_network(const Options& options);
int run_completion(const Options& options);
int run_version(const Options& options);
int run_help(const Options& options);

struct Command {
  std::string_view name;
  int (*run)(const Options&);
  std::string_view summary;
  std::string_view options{};  // of it alone, with blanks between them
  std::string_view words{};    // what may follow: the first one's values with | between them, or a name for it
  std::size_t most_words = 0;
  std::string_view values{};  // the first word's, where `words` has a name for it
};
inline constexpr std::string_view kNetworkEvents = "pre-down|up|down|vpn-up|connectivity-change";
// The first one is what is done without a name.
inline constexpr std::array<Command, 20> kCommands{{
    {"status", run_status, "where the home address is registered, and what is wrong if it is not"},
    {"watch", run_watch, "status, shown again at each change"},
    {"events", run_events, "what happened lately; --follow goes on with what happens", "--follow --since"},
    {"links", run_links, "the addresses that there are, which one is used, and why not the others"},
    {"keying", run_keying, "how keys are agreed, and the SAs that there are"},
    {"sequence", run_sequence, "how many sequence numbers the keys have seen, and how long the rest lasts"},
    {"trace", run_trace, "what the last moves took, step by step"},
    {"doctor", run_doctor, "what could be better, and what to do about it", "--config"},
    {"refresh", run_refresh, "register with the home agent again, now"},
    {"home", run_home, "de-register, and stay so until resume"},
    {"pause", run_pause, "stay on the present link until resume"},
    {"resume", run_resume, "go on after home or pause"},
    {"reload", run_reload, "read the configuration again, while the registration goes on"},
    {"restart", run_restart, "start mnd again, the registration going on, as after an upgrade"},
    {"config", run_config, "check the configuration, or show what is in effect", "--config", "check|show", 1},
    {"report", run_report, "all of that and the machine's versions, for a bug report", "--config"},
    {"network", run_network, "for hooks: what becomes of a link", {}, "EVENT [INTERFACE]", 2, kNetworkEvents},
    {"completion", run_completion, "a script for completion by a shell", {}, "bash|zsh|fish", 1},
    {"version", run_version, "of mip6ctl and of the mnd that runs"},
    {"help", run_help, "what --help says, of all or of a command", {}, "COMMAND", 1},
}};

// The program: an exit status. In command_line.cpp, as help is.
int run(int argc, char* argv[]);

// --- used by the commands ---

// Tells the user on standard error; returns `code`.
int fail(const Failure& failure, Exit code);
// The same of a request that is understood; as JSON, too, where that is asked for.
Exit refuse(const Options& options, const Failure& failure, Exit code);
// Of a daemon that could not be reached.
Exit exit_of(const Failure& failure);
// Of what the daemon said in place of an answer.
Exit exit_of_error(const nlohmann::json& error);
// Of a status: registered (or at home) without trouble, with it, or neither.
Exit exit_of_status(const nlohmann::json& status);
// Connects, sends `request` and gets the first answer. An empty optional: failed, told, `code` set.
struct Conversation {
  Client client;
  nlohmann::json answer;
};
tl::expected<Conversation, Exit> ask(const Options& options, const nlohmann::json& request);
// The answer alone, nothing told: empty if there is none, or an error of the daemon's.
std::optional<json> ask_quietly(const Options& options, const json& request);
// Asks and shows: the answer as JSON, or as `render` makes text of it.
int show(const Options& options, std::string_view command, std::string (*render)(const json&));
// Asks for something to be done; `done` tells that it is.
int have_done(const Options& options, std::string_view command, std::string_view done);
// What the daemon's doctor is asked with: what this process misses of the kernel, if anything.
json question_to_doctor(const Options& options);
// Beside what the daemon's doctor has found, if that is nothing.
void add_resolvers(const Options& options, json& answer);
// Writes to standard output at once; false if nobody reads any more.
bool print(const std::string& content);

// The program mnd that is installed with this one, or was built with it, run with these words; what it writes. Empty:
// it could not be run.
struct Ran {
  int status = 0;
  std::string output;
};
std::optional<Ran> run_mnd(const std::vector<std::string>& words);

// The time from which on events are shown, as they have it: from "90s", "10min", "2h", "3d", counted back from `now`,
// or a time as events have it, or its beginning ("2026-11-27"). Empty: it is none of these.
std::optional<std::string> since_text(const std::string& since, std::chrono::system_clock::time_point now);
// Of bash, zsh or fish; empty for another shell.
std::string completion_for(std::string_view shell);

}  // namespace mip6ctl
