// Another configuration, or another program, while the registration goes on.
#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <utility>

#include "mnd/daemon.hpp"
#include "mnd/linux/config_mistakes.hpp"

namespace mnd {

using nlohmann::json;

namespace {

std::string_view name_of(Effect effect) {
  switch (effect) {
    case Effect::kNone:
      return "nothing changed";
    case Effect::kAtOnce:
      return "applied";
    case Effect::kTakeOver:
      return "takes over";
    case Effect::kAnew:
      break;
  }
  return "starts anew";
}

std::string answer(std::string_view effect, const std::vector<std::string>& changed) {
  return kernel::control_line(
      {{"version", kernel::kControlVersion}, {"result", "ok"}, {"effect", effect}, {"changed", changed}});
}

std::string refusal(const std::vector<kernel::ConfigMistake>& mistakes) {
  return kernel::control_line({{"version", kernel::kControlVersion},
                               {"error",
                                {{"what", "the configuration has mistakes: the one before stays in use"},
                                 {"remedy", "correct them, and reload again"},
                                 {"kind", kernel::kFailed},
                                 {"mistakes", kernel::to_json(mistakes)}}}});
}

// The next process would not know that the home agent has not answered yet.
std::string still_deregistering() {
  return kernel::control_error("the node is de-registering, as was asked", "ask again in some seconds");
}

}  // namespace

// What it says as a whole, or the answer to who asked for it.
tl::expected<Config, std::string> Daemon::read_config_anew() {
  auto config = load_config(config_file_);
  if (config) {
    troubles_.over("configuration");
    return std::move(*config);
  }
  const auto& first = config.error().front();
  const auto count = config.error().size();
  trouble("configuration",
          fmt::format("the configuration has {}, the one before stays in use: {}",
                      count == 1 ? "a mistake" : fmt::format("{} mistakes", count),
                      kernel::ConfigMistake{first.file, first.line, first.what, {}}.to_string()),
          first.remedy);
  publish_status();
  return tl::unexpected(refusal(config.error()));
}

std::string Daemon::reload() {
  if (stopping_) return kernel::control_error("mnd is about to end", "start it again");
  auto config = read_config_anew();
  if (!config) return config.error();
  const auto change = compare(config_, *config, ends_.home_agent);
  if (change.effect >= Effect::kTakeOver && !deregistering_.empty()) return still_deregistering();
  std::string names = fmt::format("{}", fmt::join(change.changed, ", "));
  journal_.add("reload", change.changed.empty() ? "nothing has changed" : fmt::format("changed: {}", names));
  switch (change.effect) {
    case Effect::kNone:
      break;
    case Effect::kAtOnce:
      apply(std::move(*config), change);
      break;
    case Effect::kTakeOver:
      take_over_soon();
      break;
    case Effect::kAnew:
      start_anew_soon();
      break;
  }
  return answer(name_of(change.effect), change.changed);
}

void Daemon::apply(Config config, const ConfigChange& change) {
  config_ = std::move(config);
  movement_ = movement_policy();
  if (monitor_) ask_for_optimistic_dad(monitor_->state());
  if (change.credentials) change_credentials();
  if (node_ && change.times) {
    node_->set_times(config_.lifetime, config_.first_timeout);
    if (registration()->attachment()) feed(mip6::node::RefreshAsked{});
  }
  reconsider();
}

std::string Daemon::restart() {
  if (stopping_) return kernel::control_error("mnd is about to end", "start it again");
  const auto config = read_config_anew();
  if (!config) return config.error();
  if (!deregistering_.empty()) return still_deregistering();
  // Nobody could take over what is another registration: of this one something would stay.
  const auto change = compare(config_, *config, ends_.home_agent);
  if (change.effect == Effect::kAnew) {
    start_anew_soon();
    return answer(name_of(Effect::kAnew), change.changed);
  }
  take_over_soon();
  return answer(name_of(Effect::kTakeOver), {});
}

void Daemon::start_anew_soon() {
  start_again_when_stopped_ = true;
  boost::asio::post(loop_, [this] { stop("to start anew"); });
}

// After the answer has left.
void Daemon::take_over_soon() {
  boost::asio::post(loop_, [this] {
    if (!stopping_) take_over();
  });
}

// As after a kill: the next one finds all that there is, in the kernel, in charon and on the disk.
void Daemon::take_over() {
  journal_.add("restart", "the next one takes over");
  const auto error = start_again_();
  trouble("restart", error.to_string(), error.remedy);
  publish_status();
}

}  // namespace mnd
