// mip6ctl config check | show
#include <fmt/format.h>
#include <unistd.h>

#include "mnd/ctl/commands.hpp"

namespace mip6ctl {

namespace {

std::string render_list(const json& list, std::string_view before) {
  std::string result;
  for (const auto& one : list) {
    if (!one.is_object()) continue;
    const auto line = number(one, "line").value_or(0);
    result += fmt::format("{}{}{}: {}\n", before, text(one, "file"), line > 0 ? fmt::format(":{:.0f}", line) : "",
                          text(one, "what"));
    if (const auto remedy = text(one, "remedy"); !remedy.empty()) result += "  what to do: " + remedy + "\n";
  }
  return result;
}

// The daemon need not run.
int check(const Options& options) {
  if (::access(options.config.c_str(), F_OK) == 0 && ::access(options.config.c_str(), R_OK) != 0)
    return refuse(
        options,
        {printable(options.config) + " cannot be read", "run mip6ctl as root, or as a member of the group mnd"},
        kNotPermitted);
  const auto ran = run_mnd({"--check", "--json", "--config", options.config});
  const auto answer = ran ? json::parse(ran->output, nullptr, false) : json{};
  if (!answer.is_object()) return refuse(options, {"mnd cannot be run", "look whether it is installed"}, kFailed);
  const bool good = member(answer, "mistakes").empty();
  if (options.json)
    print(one_line(answer) + "\n");
  else
    print((good ? options.config + ": no mistakes\n" : render_mistakes(answer)) +
          render_list(member(answer, "warnings"), "warning: "));
  return good ? kOk : kFailed;
}

std::string line_of(std::string_view key, std::string_view value) { return fmt::format("{} = {}\n", key, value); }

}  // namespace

std::string render_mistakes(const json& answer) { return render_list(member(answer, "mistakes"), ""); }

// As mnd.conf(5) has it.
std::string render_config(const json& answer) {
  auto result = fmt::format("# in effect, by {}, with defaults; secrets stay in their files\n", text(answer, "file"));
  for (const auto& one : member(answer, "settings"))
    if (one.is_object()) result += line_of(text(one, "key"), text(one, "value"));
  for (const auto& one : member(answer, "interfaces")) {
    if (!one.is_object()) continue;
    result += fmt::format("\n[interface \"{}\"]\n", text(one, "pattern"));
    if (const auto preference = number(one, "preference"))
      result += line_of("preference", fmt::format("{:.0f}", *preference));
    if (flag(one, "exclude").value_or(false)) result += line_of("exclude", "yes");
    if (flag(one, "optimistic_dad").value_or(false)) result += line_of("optimistic-dad", "yes");
  }
  return result;
}

int run_config(const Options& options) {
  const auto what = options.words.empty() ? std::string{} : options.words.front();
  if (what == "check") return check(options);
  if (what == "show" && options.names_config)
    return fail({"'config show' tells what is in effect, and takes no --config", "mip6ctl config check --config FILE"},
                kUsage);
  if (what == "show") return show(options, "config", render_config);
  return fail({"config needs to know what to do: check or show", "see mip6ctl --help"}, kUsage);
}

}  // namespace mip6ctl
