// Fuzz target: the home agent, fed with updates, answers of the link and the disk, and other events that the bytes
// choose.
#include <algorithm>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "libmip6/agent/home_agent.hpp"
#include "tests/fuzz/draw.hpp"
#include "tests/fuzz/heap.hpp"

using namespace mip6;
using namespace mip6::agent;
using fuzz::Input;
using fuzz::require;

namespace {

constexpr std::size_t kMostRestored = 3;
constexpr std::int64_t kUnixNow = 1'700'000'000;

class Agent {
 public:
  explicit Agent(Input& in) : Agent{in, nodes(in), policy(in)} {}

  Agent(Input& in, ServedNodes nodes, const Policy& policy)
      : in_{in}, nodes_{std::move(nodes)}, prefixes_{policy.home_prefixes}, core_{policy, nodes_} {
    restore();
    heap_ = fuzz::heap();
  }

  void step() {
    now_ = std::min(now_ + in_.pause(), fuzz::kEndOfTime);
    switch (in_.below(16)) {
      case 0:
        return update_from_the_wire();
      case 1:
      case 2:
      case 3:
      case 4:
      case 5:
        return give(update());
      case 6:
      case 7:
        return give(DadFinished{in_.one_of(fuzz::kHomeAddresses), in_.below(4) == 0});
      case 8:
      case 9:
      case 10:
        return answer_store();
      case 11:
        return keys_moved({fuzz::draw_address(in_), in_.flag()});
      case 12:
        return give(KeysRenewed{fuzz::draw_address(in_), maybe_address()});
      case 13:
        return give(MessageUnrecognized{in_.u8(), fuzz::draw_address(in_), maybe_address()});
      case 14:
        return news_of_the_house();
      default:
        return reach_deadline();
    }
  }

  void check_memory() const { fuzz::require_bounded(heap_, 64 * 1024); }

 private:
  // The last one of the addresses is never served.
  static ServedNodes nodes(Input& in) {
    return ServedNodes{{{fuzz::kHomeAddresses[0], true}, {fuzz::kHomeAddresses[1], in.flag()}}};
  }
  static Policy policy(Input& in) {
    Policy chosen;
    chosen.address = fuzz::kHomeAgent;
    chosen.home_prefixes = {{.prefix = *Ipv6Prefix::parse("2001:db8:1::/64")}};
    chosen.key_mobility = in.flag();
    chosen.duplicate_address_detection = in.flag();
    return chosen;
  }
  bool served(const Ipv6Address& home_address) const { return nodes_.standing_of(home_address) == Standing::kServed; }

  std::optional<Ipv6Address> maybe_address() {
    return in_.flag() ? std::optional{fuzz::draw_address(in_)} : std::nullopt;
  }

  void restore() {
    std::vector<BindingRecord> records;
    for (std::size_t left = in_.below(kMostRestored + 1); left > 0; --left) {
      BindingRecord record{.home_address = fuzz::kHomeAddresses[left - 1]};
      record.sequence = SequenceNumber{in_.u16()};
      if (in_.flag()) {
        record.care_of = in_.one_of(fuzz::kCareOfAddresses);
        record.granted = fuzz::draw_lifetime(in_);
        record.expires_unix = kUnixNow + in_.u8();
      }
      durable_[record.home_address] = record;
      records.push_back(record);
    }
    restored_ = records.size();
    check(core_.restore(records, kUnixNow, now_));
  }

  // Near the last number more often than not.
  SequenceNumber number(const Ipv6Address& home_address) {
    const auto known = durable_.find(home_address);
    const std::uint16_t step = in_.u8();
    if (known == durable_.end() || step >= 128) return SequenceNumber{in_.u16()};
    return known->second.sequence.advanced(step);
  }

