// What a manager of networks says that netlink does not: a link is about to go, what the user wants of a connection.
#include <algorithm>

#include "mnd/connections.hpp"
#include "mnd/daemon.hpp"
#include "mnd/linux/kernel.hpp"

namespace mnd {

using nlohmann::json;

namespace {

std::string text(const json& request, const char* member) {
  const auto found = request.find(member);
  return found != request.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

mip6::MovementPolicy Daemon::movement_policy() {
  const auto connections = read_connections(kConnectionsFolder);
  if (connections.mistakes.empty())
    troubles_.over("connections");
  else
    trouble("connections", connections.mistakes.front(), "see mnd(8), NETWORKMANAGER, for what can be said", true);
  auto policy = with_connections({.home_address = config_.home_address,
                                  .home_prefix = config_.home_prefix,
                                  .home_agent = ends_.home_agent,
                                  .preference = config_.preference,
                                  .exclude = config_.exclude},
                                 connections);
  policy.only = wishes_.paused_on;
  return policy;
}

kernel::ControlServer::Answer Daemon::network_event(const json& request) {
  const auto event = text(request, "event");
  const auto interface = text(request, "interface");
  movement_ = movement_policy();
  if (!monitor_ || !node_ || stopping_) return {kernel::control_line(status())};
  const auto& links = monitor_->state().links;
  const auto link = std::ranges::find_if(links, [&](const auto& one) { return one.second.name == interface; });
  if (event == "pre-down" && link != links.end())
    link_health_.leaves(link->first, kernel::boot_now());
  else if (link != links.end())
    link_health_.stays(link->first);
  if ((event == "vpn-up" || event == "connectivity-change") && registration()->attachment()) refresh();
  reconsider();
  // Who says that a link is about to go is told when the node has moved.
  return {kernel::control_line(status()), event == "pre-down"};
}

}  // namespace mnd
