// mip6ctl version
#include <fmt/format.h>

#include "mnd/ctl/commands.hpp"

namespace mip6ctl {

int run_version(const Options& options) {
  const auto daemon = ask_quietly(options, {{"command", "version"}}).value_or(json::object());
  const auto of_daemon = text(daemon, "mnd");
  if (options.json) {
    const json answer{{"version", 1},
                      {"mip6ctl", MND_VERSION},
                      {"mnd", of_daemon.empty() ? json(nullptr) : json(of_daemon)},
                      {"started", of_daemon.empty() ? json(nullptr) : json(text(daemon, "started"))}};
    return print(one_line(answer) + "\n") ? kOk : kFailed;
  }
  auto said = fmt::format("mip6ctl {}\n", MND_VERSION);
  said += of_daemon.empty() ? "mnd does not run here, or does not answer\n"
                            : fmt::format("mnd {}, started {}\n", of_daemon, text(daemon, "started"));
  if (!of_daemon.empty() && of_daemon != MND_VERSION) said += "  what to do: mip6ctl restart\n";
  return print(said) ? kOk : kFailed;
}

}  // namespace mip6ctl