  UpdateReceived update() {
    UpdateReceived event;
    event.home_address = in_.below(8) == 0 ? fuzz::draw_address(in_) : in_.one_of(fuzz::kHomeAddresses);
    const std::uint8_t flags = in_.u8();
    event.update.acknowledge = (flags & 1) == 0;
    event.update.home_registration = (flags & 2) == 0;
    event.update.key_mobility = (flags & 4) == 0;
    event.update.link_local = (flags & 8) != 0;
    event.update.sequence = number(event.home_address);
    event.update.lifetime = fuzz::draw_lifetime(in_);
    if ((flags & 16) == 0) event.home_address_option_source = fuzz::draw_address(in_);
    if ((flags & 32) != 0) event.update.options.push_back(AlternateCareOfAddress{fuzz::draw_address(in_)});
    if ((flags & 192) == 192) event.update.options.push_back(NonceIndices{1, 2});
    event.unix_time = kUnixNow;
    return event;
  }

  void update_from_the_wire() {
    const auto message = parse_message(in_.bytes(8 * (1 + in_.below(6))));
    const auto* received = message ? std::get_if<BindingUpdate>(&*message) : nullptr;
    if (received == nullptr) return;
    give(UpdateReceived{*received, in_.one_of(fuzz::kHomeAddresses), maybe_address(), kUnixNow});
  }

  void news_of_the_house() {
    const auto choice = in_.below(16);
    if (choice == 0) return give(StopAsked{});
    if (choice < 5) return change_prefixes();
    if (choice < 8) return end_service();
    if (choice == 8) return nodes_.serve({in_.flag() ? fuzz::kHomeAddresses[1] : fuzz::kHomeAddresses[0], true});
    give(DeadlineReached{});
  }

  void change_prefixes() {
    HomePrefixesChanged event;
    for (auto left = in_.below(3); left > 0; --left) {
      const auto information = fuzz::draw_prefix_information(in_);
      const auto end = [&](Lifetime lifetime) { return lifetime == kInfiniteLifetime ? kForever : now_ + lifetime; };
      event.prefixes.push_back({.prefix = information.prefix,
                                .valid_until = end(information.valid),
                                .preferred_until = end(information.preferred)});
    }
    prefixes_ = event.prefixes;
    give(event);
  }

  // By a ban or by the configuration; or the node is served again before anybody looks.
  void end_service() {
    const auto home_address = in_.one_of(fuzz::kHomeAddresses);
    switch (in_.below(3)) {
      case 0:
        nodes_.prohibit(home_address);
        break;
      case 1:
        nodes_.forget(home_address);
        break;
      default:
        break;
    }
    service_ends_ = true;
    give(ServiceEnded{home_address});
    moving_.erase(home_address);
    service_ends_ = false;
    const auto* record = core_.find(home_address);
    require(stopped_ || record == nullptr || !record->care_of, "with the service the binding ends");
  }

  void answer_store() {
    if (stores_.empty()) return;
    const auto record = stores_.front();
    stores_.pop_front();
    const bool stored = in_.below(4) != 0;
    if (stored) durable_[record.home_address] = record;
    give(RecordStored{record.home_address, stored});
  }

  void reach_deadline() {
    const auto deadline = core_.next_deadline();
    if (deadline && *deadline <= fuzz::kEndOfTime) now_ = std::max(now_, *deadline);
    give(DeadlineReached{});
    require(!core_.next_deadline() || *core_.next_deadline() > now_, "a deadline that was handled is over");
    for (const auto& record : core_.records())
      require(
          stopped_ || !record.care_of || being_stored(record.home_address) || valid_until(record.home_address) > now_,
          "no binding outlives its prefix");
  }
  BootTime valid_until(const Ipv6Address& home_address) const { return end_of_validity(prefixes_, home_address); }
  // A binding that has ended while its keys moved is not acknowledged; its number counts as used all the same.
  void keys_moved(const KeysMoved& event) {
    give(event);
    const auto unanswered = moving_.extract(event.home_address);
    if (!unanswered) return;
    const auto last = accepted_.find(event.home_address);
    if (last == accepted_.end() || unanswered.mapped().follows(last->second))
      accepted_[event.home_address] = unanswered.mapped();
  }

  bool being_stored(const Ipv6Address& home_address) const {
    return std::ranges::find(stores_, home_address, &BindingRecord::home_address) != stores_.end();
  }

