// mip6ctl refresh
#include "mnd/ctl/commands.hpp"

namespace mip6ctl {

int run_refresh(const Options& options) {
  const auto conversation = ask(options, {{"command", "refresh"}});
  if (!conversation) return conversation.error();
  print(options.json ? one_line(conversation->answer) + "\n"
                     : std::string{"registering again; 'mip6ctl status' tells how it went\n"});
  return kOk;
}

}  // namespace mip6ctl
