// The K flag on the home agent's side (RFC 6275 sections 10.3.1 and 10.3.2).
#include "tests/catch.hpp"
#include "tests/unit/libmip6/home_agent_harness.hpp"

using namespace mip6;
using namespace mip6::test;

namespace {

bool agreed(const std::vector<Action>& actions) {
  const auto* sent = find_action<SendAcknowledgement>(actions);
  return sent != nullptr && sent->acknowledgement.key_mobility;
}

bool keys_untouched(const std::vector<Action>& actions) {
  return count_of<MoveKeys>(actions) == 0 && count_of<ReplaceKeys>(actions) == 0;
}

}  // namespace

TEST_CASE("K is agreed if it was asked, is our policy, and the keys are dynamic", "[agent][keys]") {
  Harness agent;
  CHECK(agreed(agent.run(registration(1, kCareOf1))));
  CHECK(agent.core.find(kHome)->key_mobility);
}

TEST_CASE("K is clear if it was not asked", "[agent][keys]") {
  Harness agent;
  CHECK_FALSE(agreed(agent.run(without_key_mobility(registration(1, kCareOf1)))));
  CHECK_FALSE(agent.core.find(kHome)->key_mobility);
}

TEST_CASE("K agreed and K refused are counted, of those that asked for it", "[agent][keys]") {
  auto policy = without_dad();
  const bool agrees = GENERATE(true, false);
  policy.key_mobility = agrees;
  Harness agent{policy};
  agent.run(registration(1, kCareOf1));
  agent.run(without_key_mobility(registration(2, kCareOf1)));
  agent.run(registration(2, kCareOf1));  // a replay, refused for that
  CHECK(agent.core.counters().key_mobility_agreed == (agrees ? 1 : 0));
  CHECK(agent.core.counters().key_mobility_refused == (agrees ? 0 : 1));
}

TEST_CASE("K is clear if our policy refuses it", "[agent][keys]") {
  auto policy = without_dad();
  policy.key_mobility = false;
  Harness agent{policy};
  CHECK_FALSE(agreed(agent.run(registration(1, kCareOf1))));
}

TEST_CASE("with manual keys K is clear and no keys are touched", "[agent][keys]") {
  Harness agent;
  for (std::uint16_t sequence = 1; sequence < 4; ++sequence) {
    const auto actions = agent.run(from(kManualHome, registration(sequence, sequence == 2 ? kCareOf2 : kCareOf1)));
    CHECK(answered(actions) == Status::kAccepted);
    CHECK_FALSE(agreed(actions));
    CHECK(keys_untouched(actions));
  }
}

TEST_CASE("K agreed, the keys move to the new care-of address", "[agent][keys]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  const auto actions = agent.run(registration(2, kCareOf2));
  REQUIRE(count_of<MoveKeys>(actions) == 1);
  CHECK(find_action<MoveKeys>(actions)->home_address == kHome);
  CHECK(find_action<MoveKeys>(actions)->care_of == kCareOf2);
  CHECK(count_of<ReplaceKeys>(actions) == 0);
}

TEST_CASE("K refused, the keys to the old care-of address are replaced", "[agent][keys]") {
  Harness agent;
  agent.run(without_key_mobility(registration(1, kCareOf1)));
  const auto actions = agent.run(without_key_mobility(registration(2, kCareOf2)));
  REQUIRE(count_of<ReplaceKeys>(actions) == 1);
  CHECK(find_action<ReplaceKeys>(actions)->care_of == kCareOf2);
  CHECK(count_of<MoveKeys>(actions) == 0);
}

TEST_CASE("K is promised when the keys have moved, and not before", "[agent][keys]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  agent.handle(registration(2, kCareOf2));
  const auto stored = agent.handle(RecordStored{kHome, true});
  CHECK(count_of<MoveKeys>(stored) == 1);
  CHECK(position_of<InstallBinding>(stored) < position_of<MoveKeys>(stored));
  CHECK(count_of<SendAcknowledgement>(stored) == 0);
  CHECK(agreed(agent.handle(KeysMoved{kHome, true})));
  CHECK(agent.handle(KeysMoved{kHome, true}).empty());
}

