// mip6-ha: a home agent for Mobile IPv6 (RFC 6275), in the foreground; and the client of its control socket.
#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "examples/home-agent/agent.hpp"
#include "examples/home-agent/command_line.hpp"
#include "examples/home-agent/config.hpp"
#include "examples/home-agent/manual_keys.hpp"
#include "examples/home-agent/store.hpp"
#include "mnd/linux/control_server.hpp"
#include "mnd/linux/log.hpp"
#include "mnd/linux/secrecy.hpp"
#include "mnd/linux/service_manager.hpp"

namespace {

constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;  // command line or configuration

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
    for (const auto& warning : config->warnings) fmt::print(stderr, "warning: {}\n", warning.to_string());
    const auto count = config->nodes.size();
    fmt::print("{}: no mistakes, {} node{}\n", path, count, count == 1 ? "" : "s");
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
  const mnd::kernel::Watchdog watchdog{loop};
  mnd::kernel::tell_ready();
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
  std::string config{};  // --config of doctor
};

int run_client(const mip6ha::Command& command, const Client& client) {
  nlohmann::json request{{"command", command.name}};
  if (command.argument != mip6ha::Command::Argument::kFile) request["node"] = client.argument;
  if (!client.why.empty()) request["why"] = client.why;
  auto answer = mip6ha::ask_daemon(client.socket, request);
  const auto ask_again = [&](const nlohmann::json& again) { return mip6ha::ask_daemon(client.socket, again); };
  if (answer && command.finish != nullptr) answer = command.finish(*answer, client.argument, ask_again);
  if (!answer && command.name == "doctor" &&
      (answer.error().os_error == ENOENT || answer.error().os_error == ECONNREFUSED)) {
    keep_memory_secret();
    return mip6ha::tell_machine(client.config.empty() ? std::string{mip6ha::kDefaultConfig} : client.config,
                                answer.error(), client.json);
  }
  if (!answer) {
    fmt::print(stderr, "mip6-ha: {}\n", answer.error().to_string());
    if (client.json) fmt::print("{}\n", mip6ha::line_of(mip6ha::error_json(answer.error())));
    return kExitFailure;
  }
  fmt::print("{}", client.json ? mip6ha::line_of(*answer) + '\n' : command.text(*answer));
  return command.well == nullptr || command.well(*answer) ? 0 : kExitFailure;
}

int import_backup(const mip6ha::CommandLine& line) {
  const auto config = loaded(line.config);
  if (!config) return kExitUsage;
  const auto& socket = config->control_socket;
  const auto& backup = line.words.back();
  // Also one whose database was taken away under it: it has no lock that would tell.
  if (mip6ha::ask_daemon(socket, {{"command", "import"}}))
    return run_client(*mip6ha::find_command("import"),
                      {.argument = backup, .why = {}, .socket = socket.string(), .json = line.json});
  if (const auto done = mip6ha::Store::restore(config->state_directory, backup); !done) {
    fmt::print(stderr, "mip6-ha: {}\n", done.error().to_string());
    return kExitFailure;
  }
  if (line.json) {
    const nlohmann::json told{{"version", mnd::kernel::kControlVersion}, {"agent", "not running"}, {"file", backup}};
    fmt::print("{}\n", mip6ha::line_of(told));
    return 0;
  }
  fmt::print(
      "{} is in place, without bindings and sequence numbers: keys by IKE are made anew at the next start; nodes with "
      "manual keys are refused from then on until they get others\n",
      backup);
  return 0;
}

int run(const mip6ha::CommandLine& line) {
  using Action = mip6ha::CommandLine::Action;
  switch (line.action) {
    case Action::kHelp:
      fmt::print("{}", mip6ha::usage());
      return 0;
    case Action::kVersion:
      fmt::print("mip6-ha {}\n", MND_VERSION);
      return 0;
    case Action::kServe:
    case Action::kCheck:
      return run_daemon(line.config, line.action == Action::kCheck);
    case Action::kTakeKeysAsNew:
      return take_keys_as_new(line.config, line.new_keys);
    case Action::kImport:
      return import_backup(line);
    case Action::kAsk:
      return run_client(*line.command, {line.words.back(), line.why, line.socket, line.json, line.config});
    case Action::kAdminister:
      keep_memory_secret();
      return mip6ha::run_admin(*line.admin, line.words, line.given);
    case Action::kRefuse:
      break;
  }
  fmt::print(stderr, "mip6-ha: {} ({})\n", line.mistake, line.remedy);
  return kExitUsage;
}

}  // namespace

int main(int argc, char** argv) { return run(mip6ha::read_command_line({argv + 1, argv + argc})); }
