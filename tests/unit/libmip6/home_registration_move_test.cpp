// Home registration: moves, returning home, and what happens to payload and keys.
#include "tests/unit/libmip6/registration_harness.hpp"

using namespace mip6;
using namespace mip6::node;
using namespace mip6::node::test;

TEST_CASE("without keys the node asks for them from where it is, and registers once they come", "[registration]") {
  Node node;
  const auto actions = node.give(Attached{kA1, false});
  CHECK(order(actions) == "UseAttachment NeedKeys");
  CHECK(only<NeedKeys>(actions).attachment == kA1);
  CHECK(node.core.state() == State::kWaitingForKeys);
  CHECK(order(node.give(KeysUsable{true, true, {}})) == "SendUpdate");
  CHECK(node.core.state() == State::kRegistering);
}

TEST_CASE("a home registration has A and H, the lifetime, and the care-of address in an option", "[registration]") {
  Node node;
  const bool dynamic = GENERATE(true, false);
  node.give(KeysUsable{dynamic, true, {}});
  const auto update = only<SendUpdate>(node.give(Attached{kA1, false})).update;
  CHECK(update.sequence == SequenceNumber{1000});
  CHECK(update.acknowledge);
  CHECK(update.home_registration);
  CHECK_FALSE(update.link_local);
  CHECK(update.key_mobility == dynamic);
  CHECK(update.lifetime == 420s);
  REQUIRE(find_option<AlternateCareOfAddress>(update.options));
  CHECK(find_option<AlternateCareOfAddress>(update.options)->care_of == kA1.care_of);
}

TEST_CASE("the L flag is set as the policy says", "[registration]") {
  HomeRegistration core{Policy{kHomeAddress, kHomeAgent, 420s, true}, SequenceState{SequenceNumber{7}}};
  core.handle(KeysUsable{true, true, {}}, BootTime{1s});
  core.handle(SequenceReserved{SequenceNumber{71}}, BootTime{1s});
  CHECK(only<SendUpdate>(core.handle(Attached{kA1, false}, BootTime{1s})).update.link_local);
}

TEST_CASE("the first acknowledgement switches the payload on and says what was granted", "[registration]") {
  Node node;
  node.give(Attached{kA1, false});
  node.give(KeysUsable{true, true, {}});
  node.now += 40ms;
  const auto actions = node.acknowledge(Status::kAccepted, 400s);
  CHECK(order(actions) == "SwitchOutbound Registered");
  const auto registered = only<Registered>(actions);
  CHECK(registered.attachment == kA1);
  CHECK(registered.sequence == SequenceNumber{1000});
  CHECK(registered.lifetime == 400s);
  CHECK(registered.key_mobility);
  CHECK(registered.took == 40ms);
  CHECK(node.core.state() == State::kRegistered);
  CHECK(node.core.registered_at() == kA1);
}

TEST_CASE("in a hard move update, payload and our end of the keys change over at once, the other end's later",
          "[registration]") {
  Node node;
  node.register_at(kA1);
  const auto moved = node.give(Attached{kA2, false});
  CHECK(order(moved) == "UseAttachment SendUpdate SwitchOutbound MoveOwnKeys");
  CHECK(only<MoveOwnKeys>(moved).attachment == kA2);
  const auto actions = node.acknowledge();
  CHECK(order(actions) == "MoveKeys Registered");
  CHECK(only<MoveKeys>(actions).attachment == kA2);
}

TEST_CASE("in a soft move the payload changes over at the acknowledgement", "[registration]") {
  Node node;
  node.register_at(kA1);
  CHECK(order(node.give(Attached{kA2, true})) == "UseAttachment SendUpdate");
  CHECK(order(node.acknowledge()) == "SwitchOutbound MoveKeys Registered");
}

TEST_CASE("with K clear in the acknowledgement the keys are renewed", "[registration]") {
  Node node;
  node.register_at(kA1);
  const bool soft = GENERATE(true, false);
  node.give(Attached{kA2, soft});
  const auto actions = node.acknowledge(Status::kAccepted, 420s, false);
  const auto renew = only<RenewKeys>(actions);
  CHECK(renew.attachment == kA2);
  CHECK(renew.previous_usable == soft);
  CHECK(all<MoveKeys>(actions).empty());
  CHECK_FALSE(node.core.key_mobility());
}