  void give(const Event& event) {
    const bool was_stopped = std::exchange(stopped_, stopped_ || std::holds_alternative<StopAsked>(event));
    const auto actions = core_.handle(event, now_);
    require(!was_stopped || actions.empty(), "nothing is done after the end");
    check(actions);
    require(core_.remembered() <= 2 + restored_, "no stranger is remembered");
  }

  void check(const std::vector<Action>& actions) {
    require(actions.size() < 64, "an event has few actions");
    for (const auto& action : actions) std::visit([this](const auto& specific) { check(specific); }, action);
  }
  template <class Other>
  void check(const Other&) {}

  void check(const StoreRecord& store) {
    const auto& record = store.record;
    require(served(record.home_address) || !record.care_of, "only served addresses get a binding");
    require(served(record.home_address) || service_ends_ || core_.find(record.home_address) != nullptr,
            "no stranger is stored");
    require(!record.care_of || record.granted <= remaining(valid_until(record.home_address), now_),
            "a binding is not granted beyond its prefix");
    // Its number counts as used, though nobody is told so.
    if (service_ends_) accepted_[record.home_address] = record.sequence;
    stores_.push_back(record);
    // One that is on its way, one for each end of a binding meanwhile.
    require(stores_.size() < 4096, "the disk is not flooded");
  }
  void check(const InstallBinding& install) {
    require(served(install.home_address), "only served addresses are intercepted");
    const auto known = durable_.find(install.home_address);
    require(known != durable_.end() && known->second.care_of == install.care_of, "a binding is durable before it acts");
  }
  void check(const MoveKeys& move) { moving_[move.home_address] = durable_[move.home_address].sequence; }
  void check(const StartDad& dad) { require(served(dad.home_address), "only served addresses are probed"); }
  void check(const SendAcknowledgement& send) {
    const auto& acknowledgement = send.acknowledgement;
    if (is_accepted(acknowledgement.status)) moving_.erase(send.home_address);
    const auto known = durable_.find(send.home_address);
    const bool stored = known != durable_.end() && known->second.sequence == acknowledgement.sequence;
    if (is_accepted(acknowledgement.status)) {
      require(served(send.home_address) && stored, "who is accepted is served, and its number is durable");
      require(known->second.care_of.has_value() == (acknowledgement.lifetime > Lifetime{0}),
              "what is durable is what was granted");
      const auto last = accepted_.find(send.home_address);
      require(last == accepted_.end() || acknowledgement.sequence.follows(last->second), "no replay is accepted");
      accepted_[send.home_address] = acknowledgement.sequence;
    } else if (acknowledgement.status == Status::kNotHomeAgentForThisNode && stored) {
      // A de-registration that ended nothing: its number counts as used all the same.
      accepted_[send.home_address] = acknowledgement.sequence;
    }
    const auto parsed = parse_message(write_message(acknowledgement));
    require(parsed && *parsed == Message{acknowledgement}, "an acknowledgement is what the wire says");
  }
  void check(const SendBindingError& send) {
    require(!send.destination.is_multicast() && !send.destination.is_unspecified(), "an error goes to one node");
    // Section 9.3.3: no more than a burst, and one for each interval since.
    ++errors_;
    require(errors_ <= kBindingErrorBurst + (now_ - BootTime{}) / kBindingErrorInterval, "errors are rate limited");
  }

  Input& in_;
  ServedNodes nodes_;
  HomePrefixes prefixes_;
  HomeAgent core_;
  BootTime now_{};
  bool service_ends_ = false;
  bool stopped_ = false;
  std::size_t restored_ = 0;
  std::size_t heap_ = 0;
  std::map<Ipv6Address, BindingRecord> durable_;
  std::map<Ipv6Address, SequenceNumber> accepted_;
  std::map<Ipv6Address, SequenceNumber> moving_;  // whose keys are to move before they are answered
  std::deque<BindingRecord> stores_;
  long errors_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input in{data, size};
  Agent agent{in};
  while (!in.empty()) agent.step();
  agent.check_memory();
  return 0;
}
