// AgentKeying: one connection per node, replacing, verifying, refusals.
#include "tests/catch.hpp"
#include "tests/unit/ike-glue/agent_harness.hpp"

using namespace ike_test;

TEST_CASE("every node gets a connection of its own, one request at a time, before the list", "[agent-keying]") {
  Agent agent;
  agent.handle(CharonConnected{});
  REQUIRE(agent.requests.size() == 1);
  REQUIRE(agent.answer("load-shared"));
  ike::Request connection;
  REQUIRE(agent.requests.size() == 1);
  REQUIRE(agent.take("load-conn", &connection));
  const auto* loaded = connection.message.section("mip6ha-laptop");
  REQUIRE(loaded != nullptr);
  CHECK(*loaded->list("remote_addrs") == Section::List{"%any"});
  CHECK(loaded->section("remote")->text_or("id", "") == "mn@example.org");
  const auto* child = loaded->section("children")->section("reg");
  CHECK(*child->list("local_ts") == Section::List{"2001:db8:1::1/128[135]"});
  CHECK(*child->list("remote_ts") == Section::List{"2001:db8:1::42/128[135]"});
  CHECK(child->text_or("reqid", "") == "11");
  agent.handle(Answered{connection.id, Response{Section{}.set("success", "yes"), {}}});
  REQUIRE(agent.answer("load-shared"));
  REQUIRE(agent.take("load-conn", &connection));
  CHECK(connection.message.section("mip6ha-phone")->section("children")->section("reg")->text_or("reqid", "") == "12");
  CHECK_FALSE(agent.asked("list-sas"));
  agent.handle(Answered{connection.id, Response{Section{}.set("success", "yes"), {}}});
  CHECK(agent.asked("list-sas"));
}

TEST_CASE("a connection that charon refuses is told, and the next one loaded", "[agent-keying]") {
  Agent agent;
  agent.handle(CharonConnected{});
  REQUIRE(agent.refuse("load-shared", "no such type"));
  CHECK(agent.last<Trouble>()->what.find("laptop") != std::string::npos);
  REQUIRE(agent.answer("load-shared"));
  CHECK(agent.asked("load-conn"));
}

TEST_CASE("a node's SAs are told, and what a dead charon left for it is removed once, soon after", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  CHECK(agent.last<PeerKeysUp>()->home_address == kHome);
  CHECK(agent.last<PeerKeysUp>()->spi_in == 0xc0000001);
  // The node uses them until our IKE_AUTH response arrives.
  CHECK(agent.count<DeletePeerStatesExcept>() == 0);
  REQUIRE(agent.count<NotePeerStates>() == 1);
  CHECK(agent.last<NotePeerStates>()->reqid == 11);
  agent.pass(1s);
  CHECK(agent.count<NotePeerStates>() == 1);
  REQUIRE(agent.last<DeletePeerStatesExcept>());
  CHECK(agent.last<DeletePeerStatesExcept>()->noted);
  CHECK(agent.last<DeletePeerStatesExcept>()->reqid == 11);
  CHECK(agent.last<DeletePeerStatesExcept>()->spis == std::vector<std::uint32_t>{0xc0000001, 0xc0000002});
  agent.up(agent.second);
  agent.pass(1s);
  CHECK(agent.count<DeletePeerStatesExcept>() == 1);
}

TEST_CASE("SAs found in charon are adopted, and what an earlier charon left beside them is removed", "[agent-keying]") {
  Agent agent;
  agent.connect({agent.second, agent.first});
  CHECK(agent.count<PeerKeysUp>() == 2);
  CHECK(agent.last<PeerKeysUp>()->spi_in == 0xc0000003);  // the newest is told last
  CHECK(agent.count<DeletePeerStatesExcept>() == 0);
  agent.pass(1s);
  REQUIRE(agent.count<DeletePeerStatesExcept>() == 1);
  CHECK(agent.last<DeletePeerStatesExcept>()->spis ==
        std::vector<std::uint32_t>{0xc0000001, 0xc0000002, 0xc0000003, 0xc0000004});
}