TEST_CASE("K in the acknowledgement counts only if the update had it", "[registration]") {
  Node node;
  node.give(KeysUsable{false, false, kA1.care_of});
  node.give(Attached{kA2, false});
  CHECK(order(node.acknowledge()) == "SwitchOutbound RenewKeys Registered");
}

TEST_CASE("keys that have moved are renewed when the home agent says later that its end did not", "[registration]") {
  Node node;
  node.register_at(kA1);
  const auto refused = [&node] {
    node.give(RefreshAsked{});
    auto actions = node.acknowledge(Status::kAccepted, 420s, false);
    node.wait(2s);
    return actions;
  };
  CHECK(order(refused()) == "Registered");  // established from here
  node.give(Attached{kA2, true});
  CHECK(order(node.acknowledge()) == "SwitchOutbound MoveKeys Registered");
  node.wait(2s);
  const auto renew = only<RenewKeys>(refused());
  CHECK(renew.attachment == kA2);
  CHECK(renew.left_behind);
  CHECK(renew.previous_usable);
  CHECK(order(refused()) == "Registered");  // asked for once
  node.give(KeysUsable{true, true, kA2.care_of});
  CHECK(order(refused()) == "Registered");
}

TEST_CASE("keys are renewed without K where the home agent's end may be elsewhere", "[registration]") {
  Node node;
  const auto renewed = [](const std::vector<Action>& actions) {
    const auto renewals = all<RenewKeys>(actions);
    return renewals.size() == 1 && renewals.front().left_behind && renewals.front().attachment == kA1;
  };
  const auto refused = [&node] { return node.acknowledge(Status::kAccepted, 420s, false); };
  const auto refused_refresh = [&] {
    node.wait(2s);
    node.give(RefreshAsked{});
    return refused();
  };
  SECTION("keys of a former process, which may have moved its own end") {
    const bool k = GENERATE(true, false);
    node.give(KeysUsable{k, false, kA1.care_of});
    node.give(Attached{kA1, false});
    CHECK(renewed(refused()));
    node.give(KeysUsable{k, true, kA1.care_of});
    CHECK(all<RenewKeys>(refused_refresh()).empty());
  }
  SECTION("not new ones") {
    node.give(Attached{kA1, false});
    node.give(KeysUsable{true, true, kA1.care_of});
    CHECK(all<RenewKeys>(refused()).empty());
    SECTION("nor is K expected of an agent without it: back before any answer nothing has moved") {
      node.wait(2s);
      node.give(Attached{kA2, true});
      node.give(Attached{kA1, true});
      CHECK(all<RenewKeys>(refused()).empty());
    }
  }
  SECTION("back from where an update with K found no answer") {
    node.register_at(kA1);
    node.give(Attached{kA2, true});
    node.give(Attached{kA1, true});
    CHECK(renewed(refused()));
    CHECK(all<RenewKeys>(refused_refresh()).empty());
  }
  SECTION("not if K is agreed from here again") {
    node.register_at(kA1);
    node.give(Attached{kA2, true});
    node.give(Attached{kA1, true});
    CHECK(all<RenewKeys>(node.acknowledge()).empty());
    CHECK(all<RenewKeys>(refused_refresh()).empty());
  }
}

TEST_CASE("keys that were set by hand are neither moved nor renewed", "[registration]") {
  Node node;
  node.give(Attached{kA1, false});
  node.give(KeysUsable{.can_migrate = false, .fresh = false, .endpoint = {}, .dynamic = false});
  CHECK(order(node.acknowledge(Status::kAccepted, 420s, false)) == "SwitchOutbound Registered");
  const bool soft = GENERATE(true, false);
  // Hard, the payload changes over at once; soft, with the acknowledgement.
  CHECK(order(node.give(Attached{kA2, soft})) ==
        (soft ? "UseAttachment SendUpdate" : "UseAttachment SendUpdate SwitchOutbound"));
  CHECK(order(node.acknowledge(Status::kAccepted, 420s, false)) == (soft ? "SwitchOutbound Registered" : "Registered"));
}

