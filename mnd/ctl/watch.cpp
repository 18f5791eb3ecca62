// mip6ctl watch
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "mnd/ctl/commands.hpp"

namespace mip6ctl {

namespace {

using std::chrono::steady_clock;

constexpr const char* kClearScreen = "\x1b[H\x1b[2J";
constexpr std::chrono::milliseconds kSecond{1000};

// Without what changes by itself, or is counted where nothing changes.
json without_figures(json status) {
  for (const char* name : {"expires_in_s", "counters"}) status.erase(name);
  if (auto error = status.find("last_error"); error != status.end() && error->is_object()) error->erase("ago_s");
  return status;
}

// After that time nothing has changed but how long it lasts.
json later(json status, double seconds) {
  const auto pass = [seconds](json& object, const char* name, double direction) {
    if (const auto value = number(object, name)) object[name] = std::max(*value + direction * seconds, 0.0);
  };
  pass(status, "expires_in_s", -1);
  if (auto error = status.find("last_error"); error != status.end() && error->is_object()) pass(*error, "ago_s", 1);
  return status;
}

// What fits the window; the rest is said to be there.
std::string screen(const std::string& content) {
  constexpr std::size_t kUsual = 24;
  winsize window{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_row > 2;
  const std::size_t rows = (known ? window.ws_row : kUsual) - 1;
  if (static_cast<std::size_t>(std::count(content.begin(), content.end(), '\n')) <= rows) return content;
  std::size_t end = 0;
  for (std::size_t i = 0; i + 1 < rows; ++i) end = content.find('\n', end) + 1;
  return content.substr(0, end) + "... more: mip6ctl status\n";
}

// The next object with a status in it, whatever else is in the stream. An empty optional: nothing for a second.
tl::expected<std::optional<json>, Failure> next(Client& client, bool patient) {
  const auto end = steady_clock::now() + kSecond;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - steady_clock::now());
    if (!patient && left.count() <= 0) return std::optional<json>{};
    auto answer = client.receive(patient ? std::nullopt : std::optional{left});
    if (!answer && !patient && steady_clock::now() >= end) return std::optional<json>{};
    if (!answer) return tl::unexpected(answer.error());
    if (member(*answer, "state").is_string()) return std::optional{std::move(*answer)};
  }
}

}  // namespace

int run_watch(const Options& options) {
  auto conversation = ask(options, {{"command", "watch"}});
  if (!conversation) return conversation.error();
  const bool redraws = options.terminal && !options.json;
  auto status = std::move(conversation->answer);
  auto since = steady_clock::now();
  std::string last;
  for (;;) {
    std::string now;
    if (options.json)
      now = one_line(without_figures(status));
    else if (redraws)
      now = screen(render_status(later(status, std::chrono::duration<double>(steady_clock::now() - since).count()),
                                 options.colours));
    else
      now = render_change(status, options.colours);
    if (now != last && !print(options.json ? one_line(status) + "\n" : redraws ? kClearScreen + now : now + "\n"))
      return kFailed;
    last = std::move(now);
    auto changed = next(conversation->client, !redraws);
    if (!changed) return fail(changed.error(), kNotRunning);
    if (!*changed) continue;
    status = std::move(**changed);
    since = steady_clock::now();
  }
}

}  // namespace mip6ctl
