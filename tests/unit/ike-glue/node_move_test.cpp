// NodeKeying: moves with the K flag agreed, and re-establishing without it.
#include <algorithm>

#include "tests/catch.hpp"
#include "tests/unit/ike-glue/node_harness.hpp"

using namespace ike_test;

TEST_CASE("a move that charon followed is confirmed by its list", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(EndpointMoved{kSecond, true});
  CHECK(node.core.endpoint() == kSecond);
  CHECK(node.requests.empty());
  node.pass(200ms);
  Sa moved = node.first;
  moved.local = kSecond;
  REQUIRE(node.list({moved}));
  CHECK(node.count<Step>() == 1);
  CHECK_FALSE(node.core.migration_failed());
  CHECK(node.core.next_deadline() > node.now + 30min);  // to re-key
}

TEST_CASE("a move that charon did not follow ends in a new connection from there", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(EndpointMoved{kSecond, true});
  node.pass(200ms);
  REQUIRE(node.list({node.first}));
  CHECK_FALSE(node.core.migration_failed());
  node.pass(800ms);
  REQUIRE(node.list({node.first}));
  CHECK(node.core.migration_failed());
  CHECK(node.count<Trouble>() == 1);
  REQUIRE(node.last<MoveOwnEndpoint>());
  node.handle(OwnEndpointMoved{});
  CHECK(node.load_and_initiate());
}

TEST_CASE("charon is told once more of a move that it has not followed", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(EndpointMoved{kSecond, true});
  node.pass(200ms);
  REQUIRE(node.list({node.first}));
  REQUIRE(node.count<MoveOwnEndpoint>() == 1);
  CHECK(node.last<MoveOwnEndpoint>()->local == kSecond);
  node.handle(OwnEndpointMoved{});
  node.pass(800ms);
  Sa moved = node.first;
  moved.local = kSecond;
  REQUIRE(node.list({moved}));
  CHECK_FALSE(node.core.migration_failed());
  CHECK(node.last<Step>()->what.find("moved") != std::string::npos);
}

TEST_CASE("after a re-key the node sees that the new IKE_SA is where the old one had moved", "[node-keying]") {
  Node node;
  node.establish();
  Sa after = node.first;
  after.uniqueid = 2;
  SECTION("not without a move") {
    node.event("ike-rekey", ike_rekeyed(node.first, 2));
    node.pass(5s);
    CHECK_FALSE(node.asked("list-sas"));
  }
  SECTION("after one") {
    node.handle(EndpointMoved{kSecond, true});
    node.pass(200ms);
    Sa moved = node.first;
    moved.local = kSecond;
    REQUIRE(node.list({moved}));
    node.event("ike-rekey", ike_rekeyed(node.first, 2));
    node.pass(200ms);
    SECTION("it is not") {
      REQUIRE(node.list({after}));
      CHECK(node.count<MoveOwnEndpoint>() == 1);
      CHECK_FALSE(node.core.migration_failed());
    }
    SECTION("it is") {
      after.local = kSecond;
      REQUIRE(node.list({after}));
      CHECK(node.count<MoveOwnEndpoint>() == 0);
      node.pass(5s);
      CHECK_FALSE(node.asked("list-sas"));
    }
  }
}

TEST_CASE("a move that the kernel refused ends in a new connection at once", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(EndpointMoved{kSecond, false});
  CHECK(node.core.migration_failed());
  CHECK(node.core.usable());
  CHECK(node.count<Trouble>() == 1);
  CHECK(node.last<MoveOwnEndpoint>()->local == kSecond);
}

TEST_CASE("a later move supersedes the verification of an earlier one", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(EndpointMoved{kSecond, true});
  node.pass(200ms);
  node.handle(EndpointMoved{kThird, true});
  REQUIRE(node.list({node.first}));  // asked for the first move
  CHECK(node.count<Trouble>() == 0);
  node.pass(200ms);
  Sa moved = node.first;
  moved.local = kThird;
  REQUIRE(node.list({moved}));
  CHECK(node.core.endpoint() == kThird);
  CHECK_FALSE(node.core.migration_failed());
}

TEST_CASE("a charon that says nothing has not refused to follow", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(EndpointMoved{kSecond, true});
  for (int i = 0; i < 5; ++i) {
    node.pass(1s);
    REQUIRE(node.take("list-sas"));
    node.now += 3s;
    node.handle(Answered{node.last_id, tl::unexpected(mip6::Error{.tried = "list-sas", .on = "charon.vici"})});
  }
  CHECK_FALSE(node.core.migration_failed());
  CHECK_FALSE(node.asked("load-shared"));
  node.pass(1s);
  Sa moved = node.first;
  moved.local = kSecond;
  REQUIRE(node.list({moved}));
  CHECK(node.last<Step>()->what.find("moved") != std::string::npos);
  CHECK_FALSE(node.core.next_deadline() < node.now + 1min);
}

