// NodeKeying: establishing, and every reason why that may fail.
#include "tests/catch.hpp"
#include "tests/unit/ike-glue/node_harness.hpp"

using namespace ike_test;

TEST_CASE("secret and connection are loaded before each initiation", "[node-keying]") {
  Node node;
  node.connect();
  node.handle(EstablishAsked{kFirst});
  ike::Request secret;
  REQUIRE(node.take("load-shared", &secret));
  CHECK(secret.message.text_or("data", "") == "the secret");
  CHECK(*secret.message.list("owners") == Section::List{"mn@example.org", "ha@example.org"});
  CHECK_FALSE(node.asked("load-conn"));
  node.handle(Answered{secret.id, Response{Section{}.set("success", "yes"), {}}});
  ike::Request connection;
  REQUIRE(node.take("load-conn", &connection));
  const auto* loaded = connection.message.section(Node::name(1));
  REQUIRE(loaded != nullptr);
  CHECK(loaded->text_or("mobike", "") == "no");
  CHECK(loaded->text_or("unique", "") == "no");
  CHECK(*loaded->list("local_addrs") == Section::List{"2001:db8:a1::7"});
  const auto* child = loaded->section("children")->section("reg");
  CHECK(child->text_or("mode", "") == "transport_proxy");
  CHECK(child->text_or("policies", "") == "no");
  CHECK(child->text_or("reqid", "") == "11");
  CHECK(*child->list("local_ts") == Section::List{"2001:db8:1::42/128[135]"});
  CHECK(*child->list("remote_ts") == Section::List{"2001:db8:1::1/128[135]"});
  CHECK_FALSE(node.asked("initiate"));
  node.handle(Answered{connection.id, Response{Section{}.set("success", "yes"), {}}});
  ike::Request initiation;
  REQUIRE(node.take("initiate", &initiation));
  CHECK(initiation.slow);
  CHECK(initiation.message.text_or("timeout", "") == "-1");
  CHECK(node.core.state() == "connecting");
}

TEST_CASE("an established child brings fresh keys, and states of a dead charon go", "[node-keying]") {
  Node node;
  node.connect();
  node.handle(EstablishAsked{kFirst});
  REQUIRE(node.load_and_initiate());
  CHECK_FALSE(node.core.usable());
  node.up(node.first);
  REQUIRE(node.last<KeysUp>());
  CHECK(node.last<KeysUp>()->spi_in == 0xc0000001);
  CHECK(node.last<KeysUp>()->spi_out == 0xc0000002);
  CHECK(node.last<KeysUp>()->fresh);
  REQUIRE(node.last<DeleteStatesExcept>());
  CHECK(node.last<DeleteStatesExcept>()->spis == std::vector<std::uint32_t>{0xc0000001, 0xc0000002});
  CHECK(node.core.usable());
  CHECK(node.core.endpoint() == kFirst);
  CHECK(node.core.state() == "established");
  CHECK(node.core.next_deadline() > node.now + 30min);  // to re-key
}

TEST_CASE("the child's event may come before the answer to `initiate`", "[node-keying]") {
  Node node;
  node.connect();
  node.handle(EstablishAsked{kFirst});
  node.answer("load-shared");
  node.answer("load-conn");
  node.up(node.first);
  CHECK(node.count<KeysUp>() == 1);
  REQUIRE(node.refuse("initiate", "establishing CHILD_SA 'reg' failed"));
  CHECK(node.count<Trouble>() == 0);
  CHECK(node.core.usable());
}

TEST_CASE("a wish from before charon was there is fulfilled when it is", "[node-keying]") {
  Node node;
  node.handle(EstablishAsked{kFirst});
  CHECK(node.requests.empty());
  CHECK(node.core.state() == "charon not reachable");
  node.connect();
  CHECK(node.asked("load-shared"));
}

TEST_CASE("a home agent that does not answer is named at the attempt's end, and tried again", "[node-keying]") {
  Node node;
  node.connect();
  node.handle(EstablishAsked{kFirst});
  REQUIRE(node.load_and_initiate());
  node.pass(9s);
  CHECK_FALSE(node.asked("list-sas"));
  node.pass(1s);
  Sa half_open = node.first;
  half_open.state = "CONNECTING";
  half_open.child = false;
  REQUIRE(node.list({half_open}));
  REQUIRE(node.last<Trouble>());
  CHECK(node.last<Trouble>()->what.find("does not answer") != std::string::npos);
  CHECK_FALSE(node.last<Trouble>()->remedy.empty());
  CHECK(node.terminated(1, true) == 1);
  CHECK(node.unloaded(Node::name(1)));
  CHECK_FALSE(node.asked("load-shared"));
  node.pass(1s);
  CHECK(node.asked("load-shared"));
}

TEST_CASE("attempts that go on failing are made less often, up to every 32 s", "[node-keying]") {
  Node node;
  node.connect();
  node.handle(EstablishAsked{kFirst});
  for (const auto wait : {1s, 2s, 4s, 8s, 16s, 32s, 32s}) {
    REQUIRE(node.load_and_initiate());
    node.pass(10s);
    REQUIRE(node.list());
    node.pass(wait - 1ms);
    CHECK_FALSE(node.asked("load-shared"));
    node.pass(1ms);
    CHECK(node.asked("load-shared"));
  }
}

