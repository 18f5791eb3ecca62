// The subcommands of mip6ctl: one table from which dispatch and usage come, one file per subcommand.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "mnd/ctl/client.hpp"
#include "mnd/ctl/render.hpp"

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
  std::string config = "/etc/mnd/mnd.conf";  // doctor, where the daemon does not run
  bool json = false;
  bool follow = false;               // events only
  bool terminal = false;             // standard output is one
  std::vector<std::string> words{};  // network only: what comes behind the command's name
  Colours colours = Colours::kOff;
};

int run_status(const Options& options);
int run_events(const Options& options);
int run_watch(const Options& options);
int run_refresh(const Options& options);
int run_sequence(const Options& options);
int run_trace(const Options& options);
int run_doctor(const Options& options);
int run_network(const Options& options);

struct Command {
  std::string_view name;
  int (*run)(const Options&);
  std::string_view summary;
};
// The first one is what is done without a name.
inline constexpr std::array<Command, 8> kCommands{{
    {"status", run_status, "where the home address is registered, and what is wrong if it is not"},
    {"events", run_events, "what happened lately; --follow goes on with what happens"},
    {"watch", run_watch, "status, shown again at each change"},
    {"sequence", run_sequence, "how many sequence numbers the keys have seen, and how long the rest lasts"},
    {"trace", run_trace, "what the last moves took, step by step"},
    {"doctor", run_doctor, "what could be better, and what to do about it"},
    {"refresh", run_refresh, "register with the home agent again, now"},
    {"network", run_network, "for hooks: EVENT [INTERFACE], what becomes of a link"},
}};

// --- used by the commands ---

// Tells the user on standard error; returns `code`.
int fail(const Failure& failure, Exit code);
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
// Writes to standard output at once; false if nobody reads any more.
bool print(const std::string& content);

}  // namespace mip6ctl
