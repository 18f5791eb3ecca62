// mnd: keeps this machine reachable at its home address while it moves.
#include <fmt/format.h>

#include <boost/program_options.hpp>
#include <csignal>
#include <exception>
#include <iostream>

#include "mnd/daemon.hpp"
#include "mnd/linux/log.hpp"
#include "mnd/linux/secrecy.hpp"

namespace options = boost::program_options;

namespace {

constexpr auto kDefaultConfig = "/etc/mnd/mnd.conf";
enum Exit { kOk = 0, kFailed = 1, kUsage = 2 };

int run(const std::string& file, bool only_check) {
  if (const auto secret = mnd::kernel::keep_memory_secret(); !secret)
    mnd::kernel::log(mnd::kernel::Level::kWarning, secret.error().to_string());
  auto config = mnd::load_config(file);
  if (!config) {
    for (const auto& mistake : config.error()) fmt::print(stderr, "{}\n", mistake.to_string());
    return kUsage;
  }
  if (only_check) {
    fmt::print("{}: no mistakes\n", file);
    return kOk;
  }
  std::signal(SIGPIPE, SIG_IGN);  // whoever reads the log may go away
  boost::asio::io_context loop{1};
  mnd::Daemon daemon{loop, std::move(*config)};
  if (const auto started = daemon.start(); !started) {
    mnd::kernel::log(mnd::kernel::Level::kError, started.error().to_string());
    return kFailed;
  }
  loop.run();
  return kOk;
}

}  // namespace

int main(int argc, char* argv[]) try {
  std::string config;
  options::options_description described{"Options"};
  described.add_options()("config", options::value(&config)->default_value(kDefaultConfig)->value_name("FILE"),
                          "configuration file; FILE.d/*.conf is read after it");
  described.add_options()("check", "check the configuration, explain every mistake, and exit");
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
  return run(config, given.count("check") > 0);
} catch (const options::error& error) {
  fmt::print(stderr, "mnd: {}\nTry 'mnd --help'.\n", error.what());
  return kUsage;
} catch (const std::exception& error) {
  fmt::print(stderr, "mnd: {}\n", error.what());
  return kFailed;
}