TEST_CASE("SAs that come up before the removal put it off, and are noted too", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.pass(500ms);
  agent.up(agent.second);
  CHECK(agent.count<NotePeerStates>() == 2);
  agent.pass(1s);
  REQUIRE(agent.count<DeletePeerStatesExcept>() == 1);
  CHECK(agent.last<DeletePeerStatesExcept>()->spis.size() == 4);
}

TEST_CASE("while a node has no live SAs nothing of its states is removed", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.pass(1s);
  agent.up(agent.first);
  agent.down(agent.first);
  agent.pass(1s);
  CHECK(agent.count<DeletePeerStatesExcept>() == 0);
  agent.up(agent.second);
  agent.pass(1s);
  CHECK(agent.count<DeletePeerStatesExcept>() == 1);
}

TEST_CASE("connections of nodes no longer configured are taken out of charon, foreign ones not", "[agent-keying]") {
  Agent agent;
  agent.handle(CharonConnected{});
  agent.load();
  REQUIRE(agent.list({{.name = "mip6ha-sold", .uniqueid = 8}, {.name = "office", .uniqueid = 9}}));
  REQUIRE(agent.answer("get-conns", Section{}.set("conns", Section::List{"mip6ha-sold", "mip6ha-laptop", "office"})));
  CHECK(agent.terminated(8, false) == 1);
  CHECK(agent.terminated(9, false) + agent.terminated(9, true) == 0);
  CHECK(agent.unloaded("mip6ha-sold"));
  CHECK_FALSE(agent.unloaded("mip6ha-laptop"));
  CHECK_FALSE(agent.unloaded("office"));
}

TEST_CASE("keys are down when the last SA of a node is", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.up(agent.second);
  agent.down(agent.first);
  CHECK(agent.count<PeerKeysDown>() == 0);
  agent.down(agent.second);
  REQUIRE(agent.count<PeerKeysDown>() == 1);
  CHECK(agent.last<PeerKeysDown>()->home_address == kHome);
}

TEST_CASE("a node that proves who it is, but gets no security association, is told and counted once",
          "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.event("ike-updown", updown(agent.first, true));
  CHECK(agent.count<PeerRefused>() == 0);
  SECTION("it ends the connection itself") { agent.event("ike-updown", updown(agent.first, false)); }
  SECTION("it leaves it") { agent.pass(30s); }
  REQUIRE(agent.count<PeerRefused>() == 1);
  CHECK(agent.last<PeerRefused>()->reason == "no security association made");
  CHECK(agent.last<Trouble>()->what.find("laptop proved who it is") == 0);
  agent.event("ike-updown", updown(agent.first, false));
  CHECK(agent.count<PeerRefused>() == 1);
}

TEST_CASE("a node with its security association, or one that it gave up, is no refusal", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.event("ike-updown", updown(agent.first, true));
  agent.up(agent.second);
  agent.event("child-updown", updown(agent.first, true));
  agent.pass(30s);
  agent.down(agent.first);
  agent.down(agent.second);
  CHECK(agent.count<PeerRefused>() == 0);
}

TEST_CASE("a connection is left to the node for a second after it has used another, then dropped by force",
          "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  if (GENERATE(false, true)) agent.handle(PeerReplaceAsked{kHome, {}});
  agent.pass(5s);
  agent.up(agent.second);
  agent.pass(30s);
  agent.handle(PeerKeysUsed{kHome, 0xc0000001});  // the old one, still
  agent.handle(PeerKeysUsed{kHome, 0xc0000009});  // no connection's
  agent.handle(PeerKeysUsed{kOtherHome, 0xc0000003});
  agent.pass(20s);
  CHECK(agent.terminated(1, true) == 0);
  agent.handle(PeerKeysUsed{kHome, 0xc0000003});
  agent.pass(1s - 1ms);
  CHECK(agent.terminated(1, true) == 0);
  agent.pass(1ms);
  CHECK(agent.terminated(1, true) == 1);
  CHECK(agent.terminated(2, true) == 0);
}

TEST_CASE("a third connection leaves the one that the node uses, the other goes at once", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  int stays = 1;
  SECTION("it is not known to use any: the oldest stays") {}
  SECTION("it uses the first") { agent.handle(PeerKeysUsed{kHome, 0xc0000001}); }
  agent.up(agent.second);
  SECTION("it uses the second") {
    agent.handle(PeerKeysUsed{kHome, 0xc0000001});
    agent.handle(PeerKeysUsed{kHome, 0xc0000003});
    stays = 2;
  }
  CHECK_FALSE(agent.asked("terminate"));
  agent.up(agent.third);
  CHECK(agent.terminated(stays, true) == 0);
  CHECK(agent.terminated(3 - stays, true) == 1);
  CHECK(agent.terminated(3, true) == 0);
}

