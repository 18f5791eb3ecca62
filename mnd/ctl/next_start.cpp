// See next_start.hpp.
#include "mnd/ctl/next_start.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

namespace mip6ctl {

namespace {

using std::chrono::steady_clock;

// One that de-registers first has 4 seconds for it.
constexpr std::chrono::seconds kPatience{20};
constexpr std::chrono::milliseconds kPause{50};

// It answers at another path then, which this program is not told.
bool goes_elsewhere(const json& answer) {
  const auto& changed = member(answer, "changed");
  return std::find(changed.begin(), changed.end(), "control-socket") != changed.end();
}

std::string start_of(const Options& options) {
  const auto version = ask_quietly(options, {{"command", "version"}});
  return version ? text(*version, "started") : std::string{};
}

}  // namespace

int have_started(const Options& options, std::string_view command, std::string (*done)(const json& answer)) {
  const auto before = start_of(options);
  const auto conversation = ask(options, {{"command", command}});
  if (!conversation) return conversation.error();
  const auto effect = text(conversation->answer, "effect");
  const bool starts = effect == "takes over" || effect == "starts anew";
  if (starts && !goes_elsewhere(conversation->answer)) {
    const auto end = steady_clock::now() + kPatience;
    for (auto now = start_of(options); now.empty() || now == before; now = start_of(options)) {
      if (steady_clock::now() >= end)
        return refuse(options, {"mnd has not started again", "look at its log: journalctl -u mnd"},
                      now.empty() ? kNotRunning : kFailed);
      std::this_thread::sleep_for(kPause);
    }
  }
  print(options.json ? one_line(conversation->answer) + "\n" : done(conversation->answer));
  return kOk;
}

}  // namespace mip6ctl
