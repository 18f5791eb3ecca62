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

tl::expected<Conversation, Exit> ask(const Options& options, const json& request) {
  auto client = Client::connect(options.socket);
  if (!client) {
    fail(client.error(), kUnreachable);
    return tl::unexpected(kUnreachable);
  }
  const auto sent = client->send(request);
  auto answer = sent ? client->receive(Client::kAnswerTimeout) : tl::unexpected(sent.error());
  if (!answer) {
    fail(answer.error(), kUnreachable);
    return tl::unexpected(kUnreachable);
  }
  if (const auto& error = member(*answer, "error"); error.is_object()) {
    if (options.json) print(one_line(*answer) + "\n");
    fail({text(error, "what"), text(error, "remedy")}, kTrouble);
    return tl::unexpected(kTrouble);
  }
  return Conversation{std::move(*client), std::move(*answer)};
}

bool print(const std::string& content) {
  return std::fwrite(content.data(), 1, content.size(), stdout) == content.size() && std::fflush(stdout) == 0;
}

}  // namespace mip6ctl