TEST_CASE("a third connection does not make one stay that the node has left behind, though it began last",
          "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.second);
  agent.handle(PeerKeysUsed{kHome, 0xc0000003});
  agent.handle(PeerReplaceAsked{kHome, kFirst});
  agent.up(agent.first);
  agent.handle(PeerKeysUsed{kHome, 0xc0000001});
  agent.up(agent.third);
  CHECK(agent.terminated(1, true) == 0);
  CHECK(agent.terminated(2, true) == 1);
}

TEST_CASE("one of several connections that goes is told, so that its keys are not used", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.up(agent.second);
  CHECK(agent.count<PeerKeysChanged>() == 0);
  agent.down(agent.first);
  REQUIRE(agent.count<PeerKeysChanged>() == 1);
  CHECK(agent.last<PeerKeysChanged>()->home_address == kHome);
  agent.down(agent.second);
  CHECK(agent.count<PeerKeysChanged>() == 1);
}

TEST_CASE("where a connection runs from counts when it is the only one, or the node uses it", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  REQUIRE(agent.count<PeerEstablished>() == 1);
  CHECK(agent.last<PeerEstablished>()->home_address == kHome);
  CHECK(agent.last<PeerEstablished>()->from == kFirst);
  agent.handle(PeerKeysUsed{kHome, 0xc0000001});
  agent.up(agent.second);
  agent.handle(PeerKeysUsed{kHome, 0xc0000001});
  CHECK(agent.count<PeerEstablished>() == 1);
  agent.handle(PeerKeysUsed{kHome, 0xc0000003});
  agent.handle(PeerKeysUsed{kHome, 0xc0000003});
  REQUIRE(agent.count<PeerEstablished>() == 2);
  CHECK(agent.last<PeerEstablished>()->from == kSecond);
}

TEST_CASE("where a connection runs from counts when the node has closed the other one, too", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.up(agent.second);
  REQUIRE(agent.count<PeerEstablished>() == 1);
  agent.down(agent.first);
  REQUIRE(agent.count<PeerEstablished>() == 2);
  CHECK(agent.last<PeerEstablished>()->from == kSecond);
}

TEST_CASE("what was to be replaced and has been moved after all stays", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.handle(PeerKeysUsed{kHome, 0xc0000001});
  agent.handle(PeerReplaceAsked{kHome, kSecond});
  agent.handle(PeerEndpointMoved{kHome, kSecond, true});
  agent.pass(1h);
  CHECK_FALSE(agent.asked("terminate"));
}

TEST_CASE("where the connections run from that charon lists is not taken for new", "[agent-keying]") {
  Agent agent;
  agent.connect({agent.first});
  agent.handle(PeerKeysUsed{kHome, 0xc0000001});
  CHECK(agent.count<PeerEstablished>() == 0);
}

TEST_CASE("late packets of an attempt that the node has given up do not count as its keys", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.second);
  agent.up(agent.first);
  CHECK((agent.count<PeerKeysUp>() == 1 && agent.terminated(1, true) == 1));
}

TEST_CASE("a replaced connection that the node closes itself costs no request", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.handle(PeerReplaceAsked{kHome, {}});
  agent.up(agent.second);
  agent.down(agent.first);
  agent.pass(60s);
  CHECK_FALSE(agent.asked("terminate"));
}

