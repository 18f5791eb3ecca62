// mip6ctl doctor: the daemon's own, with the kernel's modules and options as they are seen from here, and the resolvers
// of names; or mnd --doctor where the daemon does not run.
#include <cerrno>

#include "mnd/ctl/commands.hpp"
#include "mnd/ctl/resolvers.hpp"
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

// It is the daemon that makes findings of them, and knows what follows from which.
json question_to_doctor(const Options& options) {
  json question{{"command", "doctor"}};
  for (const auto& lacking :
       {mnd::kernel::missing_modules(options.kernel), mnd::kernel::missing_options(options.kernel)})
    for (const auto& name : lacking) question["missing"].push_back(name);
  return question;
}

// They are asked by this process and not by the daemon, which does not wait for anybody. Whatever else is wrong may be
// why they do not answer.
void add_resolvers(const Options& options, json& answer) {
  if (!answer.is_object() || !member(answer, "findings").is_array() || !member(answer, "findings").empty()) return;
  const auto resolvers = read_resolvers(options.resolvers);
  if (resolvers.empty()) return;
  const auto status = ask_quietly(options, {{"command", "status"}}).value_or(json::object());
  const auto& attachment = member(status, "attachment");
  const auto care_of = flag(attachment, "at_home").value_or(true) ? std::string{} : text(attachment, "care_of");
  if (auto finding = examine_resolvers(resolvers, options.resolvers, care_of))
    answer["findings"].push_back(std::move(*finding));
}

int run_doctor(const Options& options) {
  if (!runs(options.socket)) {
    const auto ran = run_mnd({"--doctor", "--config", options.config});
    const auto answer = ran ? json::parse(ran->output, nullptr, false) : json{};
    if (answer.is_object()) return tell(options, answer);
  }
  auto conversation = ask(options, question_to_doctor(options));
  if (!conversation) return conversation.error();
  add_resolvers(options, conversation->answer);
  return tell(options, conversation->answer);
}

}  // namespace mip6ctl
