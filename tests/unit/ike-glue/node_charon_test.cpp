// NodeKeying: charon restarts, our own restarts, rekeying, and connections closed by others.
#include "tests/catch.hpp"
#include "tests/unit/ike-glue/node_harness.hpp"

using namespace ike_test;

TEST_CASE("an IKE_SA that survived our restart is adopted, its keys not fresh", "[node-keying]") {
  Node node;
  node.handle(EstablishAsked{kFirst});
  Sa survivor = node.first;
  survivor.name = Node::name(7);
  node.connect({survivor});
  REQUIRE(node.last<KeysUp>());
  CHECK_FALSE(node.last<KeysUp>()->fresh);
  CHECK(node.core.endpoint() == kFirst);
  CHECK_FALSE(node.asked("load-shared"));
  // The next name must not be one that is in use.
  node.handle(ReestablishAsked{kSecond, true});
  node.answer("load-shared");
  ike::Request connection;
  REQUIRE(node.take("load-conn", &connection));
  CHECK(connection.message.section(Node::name(8)) != nullptr);
}

TEST_CASE("of two that survived the newest is adopted and the other terminated", "[node-keying]") {
  Node node;
  node.connect({node.second, node.first});
  CHECK(node.core.endpoint() == kSecond);
  CHECK(node.terminated(1, false) == 1);
  CHECK(node.terminated(2, false) + node.terminated(2, true) == 0);
}

TEST_CASE("what goes while it is being listed is not adopted by the node", "[node-keying]") {
  Node node;
  node.handle(EstablishAsked{kFirst});
  node.handle(CharonConnected{});
  SECTION("the IKE_SA") {
    node.event("ike-updown", updown(node.first, false));
    REQUIRE(node.list({node.first}));
    CHECK(node.terminated(1, false) == 0);
  }
  SECTION("its child alone") {
    node.event("child-updown", updown(node.first, false));
    REQUIRE(node.list({node.first}));
    CHECK(node.terminated(1, false) == 1);
  }
  CHECK(node.count<KeysUp>() == 0);
  CHECK(node.asked("load-shared"));
}

TEST_CASE("keys that go while the end of an attempt is being looked for are not taken for its success",
          "[node-keying]") {
  Node node;
  node.connect();
  node.handle(EstablishAsked{kFirst});
  REQUIRE(node.load_and_initiate());
  node.pass(10s);
  REQUIRE(node.asked("list-sas"));
  node.event("child-updown", updown(node.first, false));
  REQUIRE(node.list({node.first}));
  CHECK(node.count<KeysUp>() == 0);
  CHECK(node.count<Trouble>() == 1);
}

TEST_CASE("foreign connections are never touched", "[node-keying]") {
  Sa foreign = {.name = "office", .uniqueid = 5};
  Sa neighbour = {.name = "mip6-2001-db8-1--42-77-1", .uniqueid = 6};  // of home address 2001:db8:1::42:77
  Node node;
  node.handle(CharonConnected{});
  node.list({foreign, neighbour});
  node.answer("get-conns", Section{}.set("conns", Section::List{foreign.name, neighbour.name}));
  CHECK(node.requests.empty());
  node.event("child-updown", updown(neighbour, true));
  CHECK(node.requests.empty());
  CHECK(node.actions.empty());
}

TEST_CASE("connections that an earlier run left loaded are unloaded", "[node-keying]") {
  Node node;
  node.handle(CharonConnected{});
  node.list({node.second});
  node.answer("get-conns", Section{}.set("conns", Section::List{Node::name(1), Node::name(2), "office"}));
  CHECK(node.unloaded(Node::name(1)));
  CHECK_FALSE(node.unloaded(Node::name(2)));
  CHECK_FALSE(node.unloaded("office"));
}