TEST_CASE("without a replacement the old connection carries on for three minutes: the node's charon may hang",
          "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.handle(PeerReplaceAsked{kHome, {}});
  SECTION("none comes") {
    agent.pass(180s - 1ms);
    CHECK(agent.terminated(1, true) == 0);
    agent.pass(1ms);
  }
  SECTION("one comes") {
    agent.pass(60s);
    CHECK(agent.terminated(1, true) == 0);
    agent.up(agent.second);
    agent.handle(PeerKeysUsed{kHome, 0xc0000003});
    agent.pass(2s);
  }
  SECTION("one comes, but the node does not use it: a minute") {
    agent.pass(150s);
    agent.up(agent.second);
    agent.pass(60s - 1ms);
    CHECK(agent.terminated(1, true) == 0);
    agent.pass(1ms);
  }
  SECTION("another one comes: then the node has not got the first") {
    agent.handle(PeerKeysUsed{kHome, 0xc0000001});
    agent.up(agent.second);
    agent.pass(59s);
    agent.up(agent.third);
    agent.pass(60s - 1ms);
    CHECK(agent.terminated(1, true) == 0);
    agent.pass(1ms);
  }
  CHECK(agent.terminated(1, true) == 1);
}

TEST_CASE("an old connection beside its replacement, both found in charon, goes when the node uses that",
          "[agent-keying]") {
  Agent agent;
  agent.connect({agent.first, agent.second});
  const bool asked_first = GENERATE(false, true);
  if (asked_first) agent.handle(PeerReplaceAsked{kHome, kSecond});
  agent.pass(4s);
  CHECK_FALSE(agent.asked("terminate"));
  agent.handle(PeerKeysUsed{kHome, 0xc0000003});
  if (!asked_first) agent.handle(PeerReplaceAsked{kHome, kSecond});
  agent.pass(4s);
  CHECK(agent.terminated(1, true) == 1);
  CHECK(agent.terminated(2, true) == 0);
}

TEST_CASE("what a node has left behind is no replacement, though it runs from where the node is again",
          "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.handle(PeerKeysUsed{kHome, 0xc0000001});
  agent.handle(PeerReplaceAsked{kHome, kSecond});
  agent.up(agent.second);
  agent.handle(PeerKeysUsed{kHome, 0xc0000003});
  agent.handle(PeerReplaceAsked{kHome, kFirst});
  agent.pass(10s);
  CHECK(agent.terminated(1, true) > 0);
  CHECK(agent.terminated(2, true) == 0);
}

TEST_CASE("a node that goes back to where its connection runs from keeps it", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.handle(PeerKeysUsed{kHome, 0xc0000001});
  agent.handle(PeerReplaceAsked{kHome, kSecond});
  const bool half_made = GENERATE(false, true);  // its IKE_AUTH response did not arrive
  if (half_made) agent.up(agent.second);
  agent.pass(1s);
  agent.handle(PeerReplaceAsked{kHome, kFirst});
  agent.pass(1h);
  CHECK(agent.terminated(1, true) == 0);
  CHECK((agent.terminated(2, true) > 0) == half_made);
}

TEST_CASE("a node that keeps its connection is not deprived of it by late packets of an attempt to replace it",
          "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.handle(PeerKeysUsed{kHome, 0xc0000001});
  agent.up(agent.second);
  agent.handle(PeerKeysUsed{kHome, 0xc0000001});
  agent.pass(1h);
  CHECK_FALSE(agent.asked("terminate"));
}

TEST_CASE("a connection that was to be replaced before charon's list named it goes after three minutes",
          "[agent-keying]") {
  Agent agent;
  const bool connected = GENERATE(false, true);
  if (connected) agent.handle(CharonConnected{});
  agent.handle(PeerReplaceAsked{kHome, kSecond});
  bool replaced = true;
  SECTION("elsewhere") {}
  SECTION("where the node is") {
    replaced = false;
    agent.handle(PeerReplaceAsked{kHome, kFirst});
  }
  SECTION("moved there meanwhile") {
    replaced = false;
    agent.handle(PeerEndpointMoved{kHome, kFirst, true});
  }
  if (!connected) agent.handle(CharonConnected{});
  agent.load();
  agent.list({agent.first});
  agent.answer("get-conns", Section{}.set("conns", Section::List{}));
  agent.pass(180s - 1ms);
  CHECK(agent.terminated(1, true) == 0);
  agent.pass(1ms);
  CHECK(agent.terminated(1, true) == (replaced ? 1 : 0));
}

