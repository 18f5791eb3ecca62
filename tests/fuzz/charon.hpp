// A charon whose words the bytes of a fuzz input choose: answers to what was asked, events, and garbage. For the keying
// cores; `Core`, `Event` and `Action` are those of one of them.
#pragma once

#include <algorithm>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "ike-glue/node_keying.hpp"
#include "tests/fuzz/draw.hpp"
#include "tests/fuzz/heap.hpp"

namespace fuzz {

inline constexpr const char* kSecret = "the secret that nobody may see";

template <class Core, class Event, class Action>
class Charon {
 public:
  // `names`: of connections that charon may tell of beside those that it was given.
  template <class Policy>
  Charon(Input& in, Policy policy, std::vector<std::string> names)
      : in_{in}, core_{std::move(policy)}, names_{std::move(names)}, heap_{heap()} {}

  // What charon does; false if the bytes choose something else, which is for the target to do.
  bool step() {
    now_ += in_.pause();
    switch (in_.below(12)) {
      case 0:
        return connect();
      case 1:
      case 2:
      case 3:
      case 4:
        return answer();
      case 5:
      case 6:
      case 7:
        return tell();
      case 8:
        return reach_deadline();
      case 9:
        return in_.below(16) != 0 || disconnect();
      default:
        return false;
    }
  }

  void give(Event event) {
    for (auto& action : core_.handle(event, now_)) {
      if (auto* request = std::get_if<ike::Request>(&action)) {
        check(*request);
      } else if (const auto* trouble = std::get_if<ike::Trouble>(&action)) {
        require(!trouble->what.empty(), "trouble has a name");
        no_secret(trouble->what + trouble->remedy);
      } else if (const auto* step = std::get_if<ike::Step>(&action)) {
        no_secret(step->what);
      } else if (std::holds_alternative<ike::Stopped>(action)) {
        require(asked_to_stop_, "it stops when it is asked to");
      } else if constexpr (std::is_constructible_v<Action, ike::FollowLog>) {
        const auto* log = std::get_if<ike::FollowLog>(&action);
        require(!log || log->follow != std::exchange(follows_log_, log->follow), "the log is followed or let go once");
      }
    }
  }
  void stop() {
    asked_to_stop_ = true;
    give(ike::StopAsked{});
  }

  void check_memory() {
    // Former requests and names are ours, not the core's.
    requests_ = {};
    names_ = {};
    require_bounded(heap_, 256 * 1024);
  }
  Core& core() { return core_; }

 private:
  struct Asked {
    std::uint64_t id = 0;
    std::string command;
  };

  static void no_secret(const std::string& text) {
    require(text.find(kSecret) == std::string::npos, "no secret is told");
  }

  void check(const ike::Request& request) {
    require(connected_, "only a charon that is there is asked");
    require(request.id > last_id_, "each request has an id of its own");
    last_id_ = request.id;
    require(ike::encode({ike::PacketType::kCommandRequest, request.command, request.message}).has_value(),
            "a request can be sent");
    requests_.push_back({request.id, request.command});
    require(requests_.size() < 1024, "charon is not flooded");
    if (request.command != "load-conn") return;
    for (const auto& [name, value] : request.message.entries())
      if (names_.size() < kMostNames) names_.push_back(name);
  }

  bool connect() {
    if (connected_) return true;
    connected_ = true;
    give(ike::CharonConnected{});
    return true;
  }

  // The session answers what is under way with an error, in its order.
  bool disconnect() {
    if (!connected_) return true;
    connected_ = false;
    const mip6::Error why{.tried = "talk to charon", .on = "charon.vici", .reason = in_.text(16)};
    give(ike::CharonDisconnected{why});
    for (const auto& asked : std::exchange(requests_, {})) give(ike::Answered{asked.id, tl::unexpected(why)});
    return true;
  }

  bool answer() {
    if (requests_.empty()) return true;
    // Slow ones have a connection of their own and are overtaken.
    const auto position = static_cast<std::ptrdiff_t>(in_.below(std::min<std::size_t>(requests_.size(), 4)));
    const auto asked = requests_[static_cast<std::size_t>(position)];
    requests_.erase(requests_.begin() + position);
    if (in_.below(8) == 0) {
      give(ike::Answered{asked.id, tl::unexpected(mip6::Error{.tried = asked.command, .reason = in_.text(16)})});
      return true;
    }
    ike::Response response;
    response.message = answer_to(asked.command);
    if (asked.command == "list-sas")
      for (auto left = in_.below(4); left > 0; --left) response.items.push_back(listed());
    give(ike::Answered{asked.id, std::move(response)});
    return true;
  }

  ike::Section answer_to(const std::string& command) {
    using ike::Section;
    switch (in_.below(8)) {
      case 0:
        return garbage();
      case 1:
        return Section{}.set("success", "no").set("errmsg", in_.text(16));
      default:
        break;
    }
    if (command == "get-conns") return Section{}.set("conns", some_names());
    if (command == "get-authorities") return Section{}.set("authorities", some_names());
    return Section{}.set("success", "yes").set("id", in_.text(8));
  }