TEST_CASE("while charon is dead its keys stay usable, and it is told why nothing moves", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(
      CharonDisconnected{{.tried = "talk to charon", .on = "/run/charon.vici", .reason = "gone", .remedy = "r"}});
  CHECK(node.core.usable());
  CHECK_FALSE(node.core.endpoint());
  CHECK(node.core.state() == "charon not reachable");
  CHECK(node.count<KeysDown>() == 0);
  CHECK(node.last<Trouble>()->what.find("not reachable") != std::string::npos);
}

TEST_CASE("a socket that may not be opened has words of its own", "[node-keying]") {
  Node node;
  node.handle(CharonDisconnected{
      {.tried = "connect", .on = "/run/charon.vici", .reason = "", .remedy = "run as root", .os_error = EACCES}});
  CHECK(node.last<Trouble>()->what.find("permission denied") != std::string::npos);
}

TEST_CASE("keys that were in use before charon died are established anew from the last address", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(CharonDisconnected{{.tried = "t", .on = "o"}});
  node.handle(EndpointMoved{kSecond, false});
  node.connect();
  node.answer("load-shared");
  ike::Request connection;
  REQUIRE(node.take("load-conn", &connection));
  const auto& loaded = std::get<Section>(connection.message.entries().front().second);
  CHECK(*loaded.list("local_addrs") == Section::List{"2001:db8:a2::7"});
}

TEST_CASE("a rekey changes what is known of the keys", "[node-keying]") {
  Node node;
  node.establish();
  node.event("child-rekey", child_rekeyed(node.first, "c000000a", "c000000b"));
  CHECK(node.last<KeysUp>()->spi_in == 0xc000000a);
  CHECK(node.last<KeysUp>()->fresh);
  CHECK(node.last<Step>()->what == "the SAs with the home agent were re-keyed");
  // The pair that was replaced goes without taking the keys along.
  node.event("child-updown", updown(node.first, false));
  CHECK(node.core.usable());
  node.event("ike-rekey", ike_rekeyed(node.first, 9));
  CHECK(node.last<Step>()->what == "IKE re-keyed, from 2001:db8:a1::7");
  node.event("ike-updown", updown(node.first, false));
  CHECK(node.core.usable());
  Sa rekeyed = node.first;
  rekeyed.uniqueid = 9;
  node.event("ike-updown", updown(rekeyed, false));
  CHECK_FALSE(node.core.usable());
}

TEST_CASE("a connection closed by others is established anew after a pause", "[node-keying]") {
  Node node;
  node.establish();
  node.down(node.first);
  CHECK(node.count<KeysDown>() == 1);
  CHECK_FALSE(node.core.usable());
  CHECK_FALSE(node.asked("load-shared"));
  node.pass(1s);
  CHECK(node.load_and_initiate());
}

TEST_CASE("an IKE connection that is closed is told with who closed it", "[node-keying]") {
  Node node;
  node.establish();
  auto closed = node.first;
  SECTION("nobody knows") {
    closed.tasks_active = GENERATE(Section::List{}, Section::List{"IKE_DPD"});
    closed.state = closed.tasks_active.empty() ? "ESTABLISHED" : "CONNECTING";
    node.down(closed);
    CHECK(node.last<Step>()->what == "the IKE connection was closed");
    CHECK(node.count<Trouble>() == 0);
  }
  SECTION("the home agent") {
    closed.state = "DELETING";
    closed.tasks_passive = {GENERATE("IKE_DELETE", "ISAKMP_DELETE")};
    closed.tasks_active = GENERATE(Section::List{}, Section::List{"IKE_DPD"});
    node.down(closed);
    CHECK(node.last<Step>()->what == "the IKE connection was closed by the home agent");
    CHECK(node.count<Trouble>() == 0);
  }
  SECTION("charon here, asked by somebody") {
    closed.state = "DELETING";
    closed.tasks_active = {"IKE_DELETE"};
    closed.tasks_passive = GENERATE(Section::List{}, Section::List{"CHILD_DELETE"});
    node.down(closed);
    CHECK(node.last<Step>()->what == "the IKE connection was closed by charon here");
  }
  SECTION("nobody: the home agent went silent") {
    closed.version = GENERATE("1", "2");
    if (closed.version == "2") closed.tasks_active = {GENERATE("IKE_DPD", "CHILD_REKEY")};
    node.down(closed);
    CHECK(node.last<Step>()->what == "the IKE connection was closed: the home agent does not answer any more");
    REQUIRE(node.count<Trouble>() == 1);
    CHECK(node.last<Trouble>()->what == "home agent 2001:db8:1::1 does not answer IKE");
    CHECK_FALSE(node.last<Trouble>()->remedy.empty());
  }
}

