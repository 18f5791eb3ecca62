// mip6ctl events [--follow]
#include "mnd/ctl/commands.hpp"

namespace mip6ctl {

namespace {

bool show(const json& event, const Options& options) {
  return print((options.json ? one_line(event) : render_event(event, options.colours)) + "\n");
}

}  // namespace

int run_events(const Options& options) {
  auto conversation = ask(options, {{"command", "events"}, {"follow", options.follow}});
  if (!conversation) return conversation.error();
  if (options.json && !options.follow) return print(one_line(conversation->answer) + "\n") ? kOk : kFailed;
  for (const auto& event : member(conversation->answer, "events"))
    if (event.is_object() && !show(event, options)) return kFailed;
  while (options.follow) {
    const auto event = conversation->client.receive(std::nullopt);
    if (!event) return fail(event.error(), kNotRunning);
    // the stream may carry other objects too
    if (member(*event, "kind").is_string() && !show(*event, options)) return kFailed;
  }
  return kOk;
}

}  // namespace mip6ctl
