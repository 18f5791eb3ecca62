// A mobile node whose world the bytes of a fuzz input choose, and what holds for it whatever comes: the home agent
// answers what was sent, or forges, or is silent; the disk is late, or refuses; time goes on by as little or as much as
// it likes. `Core` is HomeRegistration or MobileNode, `Action` what it decides.
#pragma once

#include <algorithm>
#include <bitset>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <variant>

#include "libmip6/node/home_registration.hpp"
#include "tests/fuzz/draw.hpp"
#include "tests/fuzz/heap.hpp"

namespace fuzz {

inline constexpr mip6::Lifetime kRegistrationLifetime{420};

inline mip6::node::Policy draw_registration_policy(Input& in) {
  mip6::node::Policy chosen;
  chosen.home_address = kHomeAddresses[0];
  chosen.home_agent = kHomeAgent;
  chosen.lifetime = kRegistrationLifetime;
  chosen.link_local = in.flag();
  chosen.may_have_binding = in.flag();
  return chosen;
}

// Of a first process, or of a later one that knows under which keys its numbers were used, or lost it.
inline mip6::SequenceState draw_stored(Input& in) {
  mip6::SequenceState state;
  state.first_unused = mip6::SequenceNumber{in.u16()};
  if (in.flag()) state.first_under_keys = mip6::SequenceNumber{in.u16()};
  return state;
}

template <class Core, class Action>
class Node {
 public:
  Node(Input& in, Core core) : in_{in}, core_{std::move(core)}, heap_{heap()} {}
  virtual ~Node() = default;

  void step() {
    using namespace mip6::node;
    pass();
    switch (in_.below(16)) {
      case 0:
      case 1:
        return give(AcknowledgementReceived{acknowledgement()});
      case 2:
      case 3:
        return give(Attached{attachment(), in_.flag()});
      case 4:
        return give(Detached{});
      case 5:
      case 6:
        return keys_usable();
      case 7:
        return in_.flag() ? give(KeysUnusable{}) : give(OwnKeysStayed{});
      case 8:
      case 9:
        return answer_reservation();
      case 10:
        return give(RefreshRequestReceived{});
      case 11:
        return trouble_on_the_way();
      case 12:
        return give(UpdateSendFailed{number(), in_.text(20)});
      case 13:
        return wish();
      default:
        return reach_deadline();
    }
  }

  void check_memory() {
    // Who was sent something when is our knowledge, not the core's.
    sent_at_.clear();
    require_bounded(heap_, 32 * 1024);
  }

 protected:
  // What a target knows of an action, before it is looked at here.
  virtual void look_at(const Action&) {}

  void pass() { now_ = std::min(now_ + in_.pause(), kEndOfTime); }

  template <class Event>
  void give(const Event& event) {
    using namespace mip6::node;
    const bool was_stopped = registration().state() == State::kStopped;
    const auto actions = core_.handle(event, now_);
    require(!was_stopped || actions.empty(), "nothing is done after the end");
    require(actions.size() < kMostActions, "an event has few actions");
    for (const auto& action : actions) {
      look_at(action);
      if (const auto* send = std::get_if<SendUpdate>(&action)) check(send->update);
      if (const auto* reserve = std::get_if<ReserveSequence>(&action)) reservations_.push_back(reserve->end);
      if (const auto* trouble = std::get_if<Trouble>(&action))
        require(!trouble->what.empty() && !trouble->remedy.empty(), "trouble has a name and a remedy");
      if (std::holds_alternative<Stopped>(action)) require(&action == &actions.back(), "the end comes last");
    }
    require(reservations_.size() <= kRemembered + changes_, "the disk is not asked again and again");
    require(registration().outstanding() <= 16, "few updates are remembered");
    if (registration().state() == State::kStopped) require(!core_.next_deadline(), "no deadline after the end");
    require(name_of(registration().state()) != "unknown", "its state has a name");
  }

  const mip6::node::HomeRegistration& registration() const {
    if constexpr (requires(const Core& core) { core.registration(); })
      return core_.registration();
    else
      return core_;
  }

  // The registration began anew: with another home agent, or another home address.
  void begin_anew(const mip6::Ipv6Address& home_agent) {
    home_agent_ = home_agent;
    former_keys_ = true;
    ++changes_;
  }

  Input& in_;
  Core core_;
  std::size_t heap_;
  mip6::BootTime now_{std::chrono::seconds{100}};
  mip6::Ipv6Address home_agent_ = kHomeAgent;