TEST_CASE("payload that changes over tells whether some may still come to the address before", "[registration]") {
  Node node;
  node.register_at(kA1);
  CHECK(only<SwitchOutbound>(node.give(Attached{kA2, false})).previous_usable == false);
  node.acknowledge();
  node.give(Attached{kA3, true});
  SECTION("which was there until now") { CHECK(only<SwitchOutbound>(node.acknowledge()).previous_usable); }
  SECTION("which has gone before the answer came") {
    CHECK_FALSE(only<SwitchOutbound>(node.give(Attached{kA1, false})).previous_usable);
  }
  SECTION("and another router of the link changes nothing of that") {
    auto other_router = kA3;
    other_router.gateway = address("fe80::99");
    node.give(Attached{other_router, true});
    CHECK(only<SwitchOutbound>(node.acknowledge()).previous_usable);
  }
}

TEST_CASE("keys whose endpoint is here already stay", "[registration]") {
  Node node;
  node.register_at(kA1);
  node.give(Attached{kA2, true});
  node.give(Attached{kA1, true});
  CHECK(order(node.acknowledge()) == "Registered");
}

TEST_CASE("after a restart keys with an unknown endpoint are moved, with a known one only if need be",
          "[registration]") {
  Node node;
  node.give(KeysUsable{true, false, {}});
  node.give(Attached{kA1, false});
  CHECK(order(node.acknowledge()) == "SwitchOutbound MoveKeys Registered");
}

TEST_CASE("keys found where the node was before its last move follow it then", "[registration]") {
  const bool agreed = GENERATE(true, false);
  Node node;
  node.register_at(kA1);
  node.give(Attached{kA2, false});
  node.acknowledge(Status::kAccepted, 420s, agreed);
  CHECK(order(node.give(KeysUsable{true, false, kA1.care_of})) == (agreed ? "MoveKeys" : "RenewKeys"));
  CHECK(node.give(KeysUsable{true, false, kA2.care_of}).empty());
  SECTION("not while an update is outstanding, whose answer tells what is to be done") {
    node.give(Attached{kA3, false});
    CHECK(node.give(KeysUsable{true, false, kA1.care_of}).empty());
  }
}

TEST_CASE("new keys agreed from where the node was before its last move are told of to the home agent",
          "[registration]") {
  Node node;
  node.register_at(kA1);
  SECTION("with an update, where there is a binding") {
    node.give(Attached{kA2, false});
    node.acknowledge();
    node.wait(2s);
    CHECK(order(node.give(KeysUsable{true, true, kA1.care_of})) == "SendUpdate");
    CHECK(order(node.acknowledge()) == "MoveKeys Registered");
  }
  SECTION("at home they are made anew") {
    node.give(Attached{kHome, false});
    node.acknowledge(Status::kAccepted, 0s);
    node.wait(2s);
    CHECK(order(node.give(KeysUsable{true, true, kA1.care_of})) == "RenewKeys");
  }
}

TEST_CASE("our own end is moved again where the kernel refused it", "[registration]") {
  Node node;
  node.register_at(kA1);
  node.give(Attached{kA2, true});
  node.acknowledge();
  REQUIRE(order(node.give(Attached{kA3, false})) == "UseAttachment SendUpdate SwitchOutbound MoveOwnKeys");
  node.give(OwnKeysStayed{});
  node.wait(2s);
  node.give(Attached{kA2, true});
  CHECK(order(node.acknowledge()) == "SwitchOutbound MoveOwnKeys Registered");
  node.wait(2s);
  node.give(RefreshAsked{});
  CHECK(order(node.acknowledge()) == "Registered");
}

TEST_CASE("a renewal of keys that was given up is asked for again", "[registration]") {
  Node node;
  node.register_at(kA1);
  const auto refused = [&node] { return order(node.acknowledge(Status::kAccepted, 420s, false)); };
  node.give(Attached{kA2, false});
  CHECK(refused() == "RenewKeys Registered");
  node.wait(2s);
  node.give(Attached{kA1, true});
  CHECK(node.give(KeysUsable{true, false, kA1.care_of}).empty());  // those from here are good again
  SECTION("at the next move") {
    node.give(Attached{kA2, true});
    CHECK(refused() == "RenewKeys Registered");
  }
  SECTION("not here, but our own end is moved back") { CHECK(refused() == "SwitchOutbound MoveOwnKeys Registered"); }
}

TEST_CASE("an address that a later hard move killed is not called usable when keys are renewed", "[registration]") {
  Node node;
  node.register_at(kA1);
  node.give(Attached{kA2, true});
  node.give(Attached{kA3, false});
  CHECK_FALSE(only<RenewKeys>(node.acknowledge(Status::kAccepted, 420s, false)).previous_usable);
}

