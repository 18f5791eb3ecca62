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

Exit refuse(const Options& options, const Failure& failure, Exit code) {
  const auto* kind = code == kNotPermitted ? "not-permitted" : code == kNotRunning ? "not-running" : "failed";
  if (options.json)
    print(one_line({{"version", 1}, {"error", {{"what", failure.what}, {"remedy", failure.remedy}, {"kind", kind}}}}) +
          "\n");
  fail(failure, code);
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
  if (!client) return tl::unexpected(refuse(options, client.error(), exit_of(client.error())));
  const auto sent = client->send(request);
  auto answer = sent ? client->receive(Client::kAnswerTimeout) : tl::unexpected(sent.error());
  if (!answer) return tl::unexpected(refuse(options, answer.error(), exit_of(answer.error())));
  if (const auto& error = member(*answer, "error"); error.is_object()) {
    if (options.json) print(one_line(*answer) + "\n");
    fail({text(error, "what"), text(error, "remedy")}, kFailed);
    fmt::print(stderr, "{}", render_mistakes(error));
    return tl::unexpected(exit_of_error(error));
  }
  return Conversation{std::move(*client), std::move(*answer)};
}

std::optional<json> ask_quietly(const Options& options, const json& request) {
  auto client = Client::connect(options.socket);
  if (!client || !client->send(request)) return std::nullopt;
  auto answer = client->receive(Client::kAnswerTimeout);
  if (!answer || answer->contains("error")) return std::nullopt;
  return std::move(*answer);
}

int show(const Options& options, std::string_view command, std::string (*render)(const json&)) {
  const auto conversation = ask(options, {{"command", command}});
  if (!conversation) return conversation.error();
  const auto& answer = conversation->answer;
  return print(options.json ? one_line(answer) + "\n" : render(answer)) ? kOk : kFailed;
}

int have_done(const Options& options, std::string_view command, std::string_view done) {
  const auto conversation = ask(options, {{"command", command}});
  if (!conversation) return conversation.error();
  print(options.json ? one_line(conversation->answer) + "\n" : fmt::format("{}\n", done));
  return kOk;
}

bool print(const std::string& content) {
  return std::fwrite(content.data(), 1, content.size(), stdout) == content.size() && std::fflush(stdout) == 0;
}

}  // namespace mip6ctl