TEST_CASE(
    "an attempt that comes up after a newer connection, which is to be replaced, replaces it when the node uses it",
    "[agent-keying]") {
  Agent agent;
  agent.connect();
  Sa elsewhere = agent.second;
  elsewhere.remote = kThird;
  agent.up(elsewhere);
  agent.handle(PeerReplaceAsked{kHome, kFirst});
  agent.up(agent.first);
  agent.handle(PeerKeysUsed{kHome, 0xc0000003});  // the newer one, still
  agent.pass(2s);
  CHECK_FALSE(agent.asked("terminate"));
  agent.handle(PeerKeysUsed{kHome, 0xc0000001});
  agent.pass(2s);
  CHECK(agent.terminated(2, true) == 1);
  CHECK(agent.terminated(1, true) == 0);
}

TEST_CASE("a replacement that came before it was asked for stays", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.second);
  agent.handle(PeerReplaceAsked{kHome, kSecond});
  agent.pass(60s);
  CHECK_FALSE(agent.asked("terminate"));
}

TEST_CASE("an IKE_SA that stays without child is dropped after 30 s", "[agent-keying]") {
  Agent agent;
  agent.connect();
  Sa childless = agent.first;
  childless.child = false;
  agent.event("ike-updown", updown(childless, true));
  agent.pass(30s);
  CHECK(agent.terminated(1, true) == 1);
  CHECK(agent.count<PeerKeysUp>() == 0);
}

TEST_CASE("a childless IKE_SA that charon lists is dropped after 30 s, a half open one left to charon",
          "[agent-keying]") {
  Agent agent;
  Sa childless = agent.first;
  Sa half_open = agent.second;
  childless.child = half_open.child = false;
  half_open.state = "CONNECTING";
  agent.connect({childless, half_open});
  agent.pass(30s - 1ms);
  CHECK_FALSE(agent.asked("terminate"));
  agent.pass(1min);
  CHECK(agent.terminated(1, true) > 0);
  CHECK(agent.terminated(2, true) + agent.terminated(2, false) == 0);
}

TEST_CASE("an IKE_SA of which charon tells no end is asked to go twice, not for ever", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.handle(PeerReplaceAsked{kHome, {}});
  agent.up(agent.second);
  agent.pass(1h);
  CHECK(agent.terminated(1, true) == 2);
  CHECK(agent.count<PeerKeysDown>() == 0);
  CHECK_FALSE(agent.core.next_deadline());
}

TEST_CASE("an IKE_SA that ends unauthenticated is not asked to go", "[agent-keying]") {
  Agent agent;
  agent.connect();
  Sa half_open = agent.first;
  half_open.child = false;
  agent.event("ike-updown", updown(half_open, true));
  half_open.state = "CONNECTING";
  agent.event("ike-updown", updown(half_open, false));
  agent.pass(2min);
  CHECK_FALSE(agent.asked("terminate"));
}

TEST_CASE("what goes while it is being listed is not adopted", "[agent-keying]") {
  Agent agent;
  agent.handle(CharonConnected{});
  agent.load();
  SECTION("the IKE_SA") {
    agent.event("ike-updown", updown(agent.first, false));
    REQUIRE(agent.list({agent.first}));
    agent.pass(1min);
    CHECK_FALSE(agent.asked("terminate"));
  }
  SECTION("its child alone") {
    agent.event("child-updown", updown(agent.first, false));
    REQUIRE(agent.list({agent.first}));
    agent.pass(1min);
    CHECK(agent.terminated(1, true) > 0);
  }
  CHECK(agent.count<PeerKeysUp>() == 0);
}

TEST_CASE("a node's move is verified by its own connection's list", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.handle(PeerEndpointMoved{kHome, kSecond, true});
  agent.pass(200ms);
  ike::Request request;
  REQUIRE(agent.take("list-sas", &request));
  CHECK(request.message.text_or("ike", "") == "mip6ha-laptop");
  CHECK(request.stream == "list-sa");
  Sa moved = agent.first;
  moved.remote = kSecond;
  agent.handle(Answered{request.id, Response{{}, {listed(moved)}}});
  CHECK(agent.count<Trouble>() == 0);
  agent.pass(5s);
  CHECK_FALSE(agent.asked("list-sas"));
}