TEST_CASE("home: de-registration first, then payload, announcement and keys", "[registration]") {
  Node node;
  node.register_at(kA1);
  const auto moved = node.give(Attached{kHome, false});
  CHECK(order(moved) == "UseAttachment SendUpdate MoveOwnKeys");
  const auto update = only<SendUpdate>(moved).update;
  CHECK(update.lifetime == 0s);
  CHECK(update.acknowledge);
  CHECK(update.home_registration);
  CHECK(find_option<AlternateCareOfAddress>(update.options)->care_of == kHomeAddress);
  CHECK(node.core.state() == State::kDeregistering);
  const auto done = node.acknowledge(Status::kAccepted, 0s);
  CHECK(order(done) == "SwitchOutbound AnnounceHomeAddress MoveKeys Registered");
  CHECK(only<Registered>(done).lifetime == 0s);
  CHECK(node.core.state() == State::kAtHome);
  CHECK_FALSE(node.core.next_deadline());
}

TEST_CASE("at home without any binding known the node de-registers, and 'not home agent' is success",
          "[registration]") {
  Node node;
  CHECK(order(node.give(Attached{kHome, false})) == "UseAttachment NeedKeys");
  const auto update = only<SendUpdate>(node.give(KeysUsable{true, true, kHomeAddress})).update;
  CHECK(update.lifetime == 0s);
  CHECK(order(node.acknowledge(Status::kNotHomeAgentForThisNode, 0s)) ==
        "SwitchOutbound AnnounceHomeAddress Registered");
}

TEST_CASE("leaving home stops the payload until the registration stands, whatever the kind of move", "[registration]") {
  Node node;
  node.register_at(kHome);
  const bool soft = GENERATE(true, false);
  CHECK(order(node.give(Attached{kA1, soft})) ==
        (soft ? "UseAttachment StopOutbound SendUpdate" : "UseAttachment StopOutbound SendUpdate MoveOwnKeys"));
  CHECK(order(node.acknowledge()) == "SwitchOutbound MoveKeys Registered");
}

TEST_CASE("leaving home before the answer after a restart there stops the payload of the former process",
          "[registration]") {
  Node node;
  node.give(KeysUsable{true, false, {}});
  node.give(Attached{kHome, false});
  CHECK(order(node.give(Attached{kA1, true})) == "UseAttachment StopOutbound SendUpdate");
}

TEST_CASE("the same attachment again is no news, another router for it is no registration", "[registration]") {
  Node node;
  node.register_at(kA1);
  CHECK(node.give(Attached{kA1, true}).empty());
  auto other_router = kA1;
  other_router.gateway = address("fe80::beef");
  CHECK(order(node.give(Attached{other_router, true})) == "UseAttachment SwitchOutbound");
  CHECK(node.core.registered_at() == other_router);
  CHECK(node.core.state() == State::kRegistered);
}

TEST_CASE("after a detachment every attachment is a hard move, and the binding still counts", "[registration]") {
  Node node;
  node.register_at(kA1);
  CHECK(node.give(Detached{}).empty());
  CHECK(node.core.state() == State::kDetached);
  CHECK(node.core.expires());
  CHECK(order(node.give(Attached{kA2, true})) == "UseAttachment SendUpdate SwitchOutbound MoveOwnKeys");
}

TEST_CASE("back from a hard move before its answer our end of the keys comes back too", "[registration]") {
  Node node;
  node.register_at(kA1);
  CHECK(only<MoveOwnKeys>(node.give(Attached{kA2, false})).attachment == kA2);
  SECTION("by a hard move: at once") {
    CHECK(only<MoveOwnKeys>(node.give(Attached{kA1, false})).attachment == kA1);
    CHECK(order(node.acknowledge()) == "Registered");
  }
  SECTION("at once also if key management has not heard of the move") {
    node.give(KeysUsable{true, true, kA1.care_of});
    CHECK(only<MoveOwnKeys>(node.give(Attached{kA1, false})).attachment == kA1);
  }
  SECTION("by a soft move: with the answer") {
    CHECK(all<MoveOwnKeys>(node.give(Attached{kA1, true})).empty());
    CHECK(order(node.acknowledge()) == "SwitchOutbound MoveOwnKeys Registered");
  }
}