TEST_CASE("a child closed alone takes its IKE_SA along", "[node-keying]") {
  Node node;
  node.establish();
  node.event("child-updown", updown(node.first, false));
  CHECK(node.count<KeysDown>() == 1);
  CHECK(node.terminated(1, false) == 1);
}

TEST_CASE("nonsense from charon is survived", "[node-keying]") {
  Node node;
  node.establish();
  for (const auto* name : {"ike-updown", "child-updown", "ike-rekey", "child-rekey", "log", "unheard-of"}) {
    node.event(name, {});
    node.event(name, Section{}.set("up", "yes").set("x", Section::List{"y"}));
    node.event(name, Section{}.set(Node::name(1), Section{}.set("uniqueid", "many").set("child-sas", "none")));
    node.event(name, Section{}.set(Node::name(1), Section{}.set("child-sas", Section{}.set("reg", "x"))));
  }
  node.handle(Answered{12345, Response{}});
  CHECK(node.core.usable());
  CHECK(node.count<KeysDown>() == 0);
}

TEST_CASE("an IKE_SA with another home agent, of a former process, is not adopted but closed", "[node-keying]") {
  Node node;
  Sa with_other = node.first;
  with_other.remote = *mip6::Ipv6Address::parse("2001:db8:1::99");
  node.connect({with_other});
  CHECK(node.count<KeysUp>() == 0);
  CHECK_FALSE(node.core.endpoint());
  CHECK(node.terminated(1, false) == 1);
}

TEST_CASE("what charon logs is followed while something goes on, and not of a connection that is idle",
          "[node-keying]") {
  Node node;
  node.connect();
  CHECK_FALSE(node.follows_log);  // nothing was asked yet
  const auto idle = [&node] {
    return !node.follows_log && (!node.core.next_deadline() || *node.core.next_deadline() > node.now + 30min);
  };
  node.handle(EstablishAsked{kFirst});
  CHECK(node.follows_log);
  node.load_and_initiate();
  node.up(node.first);
  CHECK(idle());
  SECTION("not for a refresh that is answered") {
    node.handle(Settled{false});
    node.pass(49ms);
    CHECK_FALSE(node.follows_log);
    node.handle(Settled{true});
    CHECK(idle());
  }
  SECTION("while the home agent does not answer") {
    node.lose_address();
    CHECK(node.follows_log);
    node.pass(10min);
    CHECK(node.follows_log);
    node.handle(Settled{true});
    CHECK_FALSE(node.follows_log);
  }
  SECTION("for a while after a move, and until charon was seen to follow it") {
    node.handle(Attached{kSecond});
    CHECK(node.follows_log);
    node.handle(EndpointMoved{kSecond, true});
    node.pass(5s);
    CHECK(node.follows_log);
    Sa moved = node.first;
    moved.local = kSecond;
    REQUIRE(node.list({moved}));
    CHECK(idle());
  }
  SECTION("for a while after a re-key was asked for") {
    node.pass(1h);
    REQUIRE(node.asked("rekey"));
    CHECK(node.follows_log);
    node.pass(10s);
    CHECK_FALSE(node.follows_log);
  }
  SECTION("when charon has gone, so that nothing is missed when it comes") {
    node.handle(CharonDisconnected{});
    CHECK(node.follows_log);
  }
  SECTION("not to the end of a process: charon logs that a connection with it has gone") {
    node.handle(Attached{kSecond});
    node.handle(StopAsked{});
    CHECK_FALSE(node.follows_log);
  }
}
