// A virtual clock and the words of a charon for the keying cores: what it would answer and tell.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "ike-glue/node_keying.hpp"

namespace ike_test {

using ike::Section;
using namespace std::chrono_literals;

inline mip6::Ipv6Address address(const char* text) { return mip6::Ipv6Address::parse(text).value(); }

inline const auto kHome = address("2001:db8:1::42");
inline const auto kAgent = address("2001:db8:1::1");
inline const auto kFirst = address("2001:db8:a1::7");
inline const auto kSecond = address("2001:db8:a2::7");
inline const auto kThird = address("2001:db8:a3::7");

struct Sa {  // as charon lists it
  std::string name;
  int uniqueid = 1;
  mip6::Ipv6Address local = kFirst;
  std::string state = "ESTABLISHED";
  bool child = true;
  std::string spi_in = "c0000001";
  std::string spi_out = "c0000002";
  mip6::Ipv6Address remote = kAgent;
  std::string remote_id = "ha@example.org";
  std::string reqid = "11";
  std::string version = "2";
  std::string age = "0";  // seconds, of the IKE_SA
  std::string child_age = "0";
  std::string mode = {};        // left out if empty
  Section::List local_ts = {};  // the same
  Section::List remote_ts = {};
  Section::List tasks_active = {};
  Section::List tasks_passive = {};
};

inline Section listed(const Sa& sa) {
  Section child;
  child.set("name", "reg").set("reqid", sa.reqid).set("state", "INSTALLED");
  child.set("spi-in", sa.spi_in).set("spi-out", sa.spi_out).set("install-time", sa.child_age);
  child.set("uniqueid", std::to_string(100 + sa.uniqueid));
  if (!sa.mode.empty()) child.set("mode", sa.mode);
  if (!sa.local_ts.empty()) child.set("local-ts", sa.local_ts);
  if (!sa.remote_ts.empty()) child.set("remote-ts", sa.remote_ts);
  Section section;
  section.set("uniqueid", std::to_string(sa.uniqueid)).set("state", sa.state).set("version", sa.version);
  section.set("local-host", sa.local.to_string()).set("remote-host", sa.remote.to_string());
  section.set("remote-id", sa.remote_id).set("established", sa.age);
  if (!sa.tasks_active.empty()) section.set("tasks-active", sa.tasks_active);
  if (!sa.tasks_passive.empty()) section.set("tasks-passive", sa.tasks_passive);
  Section children;
  if (sa.child) children.set("reg-" + std::to_string(sa.uniqueid), child);
  section.set("child-sas", children);
  return Section{}.set(sa.name, section);
}

inline Section updown(const Sa& sa, bool up) {
  Section message;
  if (up) message.set("up", "yes");
  message.set(sa.name, *listed(sa).section(sa.name));
  return message;
}

inline Section child_rekeyed(const Sa& sa, const std::string& spi_in, const std::string& spi_out) {
  const auto pair = [&](const std::string& in, const std::string& out) {
    return Section{}.set("reqid", sa.reqid).set("spi-in", in).set("spi-out", out);
  };
  Section child;
  child.set("old", pair(sa.spi_in, sa.spi_out)).set("new", pair(spi_in, spi_out));
  return Section{}.set(
      sa.name, Section{}.set("uniqueid", std::to_string(sa.uniqueid)).set("child-sas", Section{}.set("reg", child)));
}

inline Section ike_rekeyed(const Sa& sa, int uniqueid) {
  return Section{}.set(sa.name, Section{}
                                    .set("old", Section{}.set("uniqueid", std::to_string(sa.uniqueid)))
                                    .set("new", Section{}.set("uniqueid", std::to_string(uniqueid))));
}

inline Section logged(const std::string& name, const std::string& words) {
  return Section{}.set("group", "IKE").set("level", "1").set("ikesa-name", name).set("msg", words);
}

// Drives a core: what it asked and did so far, and answers. `Core` is one of the keying cores.
template <typename Core, typename Event, typename Action>
class Harness {
 public:
  static constexpr bool kAsksForLog = std::is_constructible_v<Action, ike::FollowLog>;

  template <typename Policy>
  explicit Harness(Policy policy) : core(std::move(policy)) {}

  void handle(Event event) {
    for (auto& action : core.handle(event, now)) {
      if (auto* request = std::get_if<ike::Request>(&action)) {
        requests.push_back(std::move(*request));
        continue;
      }
      if constexpr (kAsksForLog) {
        if (const auto* log = std::get_if<ike::FollowLog>(&action)) {
          follows_log = log->follow;
          continue;
        }
      }
      actions.push_back(std::move(action));
    }
  }
  // What charon logs comes to who follows it.
  void event(const std::string& name, Section message) {
    if (name != "log" || follows_log) handle(ike::CharonEvent{name, std::move(message)});
  }

  // Takes the oldest request of this command off the list; false if there is none.
  bool take(std::string_view command, ike::Request* taken = nullptr) {
    const auto found =
        std::find_if(requests.begin(), requests.end(), [&](const auto& r) { return r.command == command; });
    if (found == requests.end()) return false;
    if (taken) *taken = *found;
    last_id = found->id;
    requests.erase(found);
    return true;
  }
  bool answer(std::string_view command, Section message = Section{}.set("success", "yes"),
              std::vector<Section> items = {}) {
    if (!take(command)) return false;
    handle(ike::Answered{last_id, ike::Response{std::move(message), std::move(items)}});
    return true;
  }
  bool refuse(std::string_view command, const std::string& why) {
    return answer(command, Section{}.set("success", "no").set("errmsg", why));
  }
  bool list(const std::vector<Sa>& sas = {}) {
    std::vector<Section> items;
    for (const auto& sa : sas) items.push_back(listed(sa));
    return answer("list-sas", {}, std::move(items));
  }
  bool asked(std::string_view command) const {
    return std::any_of(requests.begin(), requests.end(), [&](const auto& r) { return r.command == command; });
  }
  // How often it was asked to terminate this one; `force`: by force only, or plainly only.
  int terminated(int uniqueid, bool force) const {
    return static_cast<int>(std::count_if(requests.begin(), requests.end(), [&](const auto& r) {
      return r.command == "terminate" && r.message.text_or("ike-id", "") == std::to_string(uniqueid) &&
             (r.message.text("force") != nullptr) == force;
    }));
  }
  bool unloaded(const std::string& name) const {
    return std::any_of(requests.begin(), requests.end(), [&](const auto& r) {
      return r.command == "unload-conn" && r.message.text_or("name", "") == name;
    });
  }

  // Lets time pass, giving each deadline its turn.
  void pass(mip6::Duration time) {
    const auto end = now + time;
    while (const auto next = core.next_deadline()) {
      if (*next > end) break;
      now = std::max(now, *next);
      handle(ike::DeadlineReached{});
    }
    now = end;
  }

  template <typename T>
  int count() const {
    return static_cast<int>(
        std::count_if(actions.begin(), actions.end(), [](const auto& a) { return std::holds_alternative<T>(a); }));
  }
  template <typename T>
  const T* last() const {
    const auto found =
        std::find_if(actions.rbegin(), actions.rend(), [](const auto& a) { return std::holds_alternative<T>(a); });
    return found == actions.rend() ? nullptr : &std::get<T>(*found);
  }
  void forget() {
    actions.clear();
    requests.clear();
  }

  Core core;
  mip6::BootTime now{};
  std::vector<ike::Request> requests;
  std::vector<Action> actions;
  std::uint64_t last_id = 0;
  bool follows_log = !kAsksForLog;
};

}  // namespace ike_test