TEST_CASE("back at the care-of address where the keys are, they stay", "[registration]") {
  Node node;
  node.register_at(kA1);
  node.give(Detached{});
  CHECK(order(node.give(Attached{kA1, true})) == "UseAttachment SendUpdate SwitchOutbound");
}

TEST_CASE("home again after a detachment the way of the payload is set again", "[registration]") {
  Node node;
  node.register_at(kHome);
  node.give(Detached{});
  node.give(Attached{kHome, false});
  SECTION("acknowledged") {
    CHECK(order(node.acknowledge(Status::kAccepted, 0s)) == "SwitchOutbound AnnounceHomeAddress Registered");
  }
  SECTION("left before the answer") {
    CHECK(order(node.give(Attached{kA1, false})) == "UseAttachment StopOutbound SendUpdate MoveOwnKeys");
  }
}

TEST_CASE("a binding that expires while detached stops the payload", "[registration]") {
  Node node;
  node.register_at(kA1);
  node.give(Detached{});
  CHECK(order(node.next()) == "StopOutbound");
  CHECK_FALSE(node.core.registered_at());
  CHECK_FALSE(node.core.next_deadline());
  CHECK(order(node.give(Attached{kA2, false})) == "UseAttachment SendUpdate MoveOwnKeys");
}

TEST_CASE("keys that vanish are asked for again from here; updates wait for them", "[registration]") {
  Node node;
  node.register_at(kA1);
  CHECK(only<NeedKeys>(node.give(KeysUnusable{})).attachment == kA1);
  CHECK(node.core.state() == State::kRegistered);
  CHECK(all<SendUpdate>(node.give(Attached{kA2, false})).empty());
  CHECK(order(node.give(KeysUsable{true, true, kA2.care_of})) == "SendUpdate");
}

TEST_CASE("fresh keys after there were none: the binding may be gone with the former ones, and is asked for",
          "[registration]") {
  Node node;
  node.register_at(kA1);
  SECTION("registered") {
    node.give(KeysUnusable{});
    CHECK(only<SendUpdate>(node.give(KeysUsable{true, true, kA1.care_of})).update.lifetime == 420s);
    node.acknowledge();
    CHECK(node.core.state() == State::kRegistered);
  }
  SECTION("the same keys as before") {
    node.give(KeysUnusable{});
    CHECK(all<SendUpdate>(node.give(KeysUsable{true, false, kA1.care_of})).empty());
  }
  SECTION("the former ones are still there") {
    CHECK(all<SendUpdate>(node.give(KeysUsable{true, true, kA1.care_of})).empty());
  }
  SECTION("at home") {
    node.give(Attached{kHome, false});
    node.acknowledge(Status::kAccepted, 0s);
    REQUIRE(node.core.state() == State::kAtHome);
    node.wait(2s);
    node.give(KeysUnusable{});
    CHECK(all<SendUpdate>(node.give(KeysUsable{true, true, kHome.care_of})).empty());
  }
  SECTION("between two networks") {
    node.give(Detached{});
    node.give(KeysUnusable{});
    CHECK(all<SendUpdate>(node.give(KeysUsable{true, true, kA1.care_of})).empty());
  }
}

TEST_CASE("another interface or router at home: the home agent has to say that this is the home link, too",
          "[registration]") {
  Node node;
  node.register_at(kHome);
  auto other = kHome;
  SECTION("interface") { other.interface = 9; }
  SECTION("router") { other.gateway = address("fe80::beef"); }
  const auto actions = node.give(Attached{other, GENERATE(true, false)});
  CHECK(order(actions) == "UseAttachment SendUpdate");
  CHECK(only<SendUpdate>(actions).update.lifetime == 0s);
  CHECK(node.core.state() == State::kDeregistering);
  const auto agreed = node.acknowledge(Status::kNotHomeAgentForThisNode, 0s);
  CHECK(order(agreed) == "SwitchOutbound AnnounceHomeAddress Registered");
  CHECK(only<AnnounceHomeAddress>(agreed).attachment == other);
}

TEST_CASE("before the home agent has agreed nothing is announced, whatever else claims to be the home link",
          "[registration]") {
  Node node;
  node.register_at(kA1);
  node.give(Attached{kHome, true});
  auto other = kHome;
  other.interface = 9;
  CHECK(order(node.give(Attached{other, true})) == "UseAttachment SendUpdate");
  CHECK(only<AnnounceHomeAddress>(node.acknowledge(Status::kAccepted, 0s)).attachment == other);
}
