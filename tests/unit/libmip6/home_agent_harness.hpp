// A home agent with a virtual clock, a link and a disk that answer as the test says.
#pragma once

#include <string_view>
#include <vector>

#include "libmip6/agent/home_agent.hpp"
#include "tests/unit/libmip6/wire_support.hpp"

namespace mip6::test {

using namespace mip6::agent;
using namespace std::chrono_literals;

inline const Ipv6Address kAgentAddress = address("2001:db8:1::1");
inline const Ipv6Address kHome = address("2001:db8:1::42");
inline const Ipv6Address kOtherHome = address("2001:db8:1::43");
inline const Ipv6Address kManualHome = address("2001:db8:1::44");
inline const Ipv6Address kCareOf1 = address("2001:db8:a1::7");
inline const Ipv6Address kCareOf2 = address("2001:db8:a2::7");
inline constexpr std::int64_t kUnixNow = 1'700'000'000;

inline Policy default_policy() {
  Policy policy;
  policy.address = kAgentAddress;
  policy.home_prefixes = {{.prefix = *Ipv6Prefix::parse("2001:db8:1::/64")}};
  return policy;
}

inline ServedNodes default_nodes() { return ServedNodes{{{kHome, true}, {kOtherHome, true}, {kManualHome, false}}}; }

inline Policy without_dad() {
  auto policy = default_policy();
  policy.duplicate_address_detection = false;
  return policy;
}

// A home registration from kHome, as section 11.7.1 wants it.
inline UpdateReceived registration(std::uint16_t sequence, const Ipv6Address& care_of, Lifetime lifetime = 420s) {
  UpdateReceived event;
  event.update.sequence = SequenceNumber{sequence};
  event.update.acknowledge = true;
  event.update.home_registration = true;
  event.update.key_mobility = true;
  event.update.lifetime = lifetime;
  event.update.options = {AlternateCareOfAddress{care_of}};
  event.home_address = kHome;
  event.home_address_option_source = care_of;
  event.unix_time = kUnixNow;
  return event;
}

inline UpdateReceived deregistration_at_home(std::uint16_t sequence) {
  auto event = registration(sequence, kHome, 0s);
  event.home_address_option_source.reset();
  event.update.options.clear();
  return event;
}

inline UpdateReceived deregistration_away(std::uint16_t sequence, const Ipv6Address& care_of) {
  return registration(sequence, care_of, 0s);
}

inline UpdateReceived without_key_mobility(UpdateReceived event) {
  event.update.key_mobility = false;
  return event;
}

inline UpdateReceived from(const Ipv6Address& home_address, UpdateReceived event) {
  event.home_address = home_address;
  return event;
}

// The first action of type T, or nullptr.
template <class T>
const T* find_action(const std::vector<Action>& actions) {
  for (const auto& action : actions)
    if (const T* found = std::get_if<T>(&action)) return found;
  return nullptr;
}
template <class T>
std::size_t count_of(const std::vector<Action>& actions) {
  std::size_t count = 0;
  for (const auto& action : actions) count += std::holds_alternative<T>(action) ? 1 : 0;
  return count;
}
// Where the first action of type T stands; a test that needs it has checked that it is there.
template <class T>
std::size_t position_of(const std::vector<Action>& actions) {
  for (std::size_t i = 0; i < actions.size(); ++i)
    if (std::holds_alternative<T>(actions[i])) return i;
  return actions.size();
}

struct Harness {
  explicit Harness(const Policy& policy = without_dad()) : core{policy, nodes} {}

  std::vector<Action> handle(const Event& event) { return core.handle(event, now); }

  // Everything that comes of an event, with a disk that stores (or refuses) at once.
  std::vector<Action> run(const Event& event, bool stored = true) {
    auto all = handle(event);
    for (std::size_t i = 0; i < all.size(); ++i) {
      std::vector<Action> more;
      if (const auto* store = std::get_if<StoreRecord>(&all[i]))
        more = handle(RecordStored{store->record.home_address, stored});
      else if (const auto* move = std::get_if<MoveKeys>(&all[i]))
        more = handle(KeysMoved{move->home_address, keys_movable});
      all.insert(all.end(), more.begin(), more.end());
    }
    return all;
  }
  // What comes of a record that is on the disk, its node's keys having moved.
  std::vector<Action> stored(const Ipv6Address& home_address) {
    auto all = handle(RecordStored{home_address, true});
    if (find_action<MoveKeys>(all) == nullptr) return all;
    const auto more = handle(KeysMoved{home_address, true});
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  // The same as run(), and time goes on to `next_deadline()` first.
  std::vector<Action> run_deadline() {
    now = core.next_deadline().value();
    return run(DeadlineReached{});
  }

  ServedNodes nodes = default_nodes();
  HomeAgent core;
  BootTime now{};
  bool keys_movable = true;  // what run() answers to MoveKeys
};

// Status of the one acknowledgement among the actions; empty if there is none.
inline std::optional<Status> answered(const std::vector<Action>& actions) {
  const auto* sent = find_action<SendAcknowledgement>(actions);
  if (sent == nullptr) return std::nullopt;
  return sent->acknowledgement.status;
}

// Nothing was answered, changed or stored.
inline bool silently_dropped(const Harness& agent, const std::vector<Action>& actions) {
  return actions.size() == 1 && find_action<Report>(actions) != nullptr && agent.core.counters().dropped == 1;
}

}  // namespace mip6::test
