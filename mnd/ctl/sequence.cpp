// mip6ctl sequence
#include "mnd/ctl/commands.hpp"

namespace mip6ctl {

int run_sequence(const Options& options) {
  const auto conversation = ask(options, {{"command", "sequence"}});
  if (!conversation) return conversation.error();
  print(options.json ? one_line(conversation->answer) + "\n" : render_sequence(conversation->answer));
  return kOk;
}

}  // namespace mip6ctl
