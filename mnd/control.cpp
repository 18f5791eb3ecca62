// What is asked over the control socket: one table of requests, and who may make them.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "mnd/daemon.hpp"

namespace mnd {

using kernel::Asker;
using nlohmann::json;
using Answer = kernel::ControlServer::Answer;

namespace {

Answer versioned(json answer) {
  answer["version"] = kernel::kControlVersion;
  return {kernel::control_line(answer)};
}

}  // namespace

Answer Daemon::control(const json& request, Asker asker) {
  struct Request {
    std::string_view name;
    Asker least;
    Answer (*answer)(Daemon& daemon, const json& request);
  };
  // Who may only look is told what is looked at; the group steers; root alone answers for the machine's links.
  static constexpr std::array<Request, 17> kRequests{{
      {"status", Asker::kOther, [](Daemon& of, const json&) { return Answer{kernel::control_line(of.status())}; }},
      {"watch", Asker::kOther,
       [](Daemon& of, const json&) {
         return Answer{kernel::control_line(of.status()), true};
       }},
      {"events", Asker::kOther,
       [](Daemon& of, const json& asked) {
         auto answer = versioned({{"events", of.journal_.to_json()}});
         answer.stream = asked.value("follow", json(false)) == true;
         return answer;
       }},
      {"sequence", Asker::kOther, [](Daemon& of, const json&) { return Answer{kernel::control_line(of.sequence())}; }},
      {"trace", Asker::kOther,
       [](Daemon& of, const json&) {
         return versioned({{"moves", of.trace_.to_json()}});
       }},
      {"doctor", Asker::kOther,
       [](Daemon& of, const json& asked) {
         return versioned({{"findings", of.findings(asked.value("missing", json::array()))}});
       }},
      {"links", Asker::kOther, [](Daemon& of, const json&) { return versioned(of.links()); }},
      {"keying", Asker::kOther, [](Daemon& of, const json&) { return versioned(of.keying_view()); }},
      {"config", Asker::kOther, [](Daemon& of, const json&) { return versioned(of.config_view()); }},
      {"version", Asker::kOther, [](Daemon& of, const json&) { return versioned(of.version_view()); }},
      {"refresh", Asker::kMember, [](Daemon& of, const json&) { return Answer{of.refresh_asked()}; }},
      {"home", Asker::kMember,
       [](Daemon& of, const json&) { return Answer{.line = {}, .later = [&of](auto told) { of.deregister(told); }}; }},
      {"pause", Asker::kMember, [](Daemon& of, const json&) { return Answer{of.pause()}; }},
      {"resume", Asker::kMember, [](Daemon& of, const json&) { return Answer{of.resume()}; }},
      {"reload", Asker::kMember, [](Daemon& of, const json&) { return Answer{of.reload()}; }},
      {"restart", Asker::kMember, [](Daemon& of, const json&) { return Answer{of.restart()}; }},
      {"network", Asker::kRoot, [](Daemon& of, const json& asked) { return of.network_event(asked); }},
  }};
  const auto found = request.find("command");
  const std::string name = found != request.end() && found->is_string() ? found->get<std::string>() : "";
  const auto* known = std::ranges::find(kRequests, name, &Request::name);
  if (known == kRequests.end())
    return {kernel::control_error("unknown command '" + name + "'",
                                  "mip6ctl and mnd are of different versions: see "
                                  "mip6ctl version")};
  if (asker < known->least)
    return {kernel::control_error(
        fmt::format("'{}' is not for everyone", known->name),
        known->least == Asker::kRoot ? "ask as root" : "ask as root, or as a member of the group mnd",
        kernel::kNotPermitted)};
  return known->answer(*this, request);
}

}  // namespace mnd