TEST_CASE("what is still being closed goes at once when a third connection begins", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(ReestablishAsked{kSecond, true});
  REQUIRE(node.load_and_initiate());
  node.up(node.second);
  CHECK(node.terminated(1, false) == 1);
  CHECK(node.terminated(1, true) == 0);
  node.handle(ReestablishAsked{kThird, true});
  CHECK(node.terminated(1, true) == 1);
  CHECK(node.terminated(2, false) + node.terminated(2, true) == 0);
}

TEST_CASE("a soft re-establishment makes before it breaks", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(ReestablishAsked{kSecond, true});
  CHECK(node.count<MoveOwnEndpoint>() == 0);
  REQUIRE(node.load_and_initiate());
  CHECK(node.terminated(1, false) == 0);
  node.up(node.second);
  CHECK(node.last<KeysUp>()->spi_in == 0xc0000003);
  CHECK(node.last<Step>()->what == "IKE re-established from 2001:db8:a2::7");
  CHECK(node.terminated(1, false) == 1);
  CHECK(node.terminated(1, true) == 0);
  CHECK(node.unloaded(Node::name(1)));
  node.down(node.first);
  CHECK(node.count<KeysDown>() == 0);
  CHECK(node.core.usable());
  node.pass(10s);
  CHECK(node.terminated(1, true) == 0);
}

TEST_CASE("keys that are used up are made anew from the same address too", "[node-keying]") {
  Node node;
  node.connect();
  node.handle(EstablishAsked{kFirst});
  REQUIRE(node.answer("load-shared"));
  ike::Request first;
  REQUIRE(node.take("load-conn", &first));
  const auto first_rekey_time = first.message.section(Node::name(1))->text_or("rekey_time", "");
  node.handle(Answered{first.id, Response{Section{}.set("success", "yes"), {}}});
  REQUIRE(node.answer("initiate"));
  node.up(node.first);
  node.forget();
  const bool used_up = GENERATE(true, false);
  node.handle(ReestablishAsked{kFirst, true, used_up});
  if (!used_up) {
    CHECK(node.requests.empty());
    return;
  }
  ike::Request connection;
  REQUIRE(node.answer("load-shared"));
  REQUIRE(node.take("load-conn", &connection));
  // charon would go on with the IKE_SA of an equal connection.
  CHECK(connection.message.section(Node::name(2))->text_or("rekey_time", "") != first_rekey_time);
  node.handle(Answered{connection.id, Response{Section{}.set("success", "yes"), {}}});
  REQUIRE(node.answer("initiate"));
  CHECK(node.terminated(1, false) == 0);
  Sa here = node.second;
  here.local = kFirst;
  node.up(here);
  CHECK(node.last<KeysUp>()->fresh);
  CHECK(node.terminated(1, false) == 1);
}

TEST_CASE("a hard re-establishment moves our own end first, to close the old connection from there", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(ReestablishAsked{kSecond, false});
  REQUIRE(node.last<MoveOwnEndpoint>());
  CHECK(node.last<MoveOwnEndpoint>()->local == kSecond);
  CHECK(node.requests.empty());
  node.handle(OwnEndpointMoved{});
  REQUIRE(node.load_and_initiate());
  node.up(node.second);
  CHECK(node.terminated(1, false) == 1);
}

TEST_CASE("an old connection that is still there after three seconds is terminated by force", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(ReestablishAsked{kSecond, true});
  REQUIRE(node.load_and_initiate());
  node.up(node.second);
  node.pass(3s);
  CHECK(node.terminated(1, true) == 1);
}

TEST_CASE("when the new connection fails the old one stays in use", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(ReestablishAsked{kSecond, true});
  REQUIRE(node.load_and_initiate());
  node.pass(10s);
  REQUIRE(node.list({node.first}));
  CHECK(node.count<Trouble>() == 1);
  CHECK(node.core.usable());
  CHECK(node.terminated(1, false) + node.terminated(1, true) == 0);
  node.pass(1s);
  CHECK(node.load_and_initiate());
}

