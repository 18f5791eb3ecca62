// mip6ctl status
#include "mnd/ctl/commands.hpp"

namespace mip6ctl {

int run_status(const Options& options) {
  const auto conversation = ask(options, {{"command", "status"}});
  if (!conversation) return conversation.error();
  const auto& status = conversation->answer;
  print(options.json ? one_line(status) + "\n" : render_status(status, options.colours));
  return exit_of_status(status);
}

}  // namespace mip6ctl
