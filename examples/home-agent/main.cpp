// mip6-ha: a home agent for Mobile IPv6 (RFC 6275), in the foreground; and the client of its control socket.
#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/program_options.hpp>
#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "examples/home-agent/admin_cli.hpp"
#include "examples/home-agent/agent.hpp"
#include "examples/home-agent/commands.hpp"
#include "examples/home-agent/config.hpp"
#include "examples/home-agent/manual_keys.hpp"
#include "examples/home-agent/store.hpp"
#include "mnd/linux/log.hpp"
#include "mnd/linux/secrecy.hpp"

namespace {

namespace options = boost::program_options;

constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;  // command line or configuration

std::string usage(const options::options_description& description) {
  std::string text =
      "usage: mip6-ha --config FILE [--check]      run as home agent\n"
      "       mip6-ha --config FILE --keys-are-new NODE\n"
      "       mip6-ha --config FILE import BACKUP     the same as below, also while mip6-ha is stopped\n";
  for (const auto& command : mip6ha::commands())
    text += fmt::format("       mip6-ha {:<24} [--json] [--socket S] {}\n",
                        fmt::format("{} {}", command.name, mip6ha::argument_of(command)), command.summary);
  for (const auto& command : mip6ha::admin_commands())
    text += fmt::format("       mip6-ha {} {}\n{:30}{}\n", command.name, command.usage, "", command.summary);
  std::ostringstream listed;
  listed << description;
  return text + listed.str();
}

// Before the first secret is read.
void keep_memory_secret() {
  if (const auto secret = mnd::kernel::keep_memory_secret(); !secret)
    mnd::kernel::log(mnd::kernel::Level::kWarning, secret.error().to_string());
}

// Its mistakes are told to whoever has called us.
std::optional<mip6ha::Config> loaded(const std::string& path) {
  keep_memory_secret();
  auto config = mip6ha::load_config(path);
  if (config) return std::move(*config);
  for (const auto& mistake : config.error()) fmt::print(stderr, "{}\n", mistake.to_string());
  return std::nullopt;
}

void log_reload(const tl::expected<mip6ha::Reloaded, mip6ha::Mistakes>& done) {
  using mnd::kernel::Level;
  if (!done) {
    for (const auto& mistake : done.error()) mnd::kernel::log(Level::kError, mistake.to_string());
    return;
  }
  for (const auto& one : done->failed) mnd::kernel::log(Level::kError, fmt::format("{} ({})", one.what, one.remedy));
  for (const auto& one : done->restart)
    mnd::kernel::log(Level::kWarning, fmt::format("{} counts only after a restart", one));
}

// As `mip6-ha reload` does; whoever sends a signal gets no answer but the log. A signal that comes meanwhile is not
// lost.
void reload_at_hangup(boost::asio::signal_set& hangups, mip6ha::Agent& agent) {
  hangups.async_wait([&](const boost::system::error_code& error, int) {
    if (error) return;
    agent.reload({}, [&](const auto& done) {
      log_reload(done);
      reload_at_hangup(hangups, agent);
    });
  });
}

int run_daemon(const std::string& path, bool check_only) {
  auto config = loaded(path);
  if (!config) return kExitUsage;
  if (check_only) {
    fmt::print("{}: no mistakes, {} nodes\n", path, config->nodes.size());
    return 0;
  }
  std::signal(SIGPIPE, SIG_IGN);
  boost::asio::io_context loop;
  boost::asio::signal_set signals{loop, SIGTERM, SIGINT};
  boost::asio::signal_set hangups{loop, SIGHUP};
  mip6ha::Agent agent{loop, std::move(*config), path};
  if (const auto started = agent.start(); !started) {
    mnd::kernel::log(mnd::kernel::Level::kError, started.error().to_string());
    return kExitFailure;
  }
  signals.async_wait([&](const boost::system::error_code& error, int) {
    if (!error) agent.stop();
  });
  reload_at_hangup(hangups, agent);
  loop.run();
  return 0;
}

int take_keys_as_new(const std::string& path, const std::string& name) {
  const auto config = loaded(path);
  if (!config) return kExitUsage;
  const auto node = std::ranges::find(config->nodes, name, &mip6ha::NodeConfig::name);
  if (node == config->nodes.end()) {
    fmt::print(stderr, "mip6-ha: {} has no section [node {}]\n", path, name);
    return kExitUsage;
  }
  const auto done = mip6ha::Store::open(config->state_directory).and_then([&](const auto& store) {
    return mip6ha::take_as_new(*store, *node);
  });
  if (!done) {
    fmt::print(stderr, "mip6-ha: {}\n", done.error().to_string());
    return kExitFailure;
  }
  fmt::print("{}: its manual keys are taken as never used\n", name);
  return 0;
}

struct Client {
  std::string argument;
  std::string why;
  std::string socket;
  bool json = false;
};

int run_client(const mip6ha::Command& command, const Client& client) {
  nlohmann::json request{{"command", command.name}};
  if (command.argument != mip6ha::Command::Argument::kFile) request["node"] = client.argument;
  if (!client.why.empty()) request["why"] = client.why;
  auto answer = mip6ha::ask_daemon(client.socket, request);
  const auto ask_again = [&](const nlohmann::json& again) { return mip6ha::ask_daemon(client.socket, again); };
  if (answer && command.finish != nullptr) answer = command.finish(*answer, client.argument, ask_again);
  if (!answer) {
    fmt::print(stderr, "mip6-ha: {}\n", answer.error().to_string());
    return kExitFailure;
  }
  fmt::print("{}", client.json ? answer->dump() + '\n' : command.text(*answer));
  return command.well == nullptr || command.well(*answer) ? 0 : kExitFailure;
}

int import_backup(const std::string& path, const std::string& backup) {
  const auto config = loaded(path);
  if (!config) return kExitUsage;
  const auto& socket = config->control_socket;
  // Also one whose database was taken away under it: it has no lock that would tell.
  if (mip6ha::ask_daemon(socket, {{"command", "import"}}))
    return run_client(*mip6ha::find_command("import"), {.argument = backup, .why = {}, .socket = socket.string()});
  if (const auto done = mip6ha::Store::restore(config->state_directory, backup); !done) {
    fmt::print(stderr, "mip6-ha: {}\n", done.error().to_string());
    return kExitFailure;
  }
  fmt::print(
      "{} is in place, without bindings and sequence numbers: keys by IKE are made anew at the next start; nodes with "
      "manual keys are refused from then on until they get others\n",
      backup);
  return 0;
}

int run(int argc, char** argv) {
  std::string config;
  std::string new_keys;
  std::string why;
  std::string socket = mip6ha::Config{}.control_socket.string();
  std::vector<std::string> words;
  options::options_description description{"options"};
  description.add_options()("config", options::value(&config)->value_name("FILE"), "configuration to run with")(
      "check", "only check the configuration, all mistakes at once")(
      "keys-are-new", options::value(&new_keys)->value_name("NODE"),
      "take the manual keys of a node as never used, where no record says what they have seen; while mip6-ha is "
      "stopped")("socket", options::value(&socket)->value_name("S")->default_value(socket),
                 "control socket of a running mip6-ha")("why", options::value(&why)->value_name("TEXT"),
                                                        "reason of a ban, for list and show")(
      "json", "the same data as JSON")("version", "print the version")("help", "print this");
  description.add(mip6ha::admin_options());
  options::options_description hidden;
  hidden.add_options()("command", options::value(&words));
  options::options_description all;
  all.add(description).add(hidden);
  options::positional_options_description positional;
  positional.add("command", -1);

  options::variables_map given;
  try {
    options::store(options::command_line_parser(argc, argv).options(all).positional(positional).run(), given);
    options::notify(given);
  } catch (const options::error& error) {
    fmt::print(stderr, "mip6-ha: {}\n{}", error.what(), usage(description));
    return kExitUsage;
  }
  if (given.contains("help")) {
    fmt::print("{}", usage(description));
    return 0;
  }
  if (given.contains("version")) {
    fmt::print("mip6-ha {}\n", MND_VERSION);
    return 0;
  }
  if (const auto* admin = words.empty() ? nullptr : mip6ha::find_admin_command(words.front())) {
    keep_memory_secret();
    return mip6ha::run_admin(*admin, words, given);
  }
  const auto* command = words.empty() ? nullptr : mip6ha::find_command(words.front());
  using Argument = mip6ha::Command::Argument;
  const bool may_say_why = command != nullptr && command->argument == Argument::kNodeAndWhy;
  if (command != nullptr && config.empty() && (why.empty() || may_say_why) &&
      words.size() == (command->argument == Argument::kNone ? 1 : 2))
    return run_client(*command, {words.back(), why, socket, given.contains("json")});
  const bool alone = new_keys.empty() && !given.contains("check") && !given.contains("json");
  if (words.size() == 2 && words.front() == "import" && !config.empty() && alone)
    return import_backup(config, words.back());
  if (words.empty() && !config.empty() && !new_keys.empty()) return take_keys_as_new(config, new_keys);
  if (words.empty() && !config.empty()) return run_daemon(config, given.contains("check"));
  fmt::print(stderr, "{}", usage(description));
  return kExitUsage;
}

}  // namespace

int main(int argc, char** argv) { return run(argc, argv); }
