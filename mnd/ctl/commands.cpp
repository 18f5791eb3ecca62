// What all subcommands share.
#include "mnd/ctl/commands.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace mip6ctl {

int fail(const Failure& failure, Exit code) {
  fmt::print(stderr, "mip6ctl: {}\n", failure.what);
  if (!failure.remedy.empty()) fmt::print(stderr, "  what to do: {}\n", failure.remedy);
  return code;
}

Exit exit_of(const Failure& failure) { return failure.forbidden ? kNotPermitted : kNotRunning; }

Exit exit_of_error(const json& error) {
  const auto kind = text(error, "kind");
  return kind == "not-registered" ? kNotRegistered : kind == "not-permitted" ? kNotPermitted : kFailed;
}

Exit exit_of_status(const json& status) {
  const auto state = text(status, "state");
  if (state != "registered" && state != "at home") return kNotRegistered;
  return in_trouble(status) ? kFailed : kOk;
}

tl::expected<Conversation, Exit> ask(const Options& options, const json& request) {
  auto client = Client::connect(options.socket);
  if (!client) {
    fail(client.error(), exit_of(client.error()));
    return tl::unexpected(exit_of(client.error()));
  }
  const auto sent = client->send(request);
  auto answer = sent ? client->receive(Client::kAnswerTimeout) : tl::unexpected(sent.error());
  if (!answer) {
    fail(answer.error(), kNotRunning);
    return tl::unexpected(kNotRunning);
  }
  if (const auto& error = member(*answer, "error"); error.is_object()) {
    if (options.json) print(one_line(*answer) + "\n");
    fail({text(error, "what"), text(error, "remedy")}, kFailed);
    return tl::unexpected(exit_of_error(error));
  }
  return Conversation{std::move(*client), std::move(*answer)};
}

bool print(const std::string& content) {
  return std::fwrite(content.data(), 1, content.size(), stdout) == content.size() && std::fflush(stdout) == 0;
}

}  // namespace mip6ctl