 private:
  static constexpr std::size_t kRemembered = 8;  // updates and reservations that can still be answered
  static constexpr std::size_t kMostActions = 24;

  mip6::Attachment attachment() {
    if (in_.below(4) == 0) return {5, kHomeAddresses[0], address("fe80::1"), true};
    return {static_cast<std::uint32_t>(1 + in_.below(3)), in_.one_of(kCareOfAddresses), address("fe80::a"), false};
  }

  // Nothing of it shows who sent it.
  void trouble_on_the_way() {
    using namespace mip6::node;
    if (in_.flag()) return give(BindingErrorReceived{{in_.u8(), draw_address(in_), {}}});
    give(ParameterProblemReceived{in_.u8(), in_.u32()});
  }

  // By the user, or by mobile prefix discovery.
  void wish() {
    using namespace mip6::node;
    switch (in_.below(8)) {
      case 0:
        return give(StopAsked{});
      case 1:
        return give(HomeAddressValid{now_ + in_.pause()});
      case 2:
        return give(HomeAddressValid{});
      default:
        return give(RefreshAsked{});
    }
  }

  mip6::SequenceNumber number() {
    if (sent_.empty() || in_.below(4) == 0) return mip6::SequenceNumber{in_.u16()};
    return in_.one_of(sent_);
  }

  mip6::BindingAcknowledgement acknowledgement() {
    mip6::BindingAcknowledgement answer;
    answer.status = draw_status(in_);
    answer.sequence = number();
    answer.key_mobility = in_.flag();
    answer.lifetime = draw_lifetime(in_);
    if (in_.flag()) answer.options.push_back(mip6::BindingRefreshAdvice{draw_lifetime(in_)});
    return answer;
  }

  // Those with another home agent than before are always fresh.
  void keys_usable() {
    mip6::node::KeysUsable keys;
    keys.can_migrate = in_.flag();
    const bool fresh = in_.flag();
    keys.fresh = fresh || former_keys_;
    keys.dynamic = in_.below(4) != 0;
    if (in_.flag()) keys.endpoint = draw_address(in_);
    if (home_agent_.is_unspecified()) return;
    if (keys.fresh) used_.reset();
    former_keys_ = false;
    give(keys);
  }

  void answer_reservation() {
    if (reservations_.empty()) return;
    const auto end = reservations_.front();
    reservations_.pop_front();
    if (in_.below(4) == 0) return give(mip6::node::SequenceReservationFailed{});
    durable_ = end;
    give(mip6::node::SequenceReserved{end});
  }

  void reach_deadline() {
    const auto deadline = core_.next_deadline();
    if (deadline) now_ = std::clamp(*deadline, now_, std::max(now_, kEndOfTime));
    give(mip6::node::DeadlineReached{});
    // One that comes again without anything having happened would keep the daemon busy for ever.
    for (int again = 0; core_.next_deadline() && *core_.next_deadline() <= now_; ++again) {
      require(again < 4, "a deadline that was handled does not come again at once");
      give(mip6::node::DeadlineReached{});
    }
  }

  void check(const mip6::BindingUpdate& update) {
    using namespace mip6;
    const auto number = update.sequence;
    require(!used_[number.value()], "no sequence number twice under the same keys");
    used_.set(number.value());
    require(durable_ && durable_->distance_from(number) >= 1 &&
                durable_->distance_from(number) <= SequenceReservation::kBlockSize,
            "a number is used only when its block is durable");
    require(update.acknowledge && update.home_registration && update.lifetime <= kRegistrationLifetime,
            "a home registration");
    auto& sent_at = sent_at_[home_agent_];
    require(sent_at.size() < node::kMaxUpdateRate || now_ - sent_at.front() >= std::chrono::seconds{1},
            "at most MAX_UPDATE_RATE updates a second to a home agent");
    sent_at.push_back(now_);
    if (sent_at.size() > node::kMaxUpdateRate) sent_at.pop_front();
    sent_.push_back(number);
    if (sent_.size() > kRemembered) sent_.pop_front();
    const auto parsed = parse_message(write_message(update));
    require(parsed && *parsed == Message{update}, "an update is what the wire says");
  }

  std::bitset<65536> used_;
  bool former_keys_ = false;
  std::size_t changes_ = 0;
  std::optional<mip6::SequenceNumber> durable_;  // the end of the last block that the disk has
  std::deque<mip6::SequenceNumber> reservations_;
  std::deque<mip6::SequenceNumber> sent_;
  std::map<mip6::Ipv6Address, std::deque<mip6::BootTime>> sent_at_;
};

}  // namespace fuzz
