// A mobile node's core with a virtual clock and a disk that answers at once, for the home registration tests.
#pragma once

#include <string>
#include <vector>

#include "libmip6/node/home_registration.hpp"
#include "tests/catch.hpp"

namespace mip6::node::test {

using namespace std::chrono_literals;

inline Ipv6Address address(const char* text) { return Ipv6Address::parse(text).value(); }
inline const Ipv6Address kHomeAddress = address("2001:db8:1::42");
inline const Ipv6Address kHomeAgent = address("2001:db8:1::1");
inline const Attachment kA1{2, address("2001:db8:a1::7"), address("fe80::a1"), false};
inline const Attachment kA2{3, address("2001:db8:a2::7"), address("fe80::a2"), false};
inline const Attachment kA3{4, address("2001:db8:a3::7"), address("fe80::a3"), false};
inline const Attachment kHome{5, kHomeAddress, address("fe80::1"), true};

using Actions = std::vector<Action>;

inline std::string name_of_action(const Action& action) {
  static const char* const kNames[] = {"UseAttachment",
                                       "SendUpdate",
                                       "SwitchOutbound",
                                       "StopOutbound",
                                       "ReserveSequence",
                                       "NeedKeys",
                                       "MoveOwnKeys",
                                       "MoveKeys",
                                       "RenewKeys",
                                       "AnnounceHomeAddress",
                                       "Registered",
                                       "Trouble",
                                       "PrefixDiscoveryNecessary",
                                       "NotServed",
                                       "Unanswered",
                                       "AgentSilent",
                                       "Stopped"};
  return kNames[action.index()];
}

// "UseAttachment SendUpdate": the order in which things are to be done.
inline std::string order(const Actions& actions) {
  std::string text;
  for (const auto& action : actions) text += (text.empty() ? "" : " ") + name_of_action(action);
  return text;
}

template <class T>
std::vector<T> all(const Actions& actions) {
  std::vector<T> found;
  for (const auto& action : actions)
    if (const T* match = std::get_if<T>(&action)) found.push_back(*match);
  return found;
}

template <class T>
T only(const Actions& actions) {
  const auto found = all<T>(actions);
  INFO(order(actions));
  REQUIRE(found.size() == 1);
  return found.front();
}

struct Node {
  HomeRegistration core;
  BootTime now{100s};
  bool disk_answers = true;

  // The first number is the first one under the present keys, and the disk knows that.
  explicit Node(std::uint16_t first_unused = 1000, Lifetime lifetime = 420s)
      : Node{SequenceState{SequenceNumber{first_unused}, SequenceNumber{first_unused}}, lifetime} {}
  explicit Node(const SequenceState& stored, Lifetime lifetime = 420s)
      : core{Policy{kHomeAddress, kHomeAgent, lifetime, false}, stored} {}

  // The actions for one event, the reservations among them answered and left out.
  Actions give(const Event& event) {
    Actions result;
    for (auto& action : core.handle(event, now)) {
      const auto* reserve = std::get_if<ReserveSequence>(&action);
      if (!reserve || !disk_answers) {
        result.push_back(std::move(action));
        continue;
      }
      for (auto& later : give(SequenceReserved{reserve->end})) result.push_back(std::move(later));
    }
    return result;
  }

  Actions wait(Duration time) {
    now += time;
    return reach();
  }

  // To the next deadline.
  Actions next() {
    REQUIRE(core.next_deadline());
    now = std::max(now, *core.next_deadline());
    return reach();
  }
  // The update that Unanswered holds back leaves, too: there is no other attachment.
  Actions reach() {
    auto actions = give(DeadlineReached{});
    if (all<Unanswered>(actions).empty()) return actions;
    for (auto& later : give(DeadlineReached{})) actions.push_back(std::move(later));
    return actions;
  }

  BindingAcknowledgement acknowledgement(Status status = Status::kAccepted, Lifetime granted = 420s, bool k = true) {
    REQUIRE(core.last_sequence());
    return {status, k, *core.last_sequence(), granted, {}};
  }
  Actions acknowledge(Status status = Status::kAccepted, Lifetime granted = 420s, bool k = true) {
    return give(AcknowledgementReceived{acknowledgement(status, granted, k)});
  }

  // Registered at `where`, keys there, all quiet, the rate limit's second over.
  void register_at(const Attachment& where) {
    give(KeysUsable{true, false, where.care_of});
    give(Attached{where, false});
    acknowledge();
    REQUIRE(core.state() == (where.at_home ? State::kAtHome : State::kRegistered));
    wait(2s);
  }
};

}  // namespace mip6::node::test
