// mip6ctl completion SHELL: from the table of commands. packaging/completions has what this prints.
#include <fmt/format.h>

#include <algorithm>

#include "mnd/ctl/commands.hpp"

namespace mip6ctl {

namespace {

constexpr std::string_view kGlobal = "--socket --json --help --version";

std::string names(std::string_view between) {
  std::string result;
  for (const auto& command : kCommands) result += fmt::format("{}{}", result.empty() ? "" : between, command.name);
  return result;
}

// "check|show" -> "check show"; a name for what may follow is none of its values.
std::string values_of(const Command& command) {
  std::string result{command.values.empty() ? command.words : command.values};
  if (result.find('|') == std::string::npos) return {};
  std::replace(result.begin(), result.end(), '|', ' ');
  return result;
}

std::string bash() {
  std::string cases;
  for (const auto& command : kCommands) {
    const auto values = values_of(command);
    if (command.options.empty() && values.empty()) continue;
    cases += fmt::format("    {}) words=\"{}{}{} $global\" ;;\n", command.name, values,
                         values.empty() || command.options.empty() ? "" : " ", command.options);
  }
  return fmt::format(R"(# bash completion for mip6ctl; made by: mip6ctl completion bash
_mip6ctl() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}} word words command=
  local global="{}"
  COMPREPLY=()
  case $previous in
    --socket | --config)
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
      ;;
    --since) return ;;
  esac
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case $word in
      {}) command=$word ;;
    esac
  done
  case $command in
    '') words="{} $global" ;;
{}    *) words=$global ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}}
complete -F _mip6ctl mip6ctl
)",
                     kGlobal, names(" | "), names(" "), cases);
}

// In single quotes of a shell.
std::string quoted(std::string_view text) {
  std::string result;
  for (const char c : text) result += c == '\'' ? std::string{"'\\''"} : std::string{c};
  return result;
}

std::string option_of_zsh(std::string_view option) {
  if (option == "--config") return "'--config[configuration of mnd]:file:_files'";
  if (option == "--since") return "'--since[from then on]:time:'";
  return fmt::format("'{}'", option);
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    parts.push_back(text.substr(0, text.find(' ')));
    text.remove_prefix(std::min(parts.back().size() + 1, text.size()));
  }
  return parts;
}

std::string zsh() {
  std::string commands;
  std::string cases;
  for (const auto& command : kCommands) {
    commands += fmt::format("    '{}:{}'\n", command.name, quoted(command.summary));
    std::string arguments;
    for (const auto option : split(command.options)) arguments += " " + option_of_zsh(option);
    if (const auto values = values_of(command); !values.empty()) arguments += fmt::format(" '1:what:({})'", values);
    if (!arguments.empty()) cases += fmt::format("        {}) _arguments $global{} ;;\n", command.name, arguments);
  }
  return fmt::format(R"(#compdef mip6ctl
# made by: mip6ctl completion zsh
_mip6ctl() {{
  local -a commands global
  local curcontext=$curcontext state line
  global=('--socket[control socket]:file:_files' '--json[the same as JSON]' '--help[a summary]' '--version[the version]')
  commands=(
{}  )
  _arguments -C $global '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe command commands ;;
    argument)
      case $words[1] in
{}        *) _arguments $global ;;
      esac
      ;;
  esac
}}
_mip6ctl "$@"
)",
                     commands, cases);
}

std::string fish() {
  std::string result =
      "# fish completion for mip6ctl; made by: mip6ctl completion fish\n"
      "complete -c mip6ctl -f\n"
      "complete -c mip6ctl -l socket -r -F -d 'control socket'\n"
      "complete -c mip6ctl -l json -d 'the same as JSON'\n"
      "complete -c mip6ctl -l help -d 'a summary'\n"
      "complete -c mip6ctl -l version -d 'the version'\n";
  for (const auto& command : kCommands) {
    result += fmt::format("complete -c mip6ctl -n __fish_use_subcommand -a {} -d '{}'\n", command.name,
                          quoted(command.summary));
    const auto seen = fmt::format("'__fish_seen_subcommand_from {}'", command.name);
    for (const auto option : split(command.options))
      result += fmt::format("complete -c mip6ctl -n {} -l {}{}\n", seen, option.substr(2),
                            option == "--config"  ? " -r -F"
                            : option == "--since" ? " -x"
                                                  : "");
    if (const auto values = values_of(command); !values.empty())
      result += fmt::format("complete -c mip6ctl -n {} -a '{}'\n", seen, values);
  }
  return result;
}

}  // namespace

std::string completion_for(std::string_view shell) {
  if (shell == "bash") return bash();
  if (shell == "zsh") return zsh();
  if (shell == "fish") return fish();
  return {};
}

int run_completion(const Options& options) {
  const auto script = options.words.empty() ? std::string{} : completion_for(options.words.front());
  if (script.empty()) return fail({"completion is there for bash, zsh and fish", "mip6ctl completion bash"}, kUsage);
  return print(script) ? kOk : kFailed;
}

}  // namespace mip6ctl