TEST_CASE("keys that cannot move: the acknowledgement of that very update is without K, and they are replaced",
          "[agent][keys]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  agent.keys_movable = false;
  const auto actions = agent.run(registration(2, kCareOf2));
  CHECK(answered(actions) == Status::kAccepted);
  CHECK_FALSE(agreed(actions));
  REQUIRE(count_of<ReplaceKeys>(actions) == 1);
  CHECK(find_action<ReplaceKeys>(actions)->care_of == kCareOf2);
  CHECK_FALSE(agent.core.find(kHome)->key_mobility);
  CHECK(count_of<StoreRecord>(actions) == 2);
  const auto last = std::find_if(actions.rbegin(), actions.rend(),
                                 [](const auto& one) { return std::holds_alternative<StoreRecord>(one); });
  REQUIRE(last != actions.rend());
  CHECK(std::get<StoreRecord>(*last).record == *agent.core.find(kHome));
  CHECK(agent.core.counters().key_mobility_agreed == 1);
  CHECK(agent.core.counters().key_mobility_refused == 1);
  const auto refresh = agent.run(registration(3, kCareOf2));
  CHECK_FALSE(agreed(refresh));
  CHECK(keys_untouched(refresh));
}

TEST_CASE("an update that comes while the keys move waits for them, and the newest alone", "[agent][keys]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  agent.handle(registration(2, kCareOf2));
  agent.handle(RecordStored{kHome, true});
  CHECK(count_of<StoreRecord>(agent.handle(registration(3, kCareOf1))) == 0);
  CHECK(count_of<StoreRecord>(agent.handle(registration(4, kCareOf2))) == 0);
  const auto moved = agent.handle(KeysMoved{kHome, true});
  CHECK(count_of<SendAcknowledgement>(moved) == 1);
  REQUIRE(count_of<StoreRecord>(moved) == 1);
  CHECK(find_action<StoreRecord>(moved)->record.sequence == SequenceNumber{4});
}

TEST_CASE("a binding that ends while the keys move is not promised", "[agent][keys]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  agent.handle(registration(2, kCareOf2));
  agent.handle(RecordStored{kHome, true});
  CHECK(count_of<RemoveBinding>(agent.handle(HomePrefixesChanged{{}})) == 1);
  const bool possible = GENERATE(true, false);
  CHECK(agent.handle(KeysMoved{kHome, possible}).empty());
  CHECK_FALSE(agent.core.find(kHome)->care_of);
}

TEST_CASE("service that ends while the keys move: nobody is answered", "[agent][keys]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  agent.handle(registration(2, kCareOf2));
  agent.handle(RecordStored{kHome, true});
  CHECK(count_of<RemoveBinding>(agent.handle(ServiceEnded{kHome})) == 1);
  CHECK(agent.handle(KeysMoved{kHome, true}).empty());
}

TEST_CASE("a refresh at the same care-of address touches no keys", "[agent][keys]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  CHECK(keys_untouched(agent.run(registration(2, kCareOf1))));
  CHECK(keys_untouched(agent.run(without_key_mobility(registration(3, kCareOf1)))));
  CHECK(keys_untouched(agent.run(registration(4, kCareOf1))));
}

TEST_CASE("at a first registration without K the keys that it came with are left alone", "[agent][keys]") {
  Harness agent;
  agent.run(KeysRenewed{kHome, kCareOf1});
  CHECK(keys_untouched(agent.run(without_key_mobility(registration(1, kCareOf1)))));
}

TEST_CASE("without K, keys of which nobody knows where they are must be from here or be replaced", "[agent][keys]") {
  Harness agent;
  const auto actions = agent.run(without_key_mobility(registration(1, kCareOf1)));
  REQUIRE(count_of<ReplaceKeys>(actions) == 1);
  CHECK(find_action<ReplaceKeys>(actions)->care_of == kCareOf1);
  CHECK(keys_untouched(agent.run(without_key_mobility(registration(2, kCareOf1)))));
}

TEST_CASE("a de-registration that ends nothing has keys from elsewhere replaced", "[agent][keys]") {
  Harness agent;
  agent.run(KeysRenewed{kHome, kCareOf1});
  const auto actions = agent.run(deregistration_at_home(1));
  CHECK(answered(actions) == Status::kNotHomeAgentForThisNode);
  CHECK(count_of<MoveKeys>(actions) == 0);
  REQUIRE(count_of<ReplaceKeys>(actions) == 1);
  CHECK(find_action<ReplaceKeys>(actions)->care_of == kHome);
}

TEST_CASE("at a first registration with K the keys move from wherever they were", "[agent][keys]") {
  Harness agent;
  CHECK(find_action<MoveKeys>(agent.run(registration(1, kCareOf1)))->care_of == kCareOf1);
}

TEST_CASE("at home the keys go to the home address", "[agent][keys]") {
  Harness moved;
  moved.run(registration(1, kCareOf1));
  const auto actions = moved.run(deregistration_at_home(2));
  CHECK(agreed(actions));
  CHECK(find_action<MoveKeys>(actions)->care_of == kHome);
  Harness replaced;
  replaced.run(registration(1, kCareOf1));
  const auto others = replaced.run(without_key_mobility(deregistration_at_home(2)));
  CHECK_FALSE(agreed(others));
  CHECK(find_action<ReplaceKeys>(others)->care_of == kHome);
}

