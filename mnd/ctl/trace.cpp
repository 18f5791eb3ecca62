// mip6ctl trace
#include "mnd/ctl/commands.hpp"

namespace mip6ctl {

int run_trace(const Options& options) {
  const auto conversation = ask(options, {{"command", "trace"}});
  if (!conversation) return conversation.error();
  print(options.json ? one_line(conversation->answer) + "\n" : render_trace(conversation->answer));
  return kOk;
}

}  // namespace mip6ctl
