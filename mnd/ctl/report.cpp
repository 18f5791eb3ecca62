// mip6ctl report: what a bug report needs. Nothing that is asked for has a secret in it.
#include <fmt/format.h>
#include <sys/utsname.h>

#include <fstream>

#include "mnd/ctl/commands.hpp"

namespace mip6ctl {

namespace {

struct Section {
  const char* command;
  std::string (*render)(const json&);
};

std::string plain_status(const json& answer) { return render_status(answer, Colours::kOff); }

std::string events(const json& answer) {
  std::string result;
  for (const auto& event : member(answer, "events"))
    if (event.is_object()) result += render_event(event, Colours::kOff) + "\n";
  return result;
}

constexpr Section kSections[] = {
    {"status", plain_status},  {"links", render_links}, {"keying", render_keying}, {"sequence", render_sequence},
    {"config", render_config}, {"trace", render_trace}, {"events", events}};

std::string distribution() {
  std::ifstream file{"/etc/os-release"};
  constexpr std::string_view kKey = "PRETTY_NAME=";
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(kKey)) continue;
    line.erase(0, kKey.size());
    std::erase(line, '"');
    return printable(line);
  }
  return "unknown";
}

json versions(const Options& options) {
  const auto daemon = ask_quietly(options, {{"command", "version"}}).value_or(json::object());
  utsname kernel{};
  ::uname(&kernel);
  const auto of_daemon = text(daemon, "mnd");
  return {{"mip6ctl", MND_VERSION},
          {"mnd", of_daemon.empty() ? json(nullptr) : json(of_daemon)},
          {"started", of_daemon.empty() ? json(nullptr) : json(text(daemon, "started"))},
          {"kernel", fmt::format("{} {} {}", kernel.sysname, kernel.release, kernel.machine)},
          {"kernel_build", kernel.version},
          {"distribution", distribution()}};
}

json findings(const Options& options) {
  if (auto answer = ask_quietly(options, question_to_doctor(options))) {
    add_resolvers(options, *answer);
    return std::move(*answer);
  }
  const auto ran = run_mnd({"--doctor", "--config", options.config});
  auto answer = ran ? json::parse(ran->output, nullptr, false) : json{};
  return answer.is_object() ? answer : json(nullptr);
}

std::string heading(std::string_view name) { return fmt::format("\n== {} ==\n", name); }

}  // namespace

int run_report(const Options& options) {
  // Who may not ask gets no report, rather than an empty one.
  if (const auto client = Client::connect(options.socket); !client && client.error().forbidden)
    return refuse(options, client.error(), kNotPermitted);
  json report{{"version", 1}, {"versions", versions(options)}, {"doctor", findings(options)}};
  std::string said = heading("versions").substr(1);
  for (const auto& [name, value] : report["versions"].items())
    said += fmt::format("{:<14}{}\n", name, value.is_string() ? printable(value.get<std::string>()) : "does not run");
  said += heading("doctor") + render_findings(report["doctor"]);
  for (const auto& [command, render] : kSections) {
    auto answer = ask_quietly(options, {{"command", command}});
    if (answer) said += heading(command) + render(*answer);
    report[command] = answer ? std::move(*answer) : json(nullptr);
  }
  return print(options.json ? one_line(report) + "\n" : said) ? kOk : kFailed;
}

}  // namespace mip6ctl
