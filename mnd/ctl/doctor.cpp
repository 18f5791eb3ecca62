// mip6ctl doctor: the daemon's own, or mnd --doctor where it does not run.
#include <cerrno>

#include "mnd/ctl/commands.hpp"
#include "mnd/linux/unix_socket.hpp"

namespace mip6ctl {
namespace {

bool runs(const std::string& socket) {
  const auto peer = mnd::kernel::connect_to(socket);
  return peer || (peer.error() != ENOENT && peer.error() != ECONNREFUSED);
}

int tell(const Options& options, const json& answer) {
  print(options.json ? one_line(answer) + "\n" : render_findings(answer));
  return member(answer, "findings").empty() ? kOk : kFailed;
}

}  // namespace

int run_doctor(const Options& options) {
  if (!runs(options.socket)) {
    const auto ran = run_mnd({"--doctor", "--config", options.config});
    const auto answer = ran ? json::parse(ran->output, nullptr, false) : json{};
    if (answer.is_object()) return tell(options, answer);
  }
  const auto conversation = ask(options, {{"command", "doctor"}});
  if (!conversation) return conversation.error();
  return tell(options, conversation->answer);
}

}  // namespace mip6ctl
