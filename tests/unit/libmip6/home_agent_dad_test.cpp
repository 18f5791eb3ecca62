// Duplicate address detection by the home agent: before a first registration, and what comes while it runs.
#include "tests/catch.hpp"
#include "tests/unit/libmip6/home_agent_harness.hpp"

using namespace mip6;
using namespace mip6::test;

TEST_CASE("before a first registration the home address is probed for a duplicate", "[agent]") {
  Harness agent{default_policy()};
  const auto probing = agent.run(registration(1, kCareOf1));
  REQUIRE(probing.size() == 1);
  CHECK(std::get<StartDad>(probing[0]).home_address == kHome);
  CHECK_FALSE(std::get<StartDad>(probing[0]).link_local);
  agent.now += 1s;
  const auto done = agent.run(DadFinished{kHome, false});
  CHECK(answered(done) == Status::kAccepted);
  CHECK(agent.core.next_deadline() == agent.now + 420s);
  CHECK(agent.core.find(kHome)->expires_unix == kUnixNow + 421);
}

TEST_CASE("the link-local address is probed and defended with L set", "[agent]") {
  Harness agent{default_policy()};
  auto update = registration(1, kCareOf1);
  update.update.link_local = true;
  CHECK(find_action<StartDad>(agent.run(update))->link_local);
  CHECK(find_action<InstallBinding>(agent.run(DadFinished{kHome, false}))->link_local);
  CHECK(agent.core.find(kHome)->link_local);
}

TEST_CASE("a home address that another node has is refused: 134", "[agent]") {
  Harness agent{default_policy()};
  agent.run(registration(1, kCareOf1));
  const auto actions = agent.run(DadFinished{kHome, true});
  CHECK(answered(actions) == Status::kDuplicateAddressDetectionFailed);
  CHECK(find_action<SendAcknowledgement>(actions)->care_of == kCareOf1);
  CHECK(count_of<StoreRecord>(actions) == 0);
  CHECK(agent.core.find(kHome) == nullptr);
  // The next attempt is probed again.
  CHECK(find_action<StartDad>(agent.run(registration(2, kCareOf1))) != nullptr);
}

TEST_CASE("a node with a binding is not probed", "[agent]") {
  Harness agent{default_policy()};
  agent.run(registration(1, kCareOf1));
  agent.run(DadFinished{kHome, false});
  CHECK(answered(agent.run(registration(2, kCareOf2))) == Status::kAccepted);
}

TEST_CASE("a node with a binding that asks for its link-local address only now is probed", "[agent]") {
  Harness agent{default_policy()};
  agent.run(registration(1, kCareOf1));
  agent.run(DadFinished{kHome, false});
  auto update = registration(2, kCareOf1);
  update.update.link_local = true;
  CHECK(find_action<StartDad>(agent.run(update))->link_local);
  CHECK(answered(agent.run(DadFinished{kHome, true})) == Status::kDuplicateAddressDetectionFailed);
  CHECK_FALSE(agent.core.find(kHome)->link_local);
  CHECK(agent.core.find(kHome)->care_of == kCareOf1);
  update.update.sequence = SequenceNumber{3};
  agent.run(update);
  CHECK(find_action<InstallBinding>(agent.run(DadFinished{kHome, false}))->link_local);
  update.update.sequence = SequenceNumber{4};
  CHECK(answered(agent.run(update)) == Status::kAccepted);
}

TEST_CASE("a node that left home again is probed again", "[agent]") {
  Harness agent{default_policy()};
  agent.run(registration(1, kCareOf1));
  agent.run(DadFinished{kHome, false});
  agent.run(deregistration_at_home(2));
  CHECK(find_action<StartDad>(agent.run(registration(3, kCareOf1))) != nullptr);
}

TEST_CASE("of updates that arrive during the probe the newest is acknowledged", "[agent]") {
  Harness agent{default_policy()};
  agent.run(registration(1, kCareOf1));
  CHECK(agent.run(registration(3, kCareOf2)).empty());
  // Overtaken on the way, and repeated by the network.
  CHECK(count_of<SendAcknowledgement>(agent.run(registration(2, kCareOf1))) == 0);
  CHECK(count_of<SendAcknowledgement>(agent.run(registration(3, kCareOf2))) == 0);
  const auto actions = agent.run(DadFinished{kHome, false});
  REQUIRE(count_of<SendAcknowledgement>(actions) == 1);
  CHECK(find_action<SendAcknowledgement>(actions)->acknowledgement.sequence == SequenceNumber{3});
  CHECK(agent.core.find(kHome)->care_of == kCareOf2);
}

TEST_CASE("a probe without an answer is started again by a later update", "[agent]") {
  Harness agent{default_policy()};
  agent.run(registration(1, kCareOf1));
  agent.now += kDadTimeout - 1ns;
  CHECK(agent.run(registration(2, kCareOf1)).empty());
  agent.now += 1ns;
  CHECK(find_action<StartDad>(agent.run(registration(3, kCareOf1))) != nullptr);
}

TEST_CASE("a node that returns home during the probe is not registered by its end", "[agent]") {
  Harness agent{default_policy()};
  agent.run(registration(1, kCareOf1));
  const auto actions = agent.run(deregistration_at_home(2));
  CHECK(answered(actions) == Status::kAccepted);
  CHECK(agent.run(DadFinished{kHome, false}).empty());
  CHECK_FALSE(agent.core.find(kHome)->care_of);
  CHECK(answered(agent.run(registration(1, kCareOf1))) == Status::kSequenceNumberOutOfWindow);
}