TEST_CASE("of addresses asked for during a re-establishment only the newest is gone on with", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(ReestablishAsked{kSecond, true});
  REQUIRE(node.load_and_initiate());
  node.handle(ReestablishAsked{address("2001:db8:a9::7"), true});
  node.handle(ReestablishAsked{kThird, true});
  node.up(node.second);
  node.forget();
  node.pass(2s);  // that was the third within two seconds
  REQUIRE(node.last<MoveOwnEndpoint>());
  CHECK(node.last<MoveOwnEndpoint>()->local == kThird);
  node.handle(OwnEndpointMoved{});
  node.answer("load-shared");
  ike::Request connection;
  REQUIRE(node.take("load-conn", &connection));
  CHECK(*connection.message.section(Node::name(3))->list("local_addrs") == Section::List{"2001:db8:a3::7"});
}

TEST_CASE("an overtaken attempt is not waited for longer than a second", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(ReestablishAsked{kSecond, true});
  REQUIRE(node.load_and_initiate());
  node.handle(ReestablishAsked{kThird, false});
  node.pass(1s);
  REQUIRE(node.list({node.first}));
  CHECK(node.count<Trouble>() == 0);
  CHECK(node.last<MoveOwnEndpoint>()->local == kThird);
}

TEST_CASE("a node that moves to and fro replaces its connection when it has come to rest", "[node-keying]") {
  Node node;
  node.establish();
  const auto replace = [&](int number, const mip6::Ipv6Address& local) {
    Sa sa = node.first;
    sa.name = Node::name(number);
    sa.uniqueid = number;
    sa.local = local;
    sa.spi_in = "c00000" + std::to_string(10 + number);
    sa.spi_out = "c00001" + std::to_string(10 + number);
    node.handle(ReestablishAsked{local, true});
    REQUIRE(node.load_and_initiate());
    node.up(sa);
    node.forget();
  };
  // One move, and another one.
  replace(2, kSecond);
  node.pass(500ms);
  replace(3, kThird);
  // The third within two seconds, and those that follow.
  for (int i = 0; i < 10; ++i) {
    node.pass(500ms);
    node.handle(Attached{i % 2 == 0 ? kSecond : kFirst});
    node.handle(ReestablishAsked{i % 2 == 0 ? kSecond : kFirst, true});
    CHECK_FALSE(node.asked("load-shared"));
  }
  SECTION("it stays where it is") {
    REQUIRE(node.core.next_deadline() <= node.now + 2s);
    node.pass(1999ms);
    CHECK_FALSE(node.asked("load-shared"));
    node.pass(1ms);
    CHECK(node.load_and_initiate());
  }
  SECTION("it goes on: one in half a minute") {
    int waited = 0;
    while (!node.asked("load-shared") && ++waited < 1000) {
      node.pass(500ms);
      node.handle(ReestablishAsked{waited % 2 == 0 ? kSecond : kFirst, true});
    }
    CHECK(waited == 50);  // 5 s are over since the last attempt
  }
  SECTION("keys that are used up do not wait") {
    node.handle(ReestablishAsked{kSecond, true, true});
    CHECK(node.load_and_initiate());
  }
  SECTION("nor does it when charon closes the connection by itself") {
    node.lose_address();
    node.event("log", logged(Node::name(3), "reauthenticating IKE_SA due to address change"));
    CHECK(node.load_and_initiate());
  }
}

TEST_CASE("a replacement that was held back and is needed no more is told to who asked", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(ReestablishAsked{kSecond, true});
  REQUIRE(node.load_and_initiate());
  node.up(node.second);
  node.handle(ReestablishAsked{kFirst, true});
  node.handle(ReestablishAsked{kSecond, true});
  node.handle(ReestablishAsked{kThird, true});
  node.forget();
  node.handle(Attached{kSecond});  // back where the connection is: it stays
  REQUIRE(node.count<KeysUp>() == 1);
  CHECK_FALSE(node.last<KeysUp>()->fresh);
  CHECK(node.core.endpoint() == kSecond);
  node.pass(40s);
  CHECK_FALSE(node.asked("load-shared"));
}

TEST_CASE("of a charon that was told of a further hard move since nothing is said", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(EndpointMoved{kSecond, true});
  node.handle(Attached{kThird});
  Sa moved = node.first;
  moved.local = kThird;
  node.pass(200ms);
  REQUIRE(node.list({moved}));
  CHECK(node.count<MoveOwnEndpoint>() == 0);
  node.pass(800ms);
  node.list({moved});
  CHECK_FALSE(node.core.migration_failed());
  CHECK(node.count<Trouble>() == 0);
}

TEST_CASE("back at the present connection's address nothing is re-established", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(ReestablishAsked{kFirst, true});
  CHECK(node.requests.empty());
  node.handle(ReestablishAsked{kSecond, false});
  node.forget();
  node.handle(ReestablishAsked{kFirst, true});
  CHECK(node.last<MoveOwnEndpoint>()->local == kFirst);
  CHECK_FALSE(node.asked("load-shared"));
  CHECK(node.core.endpoint() == kFirst);
}

