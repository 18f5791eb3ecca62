// mip6ctl doctor
#include "mnd/ctl/commands.hpp"

namespace mip6ctl {

int run_doctor(const Options& options) {
  const auto conversation = ask(options, {{"command", "doctor"}});
  if (!conversation) return conversation.error();
  const auto& answer = conversation->answer;
  print(options.json ? one_line(answer) + "\n" : render_findings(answer));
  return member(answer, "findings").empty() ? kOk : kTrouble;
}

}  // namespace mip6ctl
