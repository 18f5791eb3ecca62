// mip6ctl watch
#include "mnd/ctl/commands.hpp"

namespace mip6ctl {

int run_watch(const Options& options) {
  constexpr const char* kClearScreen = "\x1b[H\x1b[2J";
  auto conversation = ask(options, {{"command", "watch"}});
  if (!conversation) return conversation.error();
  auto status = std::move(conversation->answer);
  std::string last;
  for (;;) {
    // the stream may carry other objects too
    if (member(status, "state").is_string()) {
      std::string now;
      if (options.json)
        now = one_line(status) + "\n";
      else if (options.terminal)
        now = kClearScreen + render_status(status, options.colours);
      else
        now = render_change(status, options.colours) + "\n";
      if (now != last && !print(now)) return kFailed;
      last = std::move(now);
    }
    auto next = conversation->client.receive(std::nullopt);
    if (!next) return fail(next.error(), kNotRunning);
    status = std::move(*next);
  }
}

}  // namespace mip6ctl
