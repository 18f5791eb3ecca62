// mip6ctl home
#include "mnd/ctl/commands.hpp"
#include "mnd/ctl/render.hpp"

namespace mip6ctl {

std::string render_home(const json& answer) {
  const bool was_registered = flag(answer, "was_registered").value_or(true);
  return std::string{was_registered ? "de-registered" : "nothing was registered"} +
         "; to register again: mip6ctl resume\n";
}

int run_home(const Options& options) {
  const auto conversation = ask(options, {{"command", "home"}});
  if (!conversation) return conversation.error();
  const auto& answer = conversation->answer;
  print(options.json ? one_line(answer) + "\n" : render_home(answer));
  return kOk;
}

}  // namespace mip6ctl