TEST_CASE("each reason in charon's log has words of its own, and is not waited out", "[node-keying]") {
  const auto [line, words] = GENERATE(table<std::string, std::string>({
      {"received AUTHENTICATION_FAILED notify error", "wrong secret or identity"},
      {"received TS_UNACCEPTABLE notify, no CHILD_SA built", "does not have home address"},
      {"received NO_PROPOSAL_CHOSEN notify error", "proposals"},
      {"no shared key found for 'mn@example.org' - 'ha@example.org'", "no shared secret"},
  }));
  Node node;
  node.connect();
  node.handle(EstablishAsked{kFirst});
  REQUIRE(node.load_and_initiate());
  node.event("log", logged("somebody-else", line));
  node.pass(1s);
  CHECK_FALSE(node.asked("list-sas"));
  node.event("log", logged(Node::name(1), line));
  node.pass(300ms);
  REQUIRE(node.list());
  REQUIRE(node.last<Trouble>());
  CHECK(node.last<Trouble>()->what.find(words) != std::string::npos);
  CHECK(node.last<Trouble>()->what.find("the secret") == std::string::npos);
}

TEST_CASE("an IKE_SA left without child is terminated, and the home agent's missing entry named", "[node-keying]") {
  Node node;
  node.connect();
  node.handle(EstablishAsked{kFirst});
  REQUIRE(node.load_and_initiate());
  Sa childless = node.first;
  childless.child = false;
  node.event("ike-updown", updown(childless, true));
  node.pass(10s);
  REQUIRE(node.list({childless}));
  CHECK(node.last<Trouble>()->what.find("does not have home address") != std::string::npos);
  CHECK(node.terminated(1, false) == 1);
  node.pass(3s);
  CHECK(node.terminated(1, true) == 1);
}

TEST_CASE("a child found installed at the attempt's end counts, though its event was missed", "[node-keying]") {
  Node node;
  node.connect();
  node.handle(EstablishAsked{kFirst});
  REQUIRE(node.load_and_initiate());
  node.pass(10s);
  REQUIRE(node.list({node.first}));
  CHECK(node.core.usable());
  CHECK(node.count<Trouble>() == 0);
}

TEST_CASE("another address asked for while connecting is tried at once", "[node-keying]") {
  Node node;
  node.connect();
  node.handle(EstablishAsked{kFirst});
  REQUIRE(node.load_and_initiate());
  node.handle(EstablishAsked{kSecond});
  ike::Request abandoned;
  REQUIRE(node.take("terminate", &abandoned));
  CHECK(abandoned.message.text_or("ike", "") == Node::name(1));
  CHECK(abandoned.message.text_or("force", "") == "yes");
  CHECK(node.unloaded(Node::name(1)));
  REQUIRE(node.load_and_initiate());
  // The abandoned one comes up after all: it must not stay.
  node.event("child-updown", updown(node.first, true));
  CHECK_FALSE(node.core.usable());
  CHECK(node.terminated(1, true) == 1);
  node.up(node.second);
  CHECK(node.core.endpoint() == kSecond);
}

TEST_CASE("the same address asked for again does not shorten the wait", "[node-keying]") {
  Node node;
  node.connect();
  node.handle(EstablishAsked{kFirst});
  REQUIRE(node.load_and_initiate());
  node.pass(10s);
  REQUIRE(node.list());
  node.forget();
  node.handle(EstablishAsked{kFirst});
  CHECK_FALSE(node.asked("load-shared"));
  node.handle(EstablishAsked{kSecond});
  CHECK(node.asked("load-shared"));
}

TEST_CASE("what charon refuses to load is told in its words", "[node-keying]") {
  Node node;
  node.connect();
  node.handle(EstablishAsked{kFirst});
  node.answer("load-shared");
  REQUIRE(node.refuse("load-conn", "invalid value for: reqid"));
  CHECK(node.last<Trouble>()->what.find("invalid value for: reqid") != std::string::npos);
  node.pass(1s);
  CHECK(node.asked("load-shared"));
}

TEST_CASE("a deadline that is reached early changes nothing", "[node-keying]") {
  Node node;
  node.connect();
  node.handle(EstablishAsked{kFirst});
  REQUIRE(node.load_and_initiate());
  node.forget();
  node.handle(DeadlineReached{});
  CHECK(node.requests.empty());
  CHECK(node.actions.empty());
}

TEST_CASE("what is tried again comes from where the node is then", "[node-keying]") {
  Node node;
  node.connect();
  node.handle(EstablishAsked{kFirst});
  const auto where = [&] {
    ike::Request connection;
    REQUIRE(node.answer("load-shared"));
    REQUIRE(node.take("load-conn", &connection));
    return *std::get<ike::Section>(connection.message.entries().front().second).list("local_addrs");
  };
  SECTION("after a move while it waits for its turn") {
    REQUIRE(node.refuse("load-shared", "not now"));
    node.handle(Attached{kSecond});
    CHECK(where() == Section::List{"2001:db8:a2::7"});
  }
  SECTION("after a move during the attempt") {
    node.handle(Attached{kSecond});
    REQUIRE(node.refuse("load-shared", "not now"));
    node.pass(1s);
    CHECK(where() == Section::List{"2001:db8:a2::7"});
  }
  SECTION("after a move during the attempt that charon's end has ended") {
    node.handle(Attached{kSecond});
    node.handle(CharonDisconnected{{.tried = "t", .on = "o"}});
    node.forget();
    node.connect();
    CHECK(where() == Section::List{"2001:db8:a2::7"});
  }
}
