// mip6ctl network EVENT [INTERFACE]: for the hooks of managers of networks, which decide how long they wait for it. A
// daemon that is not there is no news.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "mnd/ctl/commands.hpp"

namespace mip6ctl {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// "a|b" -> {"a", "b"}
std::vector<std::string_view> events() {
  std::vector<std::string_view> list;
  for (auto rest = kNetworkEvents; !rest.empty(); rest.remove_prefix(std::min(list.back().size() + 1, rest.size())))
    list.push_back(rest.substr(0, rest.find('|')));
  return list;
}

// Whether the node is registered by another link than that, or has none.
bool has_left(const json& status, const std::string& interface) {
  const auto& attachment = member(status, "attachment");
  if (!attachment.is_object()) return true;
  return text(attachment, "interface") != interface && text(attachment, "care_of") == text(status, "registered_at");
}

// With a link that is about to go and no other one there is nothing to wait for.
bool stays(const json& status, const std::string& interface) {
  return text(member(status, "attachment"), "interface") == interface;
}

}  // namespace

int run_network(const Options& options) {
  const auto end = steady_clock::now() + Client::kAnswerTimeout;
  if (options.words.empty() || options.words.size() > 2)
    return fail({"network needs an event, and the interface that it is of", "mip6ctl network pre-down wlan0"}, kUsage);
  const auto& event = options.words[0];
  const auto known = events();
  if (std::find(known.begin(), known.end(), event) == known.end())
    return fail(
        {fmt::format("unknown event '{}'", printable(event)), fmt::format("the events are {}", fmt::join(known, ", "))},
        kUsage);
  const auto interface = options.words.size() > 1 ? options.words[1] : std::string{};
  auto client = Client::connect(options.socket);
  if (!client) return exit_of(client.error());
  if (!client->send({{"command", "network"}, {"event", event}, {"interface", interface}})) return kNotRunning;
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(end - steady_clock::now());
    const auto answer = client->receive(std::max(left, milliseconds{0}));
    if (!answer) {
      const bool late = steady_clock::now() >= end;
      return fail({late ? event + " " + interface + ": mnd has not moved" : answer.error().what, ""}, kFailed);
    }
    if (const auto& error = member(*answer, "error"); error.is_object())
      return fail({text(error, "what"), text(error, "remedy")}, exit_of_error(error));
    // the stream has other objects too
    if (!member(*answer, "state").is_string()) continue;
    if (event != "pre-down" || stays(*answer, interface) || has_left(*answer, interface)) {
      if (options.json) print(one_line(*answer) + "\n");
      return kOk;
    }
  }
}

}  // namespace mip6ctl
