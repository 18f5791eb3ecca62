// NodeKeying: stopping leaves nothing of ours in charon, in bounded time.
#include "tests/catch.hpp"
#include "tests/unit/ike-glue/node_harness.hpp"

using namespace ike_test;

TEST_CASE("stopping terminates what is ours and unloads connections and secret", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(StopAsked{});
  REQUIRE(node.list({node.first, node.second, {.name = "office", .uniqueid = 5}}));
  CHECK(node.terminated(1, false) == 1);
  CHECK(node.terminated(2, false) == 1);
  CHECK(node.terminated(5, false) == 0);
  REQUIRE(node.answer("get-conns", Section{}.set("conns", Section::List{Node::name(1), "office"})));
  CHECK(node.unloaded(Node::name(1)));
  CHECK_FALSE(node.unloaded("office"));
  while (node.answer("terminate") || node.answer("unload-conn")) {
  }
  CHECK(node.count<Stopped>() == 0);
  REQUIRE(node.answer("unload-shared"));
  CHECK(node.count<Stopped>() == 0);
  node.down(node.first);
  node.down(node.second);
  CHECK(node.count<Stopped>() == 1);
  CHECK_FALSE(node.core.next_deadline());
}

TEST_CASE("what does not go in a second goes by force", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(StopAsked{});
  REQUIRE(node.list({node.first}));
  node.pass(1s);
  CHECK(node.terminated(1, true) == 1);
}

TEST_CASE("stopping is over after a second and a half though charon hangs", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(StopAsked{});
  node.pass(1499ms);
  CHECK(node.count<Stopped>() == 0);
  node.pass(1ms);
  CHECK(node.count<Stopped>() == 1);
}

TEST_CASE("without charon stopping is over at once", "[node-keying]") {
  Node node;
  node.handle(StopAsked{});
  CHECK(node.count<Stopped>() == 1);

  Node other;
  other.establish();
  other.handle(StopAsked{});
  other.handle(CharonDisconnected{{.tried = "t", .on = "o"}});
  CHECK(other.count<Stopped>() == 1);
}

TEST_CASE("an attempt under way when stopping is abandoned by name", "[node-keying]") {
  Node node;
  node.connect();
  node.handle(EstablishAsked{kFirst});
  REQUIRE(node.load_and_initiate());
  node.handle(StopAsked{});
  ike::Request abandoned;
  REQUIRE(node.take("terminate", &abandoned));
  CHECK(abandoned.message.text_or("ike", "") == Node::name(1));
}

TEST_CASE("stopping while charon's list is to be asked for again has no deadline in the past", "[node-keying]") {
  Node node;
  node.handle(CharonConnected{});
  REQUIRE(node.take("list-sas"));
  node.handle(Answered{node.last_id, tl::unexpected(mip6::Error{.tried = "list-sas", .on = "charon.vici"})});
  const auto again = node.core.next_deadline();
  REQUIRE(again);
  node.now = *again + 1ms;  // stopped before it had its turn
  node.handle(StopAsked{});
  REQUIRE(node.core.next_deadline());
  CHECK(*node.core.next_deadline() == node.now + 1500ms);
}