TEST_CASE("of a connection found in charon our own end alone may be at that address: another one is made",
          "[node-keying]") {
  Node node;
  Sa moved = node.first;
  moved.local = kSecond;
  node.connect({moved});
  node.forget();
  node.handle(ReestablishAsked{kFirst, true});
  REQUIRE(node.load_and_initiate());
  node.handle(ReestablishAsked{kSecond, false});
  node.pass(1s);
  REQUIRE(node.list({moved}));
  node.handle(OwnEndpointMoved{});
  CHECK(node.load_and_initiate());
}

TEST_CASE("a connection found in charon is where the home agent has agreed that it moves to", "[node-keying]") {
  Node node;
  node.connect({node.first});
  node.handle(EndpointMoved{kSecond, true});
  node.forget();
  node.handle(ReestablishAsked{kSecond, true});
  CHECK_FALSE(node.asked("load-shared"));
}

TEST_CASE("a connection that charon closes for a lost address is replaced before its keys go", "[node-keying]") {
  Node node;
  node.establish();
  node.lose_address();
  node.event("log", logged(Node::name(1), "reauthenticating IKE_SA due to address change"));
  CHECK(node.count<Trouble>() == 1);
  CHECK(node.core.usable());
  CHECK_FALSE(node.asked("load-shared"));
  node.handle(EndpointMoved{kSecond, true});
  CHECK(node.last<MoveOwnEndpoint>()->local == kSecond);
  node.handle(OwnEndpointMoved{});
  REQUIRE(node.load_and_initiate());
  node.up(node.second);
  CHECK(node.count<KeysDown>() == 0);
  CHECK_FALSE(node.core.migration_failed());
  CHECK(node.core.endpoint() == kSecond);
}

TEST_CASE("a connection from elsewhere has not failed to follow the move of the one before", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(ReestablishAsked{kFirst, true, true});
  REQUIRE(node.load_and_initiate());
  node.handle(EndpointMoved{kSecond, true});
  REQUIRE(node.load_and_initiate());
  node.event("log", logged(Node::name(1), "reauthenticating IKE_SA due to address change"));
  node.handle(EndpointMoved{kThird, true});
  node.handle(OwnEndpointMoved{});
  REQUIRE(node.load_and_initiate());
  const Sa third{.name = Node::name(4), .uniqueid = 4, .local = kThird, .spi_in = "c0000005", .spi_out = "c0000006"};
  node.up(third);
  node.handle(Attached{kSecond});  // softly back, before the home agent has answered
  node.forget();
  node.pass(200ms);
  node.list({third});
  node.pass(800ms);
  node.list({third});
  CHECK(node.count<MoveOwnEndpoint>() == 0);
  CHECK_FALSE(node.core.migration_failed());
}

TEST_CASE("keys that are used up are made anew though an attempt for another address is under way", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(ReestablishAsked{kSecond, true});
  REQUIRE(node.load_and_initiate());
  // Back where the present connection runs from: without the keys being used up nothing would be left to do.
  node.handle(ReestablishAsked{kFirst, true, true});
  node.pass(1s);
  REQUIRE(node.list());
  node.handle(OwnEndpointMoved{});
  CHECK(node.load_and_initiate());
}

TEST_CASE("a move does not end the renewal of keys that are used up", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(ReestablishAsked{kFirst, true, true});
  REQUIRE(node.load_and_initiate());
  node.handle(EndpointMoved{kSecond, true});
  CHECK(node.core.endpoint() == kSecond);
  CHECK(node.load_and_initiate());
}

TEST_CASE("old keys are out of the kernel's choice before fresh ones are told", "[node-keying]") {
  const bool used_up = GENERATE(true, false);
  Node node;
  node.establish();
  node.handle(ReestablishAsked{kSecond, true, used_up});
  REQUIRE(node.load_and_initiate());
  node.up(node.second);
  const auto at = [&](const auto& wanted) { return std::find_if(node.actions.begin(), node.actions.end(), wanted); };
  const auto deleted = at([](const auto& one) { return std::holds_alternative<DeleteStatesExcept>(one); });
  const auto told = at([](const auto& one) { return std::holds_alternative<KeysUp>(one); });
  REQUIRE(deleted < told);
  REQUIRE(told != node.actions.end());
  // The old inbound state stays for what is on its way.
  CHECK(std::get<DeleteStatesExcept>(*deleted).spis == std::vector<std::uint32_t>{0xc0000003, 0xc0000004, 0xc0000001});
}