TEST_CASE("a de-registration sent again touches no keys", "[agent][keys]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  agent.run(without_key_mobility(deregistration_at_home(2)));
  CHECK(keys_untouched(agent.run(without_key_mobility(deregistration_at_home(3)))));
}

TEST_CASE("leaving home again without K the keys to the home address are replaced", "[agent][keys]") {
  Harness agent;
  agent.run(without_key_mobility(registration(1, kCareOf1)));
  agent.run(without_key_mobility(deregistration_at_home(2)));
  const auto actions = agent.run(without_key_mobility(registration(3, kCareOf1)));
  CHECK(find_action<ReplaceKeys>(actions)->care_of == kCareOf1);
}

TEST_CASE("a node that stopped away from home comes back with keys that are left alone", "[agent][keys]") {
  Harness agent;
  agent.run(without_key_mobility(registration(1, kCareOf1)));
  agent.run(without_key_mobility(deregistration_away(2, kCareOf1)));
  agent.run(KeysRenewed{kHome, kCareOf2});
  CHECK(keys_untouched(agent.run(without_key_mobility(registration(3, kCareOf2)))));
}

TEST_CASE("new keys from the new care-of address need no replacement", "[agent][keys]") {
  Harness agent;
  agent.run(without_key_mobility(registration(1, kCareOf1)));
  agent.run(KeysRenewed{kHome, kCareOf2});
  CHECK(keys_untouched(agent.run(without_key_mobility(registration(2, kCareOf2)))));
}

TEST_CASE("keys that could not be moved clear K from then on, and are replaced", "[agent][keys]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  agent.run(registration(2, kCareOf2));
  agent.run(KeysMoved{kHome, false});
  const auto refresh = agent.run(registration(3, kCareOf2));
  CHECK_FALSE(agreed(refresh));
  CHECK(find_action<ReplaceKeys>(refresh)->care_of == kCareOf2);
  CHECK_FALSE(agreed(agent.run(registration(4, kCareOf1))));
}

TEST_CASE("a node that first leaves home without K has its keys to the home address replaced", "[agent][keys]") {
  Harness agent;
  agent.run(KeysRenewed{kHome, kHome});
  const auto actions = agent.run(without_key_mobility(registration(1, kCareOf1)));
  REQUIRE(count_of<ReplaceKeys>(actions) == 1);
  CHECK(find_action<ReplaceKeys>(actions)->care_of == kCareOf1);
}

TEST_CASE("with new keys K is agreed again", "[agent][keys]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  agent.run(KeysMoved{kHome, false});
  agent.run(KeysRenewed{kHome, kCareOf1});
  CHECK(agreed(agent.run(registration(2, kCareOf2))));
}

TEST_CASE("one node's keys are none of another's", "[agent][keys]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  agent.run(KeysMoved{kHome, false});
  CHECK(agreed(agent.run(from(kOtherHome, registration(1, kCareOf1)))));
}

TEST_CASE("a refusal touches no keys", "[agent][keys]") {
  Harness agent;
  agent.run(registration(1, kCareOf1));
  CHECK(keys_untouched(agent.run(registration(1, kCareOf2))));
  CHECK(keys_untouched(agent.run(registration(2, kCareOf2), false)));
  CHECK(find_action<MoveKeys>(agent.run(registration(3, kCareOf2)))->care_of == kCareOf2);
}

TEST_CASE("a binding that is taken up leaves the keys where they are: the node may have established them anew since",
          "[agent][keys]") {
  Harness agent;
  const auto actions = agent.core.restore({BindingRecord{.home_address = kHome,
                                                         .care_of = kCareOf1,
                                                         .sequence = SequenceNumber{1},
                                                         .key_mobility = true,
                                                         .granted = 420s,
                                                         .expires_unix = kUnixNow + 420}},
                                          kUnixNow, agent.now);
  CHECK(count_of<InstallBinding>(actions) == 1);
  CHECK(keys_untouched(actions));
}

TEST_CASE("after a restart the keys are moved once more: a crash may have come between record and move",
          "[agent][keys]") {
  Harness agent;
  agent.core.restore({BindingRecord{.home_address = kHome,
                                    .care_of = kCareOf1,
                                    .sequence = SequenceNumber{1},
                                    .key_mobility = true,
                                    .granted = 420s,
                                    .expires_unix = kUnixNow + 420}},
                     kUnixNow, agent.now);
  const auto moved = agent.run(registration(2, kCareOf1));
  REQUIRE(find_action<MoveKeys>(moved) != nullptr);
  CHECK(find_action<MoveKeys>(moved)->care_of == kCareOf1);
  CHECK(keys_untouched(agent.run(registration(3, kCareOf1))));
}