  bool tell() {
    switch (in_.below(8)) {
      case 0:
        give(ike::CharonEvent{"log", log()});
        return true;
      case 1:
        give(ike::CharonEvent{"ike-rekey", ike_rekeyed()});
        return true;
      case 2:
        give(ike::CharonEvent{"child-rekey", child_rekeyed()});
        return true;
      case 3:
        give(ike::CharonEvent{in_.flag() ? "child-updown" : "ike-updown", garbage()});
        return true;
      default:
        break;
    }
    auto message = listed();
    if (in_.flag()) message.set("up", "yes");
    give(ike::CharonEvent{in_.flag() ? "child-updown" : "ike-updown", std::move(message)});
    return true;
  }

  ike::Section garbage() {
    const auto packet = ike::decode(in_.bytes(in_.u8()));
    return packet ? packet->message : ike::Section{};
  }
  std::string name() { return names_.empty() ? in_.text(16) : in_.one_of(names_); }
  ike::Section::List some_names() {
    ike::Section::List list;
    for (auto left = in_.below(4); left > 0; --left) list.push_back(name());
    return list;
  }
  std::string number() { return in_.below(8) == 0 ? in_.text(8) : std::to_string(in_.below(6)); }
  std::string reqid() { return in_.below(8) == 0 ? number() : std::to_string(11 + in_.below(2)); }

  ike::Section pair() {
    return ike::Section{}
        .set("reqid", reqid())
        .set("spi-in", "c000000" + number())
        .set("spi-out", "d000000" + number());
  }
  ike::Section listed() {
    static const std::vector<std::string> kStates{"ESTABLISHED", "CONNECTING", "DELETING", "REKEYING", "REKEYED", ""};
    static const std::vector<std::string> kChildStates{"INSTALLED", "REKEYING", "REKEYED", "DELETED", "CREATED"};
    static const std::vector<std::string> kIdentities{"mn@example.org", "ha@example.org", "other@example.org"};
    ike::Section section;
    section.set("uniqueid", number()).set("state", in_.one_of(kStates));
    section.set("local-host", draw_address(in_).to_string()).set("remote-host", draw_address(in_).to_string());
    section.set("remote-id", in_.one_of(kIdentities));
    ike::Section children;
    for (auto left = in_.below(3); left > 0; --left) {
      const auto key = "reg-" + number();
      auto child = pair();
      children.set(key, child.set("name", "reg").set("state", in_.one_of(kChildStates)));
    }
    section.set("child-sas", std::move(children));
    return under_a_name(std::move(section));
  }
  ike::Section under_a_name(ike::Section section) { return ike::Section{}.set(name(), std::move(section)); }
  ike::Section ike_rekeyed() {
    const auto which = [&] { return ike::Section{}.set("uniqueid", number()); };
    return under_a_name(ike::Section{}.set("old", which()).set("new", which()));
  }
  ike::Section child_rekeyed() {
    ike::Section section;
    section.set("uniqueid", number());
    const auto child = ike::Section{}.set("old", pair()).set("new", pair());
    return under_a_name(section.set("child-sas", ike::Section{}.set("reg", child)));
  }
  ike::Section log() {
    static const std::vector<std::string> kWords{
        "received AUTHENTICATION_FAILED notify error",     "received NO_PROPOSAL_CHOSEN notify error",
        "peer not responding, trying again (2/3)",         "received TS_UNACCEPTABLE notify, no CHILD_SA built",
        "establishing IKE_SA failed, peer not responding", "unable to resolve, initiate aborted"};
    return ike::Section{}
        .set("group", "IKE")
        .set("level", "1")
        .set("ikesa-name", name())
        .set("msg", in_.flag() ? in_.one_of(kWords) : in_.text(32));
  }

  // The session gives up on what is not answered in time.
  void give_up_old() {
    for (auto left = requests_.size(); left > 256; --left) {
      const auto asked = requests_.front();
      requests_.pop_front();
      give(ike::Answered{asked.id, tl::unexpected(mip6::Error{.tried = asked.command, .reason = "no answer in time"})});
    }
  }

  bool reach_deadline() {
    give_up_old();
    if (const auto deadline = core_.next_deadline()) now_ = std::max(now_, *deadline);
    give(ike::DeadlineReached{});
    for (int again = 0; core_.next_deadline() && *core_.next_deadline() <= now_; ++again) {
      require(again < 8, "a deadline that was handled does not come again at once");
      give(ike::DeadlineReached{});
    }
    return true;
  }

  static constexpr std::size_t kMostNames = 16;

  Input& in_;
  Core core_;
  std::vector<std::string> names_;
  std::deque<Asked> requests_;
  std::size_t heap_;
  mip6::BootTime now_{std::chrono::seconds{100}};
  std::uint64_t last_id_ = 0;
  bool connected_ = false;
  bool asked_to_stop_ = false;
  bool follows_log_ = false;  // a node
};

}  // namespace fuzz
