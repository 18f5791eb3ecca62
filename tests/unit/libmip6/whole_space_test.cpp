// Node and home agent together through the whole space of sequence numbers and over its end, with crashes of both, and
// an attacker who has kept every update.
#include <memory>
#include <set>

#include "tests/catch.hpp"
#include "tests/unit/libmip6/home_agent_harness.hpp"
#include "tests/unit/libmip6/registration_harness.hpp"

namespace mip6 {
namespace {

using namespace std::chrono_literals;

constexpr int kUpdates = 70'000;
constexpr std::uint16_t kFirst = 65'500;

struct Captured {
  int keys = 0;  // generation
  agent::UpdateReceived update;
};

class WholeSpace {
 public:
  WholeSpace() {
    node_.register_at(node::test::kA1);
    answer_update(kFirst);
  }

  // One refresh; with crashes one of the two ends is started anew before each 500th.
  void refresh(int round, bool crashes) {
    if (crashes && round % 1000 == 500) restart_node();
    if (crashes && round % 1000 == 0) restart_agent();
    node_.now += 2s;
    perform(node_.give(node::RefreshAsked{}));
    REQUIRE(node_.core.state() == node::State::kRegistered);
    for (const std::size_t back : {2U, 40U, 32'766U, 32'767U, 32'768U, 32'769U, 65'536U}) replay(back);
  }

  int renewals() const { return keys_; }
  std::size_t distinct_numbers() const { return numbers_.size(); }
  std::size_t sent() const { return captured_.size(); }

 private:
  void perform(const node::test::Actions& actions) {
    for (const auto& action : actions) {
      if (const auto* sent = std::get_if<node::SendUpdate>(&action)) answer_update(sent->update.sequence.value());
      if (std::holds_alternative<node::RenewKeys>(action)) {
        ++keys_;
        used_.clear();
        perform(node_.give(node::KeysUsable{true, true, node::test::kA1.care_of}));
      }
    }
  }

  void answer_update(std::uint16_t number) {
    REQUIRE(used_.insert(number).second);  // once under the same keys
    numbers_.insert(number);
    const Captured sent{keys_, test::registration(number, node::test::kA1.care_of)};
    captured_.push_back(sent);
    const auto actions = agent_->run(sent.update);
    const auto* answer = test::find_action<agent::SendAcknowledgement>(actions);
    REQUIRE(answer);
    REQUIRE(answer->acknowledgement.status == Status::kAccepted);
    perform(node_.give(node::AcknowledgementReceived{answer->acknowledgement}));
  }

  // What was kept under other keys is of no use: ESP refuses it.
  void replay(std::size_t back) {
    if (back > captured_.size()) return;
    const auto& old = captured_[captured_.size() - back];
    if (old.keys != keys_) return;
    const auto actions = agent_->run(old.update);
    const auto* answer = test::find_action<agent::SendAcknowledgement>(actions);
    REQUIRE(answer);
    REQUIRE(answer->acknowledgement.status == Status::kSequenceNumberOutOfWindow);
  }

  void restart_node() {
    node_.core = node::HomeRegistration{node::Policy{node::test::kHomeAddress, node::test::kHomeAgent, 420s, true},
                                        *node_.stored};
    perform(node_.give(node::KeysUsable{true, false, node::test::kA1.care_of}));
    perform(node_.give(node::Attached{node::test::kA1, false}));
  }

  void restart_agent() {
    const auto records = agent_->core.records();
    agent_ = std::make_unique<test::Harness>();
    agent_->core.restore(records, test::kUnixNow, agent_->now);
  }

  // A node whose disk remembers.
  struct Node : node::test::Node {
    Node() : node::test::Node{kFirst} {}
    node::test::Actions give(const node::Event& event) {
      disk_answers = false;
      node::test::Actions result;
      for (auto& action : node::test::Node::give(event)) {
        const auto* reserve = std::get_if<node::ReserveSequence>(&action);
        if (!reserve) {
          result.push_back(std::move(action));
          continue;
        }
        stored = SequenceState{reserve->end, reserve->first_under_keys};
        for (auto& later : give(node::SequenceReserved{reserve->end})) result.push_back(std::move(later));
      }
      return result;
    }
    std::optional<SequenceState> stored;
  };

  Node node_;
  std::unique_ptr<test::Harness> agent_ = std::make_unique<test::Harness>();
  int keys_ = 0;
  std::set<std::uint16_t> used_, numbers_;
  std::vector<Captured> captured_;
};

}  // namespace

TEST_CASE("all 65,536 numbers are used in turn, none twice under the same keys, and no kept update is accepted again",
          "[sequence]") {
  const bool crashes = GENERATE(false, true);
  WholeSpace whole;
  for (int round = 1; whole.sent() < kUpdates; ++round) whole.refresh(round, crashes);
  // A node that starts skips what was reserved.
  CHECK(whole.distinct_numbers() >= (crashes ? 65'536 - 70 * SequenceReservation::kBlockSize : 65'536));
  CHECK(whole.renewals() >= 2);
}

}  // namespace mip6