TEST_CASE("a move that charon did not follow is told after a second look", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.handle(PeerEndpointMoved{kHome, kSecond, true});
  agent.pass(200ms);
  REQUIRE(agent.list({agent.first}));
  CHECK(agent.count<Trouble>() == 0);
  agent.pass(800ms);
  REQUIRE(agent.list({agent.first}));
  REQUIRE(agent.count<Trouble>() == 1);
  CHECK(agent.last<Trouble>()->what.find("laptop") != std::string::npos);
  // So that the next acknowledgement says so.
  REQUIRE(agent.count<PeerMoveFailed>() == 1);
  CHECK(agent.last<PeerMoveFailed>()->home_address == kHome);
}

TEST_CASE("a node that closes its connection after a move was not left behind", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.handle(PeerEndpointMoved{kHome, kSecond, true});
  agent.down(agent.first);
  agent.pass(200ms);
  CHECK_FALSE(agent.asked("list-sas"));
  agent.pass(5s);
  CHECK(agent.count<PeerMoveFailed>() == 0);
  CHECK(agent.count<Trouble>() == 0);
}

TEST_CASE("a re-key under way has charon told of the move once more", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.handle(PeerEndpointMoved{kHome, kSecond, true});
  agent.pass(200ms);
  // The move found the IKE_SA that is being replaced; its SAs are the new one's already, which is where that was
  // before.
  Sa replaced = agent.first;
  replaced.remote = kSecond;
  replaced.state = "REKEYED";
  replaced.child = false;
  Sa after = agent.first;
  after.uniqueid = 2;
  REQUIRE(agent.list({replaced, after}));
  REQUIRE(agent.count<PeerMoveAgain>() == 1);
  CHECK(agent.last<PeerMoveAgain>()->home_address == kHome);
  CHECK(agent.last<PeerMoveAgain>()->care_of == kSecond);
  agent.pass(800ms);
  after.remote = kSecond;
  REQUIRE(agent.list({after}));
  CHECK(agent.count<PeerMoveFailed>() == 0);
  CHECK(agent.count<Trouble>() == 0);
}

TEST_CASE("after a re-key charon is asked whether the new IKE_SA is where the old one had moved", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  const auto rekeyed = [&] { agent.event("ike-rekey", ike_rekeyed(agent.first, 2)); };
  SECTION("not without a move") {
    rekeyed();
    agent.pass(5s);
    CHECK_FALSE(agent.asked("list-sas"));
  }
  SECTION("after one") {
    agent.handle(PeerEndpointMoved{kHome, kSecond, true});
    agent.pass(200ms);
    Sa moved = agent.first;
    moved.remote = kSecond;
    REQUIRE(agent.list({moved}));
    const auto steps = agent.count<Step>();
    rekeyed();
    CHECK(agent.count<Step>() == steps + 1);
    agent.pass(200ms);
    Sa after = agent.first;
    after.uniqueid = 2;
    SECTION("it is") {
      after.remote = kSecond;
      REQUIRE(agent.list({after}));
      CHECK(agent.count<PeerMoveAgain>() == 0);
      CHECK(agent.count<Step>() == steps + 1);
      agent.pass(5s);
      CHECK_FALSE(agent.asked("list-sas"));
    }
    SECTION("it is not") {
      REQUIRE(agent.list({after}));
      CHECK(agent.count<PeerMoveAgain>() == 1);
      CHECK(agent.count<PeerMoveFailed>() == 0);
    }
  }
  SECTION("not when it was established anew elsewhere meanwhile") {
    agent.handle(PeerEndpointMoved{kHome, kSecond, true});
    agent.handle(PeerReplaceAsked{kHome});
    rekeyed();
    agent.pass(5s);
    CHECK_FALSE(agent.asked("list-sas"));
  }
}

TEST_CASE("a connection that comes from elsewhere just after a move stays where it is", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.handle(PeerEndpointMoved{kHome, kSecond, true});
  agent.down(agent.first);
  Sa elsewhere = agent.second;
  elsewhere.remote = kThird;
  agent.up(elsewhere);
  agent.pass(200ms);
  CHECK_FALSE(agent.asked("list-sas"));
  agent.pass(5s);
  CHECK(agent.count<PeerMoveAgain>() == 0);
  CHECK(agent.count<Trouble>() == 0);
}

TEST_CASE("keys that were moved away just now are replaced like others", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.handle(PeerEndpointMoved{kHome, kSecond, true});
  agent.handle(PeerReplaceAsked{kHome, kFirst});
  Sa replacement = agent.second;
  replacement.remote = kFirst;
  agent.up(replacement);
  agent.handle(PeerKeysUsed{kHome, 0xc0000003});
  agent.pass(2s);
  CHECK(agent.terminated(1, true) == 1);
}

