// mnd: keeps this machine reachable at its home address while it moves.
#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/program_options.hpp>
#include <csignal>
#include <exception>
#include <iostream>

#include "mnd/daemon.hpp"
#include "mnd/health.hpp"
#include "mnd/linux/config_mistakes.hpp"
#include "mnd/linux/kernel.hpp"
#include "mnd/linux/log.hpp"
#include "mnd/linux/manual_keys.hpp"
#include "mnd/linux/secrecy.hpp"
#include "mnd/linux/self_start.hpp"
#include "mnd/linux/service_manager.hpp"
#include "mnd/linux/unix_socket.hpp"
#include "mnd/manual_store.hpp"

namespace options = boost::program_options;

namespace {

constexpr auto kDefaultConfig = "/etc/mnd/mnd.conf";
enum Exit { kOk = 0, kFailed = 1, kUsage = 2 };

int fail(const mip6::Error& error) {
  fmt::print(stderr, "mnd: {}\n", error.to_string());
  return kFailed;
}

// Before the first secret is read or made.
void keep_memory_secret() {
  if (const auto secret = mnd::kernel::keep_memory_secret(); !secret)
    mnd::kernel::log(mnd::kernel::Level::kWarning, secret.error().to_string());
}

int make_keys() {
  keep_memory_secret();
  const auto text = mnd::kernel::make_manual_keys();
  if (!text) return fail(text.error());
  fmt::print("{}", *text);
  return kOk;
}

int doctor(const std::string& file) {
  keep_memory_secret();
  auto list = nlohmann::json::array();
  for (const auto& finding : mnd::examine_stopped(file)) list.push_back(mnd::to_json(finding));
  fmt::print("{}\n",
             mnd::kernel::control_line({{"version", mnd::kernel::kControlVersion}, {"findings", std::move(list)}}));
  return kOk;
}

int take_keys_as_new(const mnd::Config& config) {
  if (!config.manual_keys)
    return fail({.tried = "take the keys as new",
                 .reason = "they are not manual keys",
                 .remedy = "write 'keying = manual', or leave keys to key management"});
  if (mnd::kernel::connect_to(config.control_socket.native()))
    return fail({.tried = "take the keys as new",
                 .reason = "mnd is running",
                 .remedy = "stop it first (systemctl stop mnd), and start it afterwards"});
  const mnd::ManualStore store{config.state_directory, config.home_address, config.home_agents.front()};
  const auto record = mnd::taken_as_new(*config.manual_keys, store.load());
  if (!record) return fail(record.error());
  if (const auto stored = store.store(*record); !stored) return fail(stored.error());
  fmt::print("{}: taken as keys that were never used\n", config.manual_keys_file.string());
  return kOk;
}

// For mip6ctl config check.
int tell_mistakes(const std::string& file) {
  keep_memory_secret();
  const auto config = mnd::load_config(file);
  const auto& mistakes = config ? config->doubts : config.error();
  const auto warnings = config ? config->warnings : std::vector<mnd::kernel::ConfigMistake>{};
  fmt::print("{}\n", mnd::kernel::control_line({{"version", mnd::kernel::kControlVersion},
                                                {"file", file},
                                                {"mistakes", mnd::kernel::to_json(mistakes)},
                                                {"warnings", mnd::kernel::to_json(warnings)}}));
  return mistakes.empty() ? kOk : kUsage;
}

int run(const mnd::kernel::SelfStart& self, const std::string& file, bool only_check, bool keys_are_new) {
  keep_memory_secret();
  auto config = mnd::load_config(file);
  if (!config) {
    for (const auto& mistake : config.error()) fmt::print(stderr, "{}\n", mistake.to_string());
    return kUsage;
  }
  if (keys_are_new) return take_keys_as_new(*config);
  if (only_check) {
    for (const auto& warning : config->warnings) fmt::print(stderr, "warning: {}\n", warning.to_string());
    for (const auto& doubt : config->doubts) fmt::print(stderr, "{}\n", doubt.to_string());
    if (!config->doubts.empty()) return kUsage;
    fmt::print("{}: no mistakes\n", file);
    return kOk;
  }
  std::signal(SIGPIPE, SIG_IGN);  // whoever reads the log may go away
  boost::asio::io_context loop{1};
  mnd::Daemon daemon{loop, std::move(*config), file, [&self] { return self.start(); }};
  if (const auto started = daemon.start(); !started) {
    mnd::kernel::log(mnd::kernel::Level::kError, started.error().to_string());
    return kFailed;
  }
  const mnd::kernel::Watchdog watchdog{loop};
  mnd::kernel::tell_ready();
  loop.run();
  return daemon.failed() ? kFailed : kOk;
}

}  // namespace

int main(int argc, char* argv[]) try {
  const mnd::kernel::SelfStart self{argc, argv};
  std::string config;
  options::options_description described{"Options"};
  described.add_options()("config", options::value(&config)->default_value(kDefaultConfig)->value_name("FILE"),
                          "configuration file; FILE.d/*.conf is read after it");
  described.add_options()("check", "check the configuration, explain every mistake, and exit");
  described.add_options()("json", "with --check: as JSON, for mip6ctl config check");
  described.add_options()("doctor", "examine this machine where the daemon does not run, as JSON for mip6ctl doctor");
  described.add_options()("make-keys", "print a new file of manual keys, for node and home agent, and exit");
  described.add_options()("keys-are-new",
                          "take the manual keys as never used, where no record says what they have seen");
  described.add_options()("version", "print the version and exit");
  described.add_options()("help", "print this help and exit");
  options::variables_map given;
  options::store(options::command_line_parser(argc, argv).options(described).positional({}).run(), given);
  options::notify(given);
  if (given.count("help")) {
    std::cout << "Usage: mnd [OPTIONS]\nMobile IPv6 mobile node daemon (RFC 6275).\n\n" << described;
    return kOk;
  }
  if (given.count("version")) {
    fmt::print("mnd {}\n", MND_VERSION);
    return kOk;
  }
  if (given.count("make-keys")) return make_keys();
  if (given.count("doctor")) return doctor(config);
  if (given.count("json") && !given.count("check")) throw options::error{"--json goes with --check"};
  if (given.count("json")) return tell_mistakes(config);
  return run(self, config, given.count("check") > 0, given.count("keys-are-new") > 0);
} catch (const options::error& error) {
  fmt::print(stderr, "mnd: {}\nTry 'mnd --help'.\n", error.what());
  return kUsage;
} catch (const std::exception& error) {
  fmt::print(stderr, "mnd: {}\n", error.what());
  return kFailed;
}