TEST_CASE("failed authentication is told with the claimed identity, and loads again once a minute", "[agent-keying]") {
  Agent agent;
  agent.connect();
  Sa refused = agent.first;
  refused.state = "CONNECTING";
  refused.child = false;
  agent.event("ike-updown", updown(refused, false));
  agent.pass(200ms);
  REQUIRE(agent.last<Trouble>());
  CHECK(agent.last<Trouble>()->what.find("mn@example.org") != std::string::npos);
  CHECK(agent.last<Trouble>()->what.find("the secret") == std::string::npos);
  REQUIRE(agent.answer("load-shared"));
  REQUIRE(agent.answer("load-conn"));
  agent.pass(59s);
  agent.event("ike-updown", updown(refused, false));
  CHECK_FALSE(agent.asked("load-shared"));
  agent.pass(1s);
  agent.event("ike-updown", updown(refused, false));
  CHECK(agent.asked("load-shared"));
}

TEST_CASE("failed authentication of a foreign connection is none of our business", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.event("ike-updown",
              updown({.name = "office", .state = "CONNECTING", .child = false, .remote_id = "x@y"}, false));
  agent.pass(1s);
  CHECK(agent.actions.empty());
}

TEST_CASE("rekeying keeps the node's entry", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.event("child-rekey", child_rekeyed(agent.first, "c000000a", "c000000b"));
  CHECK(agent.last<PeerKeysUp>()->spi_in == 0xc000000a);
  CHECK(agent.last<Step>()->what == "laptop: SAs re-keyed");
  agent.event("ike-rekey", ike_rekeyed(agent.first, 9));
  CHECK(agent.last<Step>()->what == "laptop: IKE re-keyed");
  agent.event("ike-updown", updown(agent.first, false));
  CHECK(agent.count<PeerKeysDown>() == 0);
  Sa rekeyed = agent.first;
  rekeyed.uniqueid = 9;
  agent.event("ike-updown", updown(rekeyed, false));
  CHECK(agent.count<PeerKeysDown>() == 1);
}

TEST_CASE("keys from before our start are dropped where the node's last number is not known", "[agent-keying]") {
  AgentKeyingNode laptop{"laptop", kHome, {"ha@example.org", "mn@example.org", PreSharedKey{"the secret"}}, 11};
  laptop.number_known = false;
  Agent agent{AgentKeyingPolicy{kAgent, {laptop}}};
  agent.connect({agent.first});
  CHECK(agent.count<PeerKeysUp>() == 0);
  CHECK(agent.terminated(1, true) == 1);
  agent.down(agent.first);
  CHECK(agent.count<Trouble>() == 0);
  CHECK(agent.count<PeerRefused>() == 0);
  agent.up(agent.second);
  CHECK(agent.count<PeerKeysUp>() == 1);
  // Those of our own time are gone on with.
  agent.connect({agent.second});
  CHECK(agent.count<PeerKeysUp>() == 2);
  CHECK(agent.terminated(2, true) == 0);
}

TEST_CASE("a restarted charon gets everything again, and keys stay up while it was away", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.pass(1s);
  agent.handle(CharonDisconnected{{.tried = "t", .on = "o"}});
  CHECK(agent.count<PeerKeysDown>() == 0);
  agent.connect();
  agent.up(agent.first);
  CHECK(agent.count<PeerKeysUp>() == 2);
  agent.pass(1s);
  CHECK(agent.count<DeletePeerStatesExcept>() == 2);
}

TEST_CASE("nonsense from charon is survived by the agent", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  for (const auto* name : {"ike-updown", "child-updown", "ike-rekey", "child-rekey", "unheard-of"}) {
    agent.event(name, {});
    agent.event(name, Section{}.set("up", "yes").set("x", Section::List{"y"}));
    agent.event(name, Section{}.set("mip6ha-laptop", Section{}.set("uniqueid", "-1").set("child-sas", "none")));
  }
  agent.handle(Answered{12345, Response{}});
  CHECK(agent.count<PeerKeysDown>() == 0);
}
