// NodeKeying: re-keys on time, asked by the node in quiet moments only.
#include <fmt/format.h>

#include "tests/catch.hpp"
#include "tests/unit/ike-glue/node_harness.hpp"

using namespace ike_test;

namespace {

enum class Asked { kNothing, kChild, kIke };

// The oldest re-key asked for, off the list.
Asked rekey_asked(Node& node, int uniqueid = 1) {
  ike::Request request;
  if (!node.take("rekey", &request)) return Asked::kNothing;
  CHECK(request.message.text_or("ike-id", "") == std::to_string(uniqueid));
  const auto* child = request.message.text("child");
  if (child) CHECK(*child == "reg");
  return child ? Asked::kChild : Asked::kIke;
}

// charon takes up to a tenth of its own time off; ours is a tenth shorter for some.
constexpr auto kEarliest = 54min;

}  // namespace

TEST_CASE("the SAs are re-keyed within the hour, the IKE connection within four", "[node-keying]") {
  Node node;
  node.establish();
  node.pass(kEarliest - 1s);
  CHECK(rekey_asked(node) == Asked::kNothing);
  node.pass(6min + 1s);
  CHECK(rekey_asked(node) == Asked::kChild);
  int children = 1, ikes = 0;
  for (auto spi = 0xc1; node.now.time_since_epoch() < 4h; ++spi) {
    node.event("child-rekey", child_rekeyed(node.first, fmt::format("{:x}", spi), "c0ffee"));
    node.pass(1h);
    for (auto asked = rekey_asked(node); asked != Asked::kNothing; asked = rekey_asked(node))
      ++(asked == Asked::kChild ? children : ikes);
  }
  CHECK(children >= 4);
  CHECK(ikes >= 1);
}

TEST_CASE("nodes that began together do not re-key together", "[node-keying]") {
  const auto due = [](const char* spi) {
    Node node;
    node.establish();
    node.event("child-rekey", child_rekeyed(node.first, spi, "c0ffee"));
    return *node.core.next_deadline();
  };
  CHECK(due("c0000001") != due("c0000002"));
}

TEST_CASE("no re-key is asked for while an update is outstanding", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(Settled{false});
  node.pass(2h);
  CHECK(rekey_asked(node) == Asked::kNothing);
  CHECK_FALSE(node.core.next_deadline());
  node.handle(Settled{true});
  CHECK(rekey_asked(node) == Asked::kChild);
}

TEST_CASE("no re-key is asked for while IKE is being moved or established anew", "[node-keying]") {
  Node node;
  node.establish();
  node.pass(53min);
  SECTION("moved") {
    node.handle(EndpointMoved{kSecond});
    node.now += 10min;
    node.handle(Attached{kSecond});
    CHECK(rekey_asked(node) == Asked::kNothing);
    Sa moved = node.first;
    moved.local = kSecond;
    REQUIRE(node.list({moved}));
    CHECK(rekey_asked(node) == Asked::kChild);
  }
  SECTION("established anew") {
    node.handle(ReestablishAsked{kSecond, true});
    node.now += 1s;
    node.load_and_initiate();
    node.up(node.second);
    node.down(node.first);
    node.pass(53min);
    CHECK(rekey_asked(node) == Asked::kNothing);  // the time of the new ones counts
  }
}

TEST_CASE("a re-key that charon never confirms is asked for again after a minute", "[node-keying]") {
  Node node;
  node.establish();
  node.pass(1h);
  REQUIRE(rekey_asked(node) == Asked::kChild);
  const auto asked = *node.core.next_deadline();
  node.pass(1min);
  CHECK(asked <= node.now);
  CHECK(rekey_asked(node) == Asked::kChild);
}

TEST_CASE("each child is re-keyed by its name, one after the other", "[node-keying]") {
  Node node{{kPayload}};
  node.establish();
  node.event("child-updown", updown(payload_of(node.first), true));
  node.pass(1h + 10s);
  std::vector<std::string> asked;
  for (ike::Request request; node.take("rekey", &request);) {
    CHECK(request.message.text_or("ike-id", "") == "1");
    asked.push_back(request.message.text_or("child", ""));
  }
  CHECK(asked == std::vector<std::string>{"reg", "pay"});
  node.event("child-rekey", child_rekeyed(node.first, "c0000001", "c0ffee"));
  node.event("child-rekey", child_rekeyed(payload_of(node.first), "d0000005", "d0000006"));
  node.pass(kEarliest - 1s);
  CHECK_FALSE(node.asked("rekey"));
}

TEST_CASE("no re-key is asked for before the new connection has what the old one had", "[node-keying]") {
  Node node{{kPayload}};
  node.establish();
  node.event("child-updown", updown(payload_of(node.first), true));
  node.handle(ReestablishAsked{kSecond, true});
  REQUIRE(node.load_and_initiate());
  auto due = node.second;
  due.child_age = "3600";
  node.up(due);
  CHECK(rekey_asked(node, 2) == Asked::kNothing);
  node.event("child-updown", updown(payload_of(node.second, "d0000003", "d0000004"), true));
  CHECK(rekey_asked(node, 2) == Asked::kNothing);
  node.down(node.first);
  CHECK(rekey_asked(node, 2) == Asked::kChild);
}

TEST_CASE("keys found in charon are as old as it says", "[node-keying]") {
  Node node;
  node.handle(CharonConnected{});
  Sa found = node.first;
  found.age = "14000";
  found.child_age = "3000";
  REQUIRE(node.list({found}));
  node.answer("get-conns", Section{}.set("conns", Section::List{}));
  node.pass(400s);
  CHECK(rekey_asked(node) == Asked::kIke);
  node.event("ike-rekey", ike_rekeyed(node.first, 9));
  CHECK(rekey_asked(node, 9) == Asked::kNothing);
  node.pass(200s);
  CHECK(rekey_asked(node, 9) == Asked::kChild);
}

TEST_CASE("charon's own times are longer than ours, whatever it takes off them", "[node-keying]") {
  Node node;
  node.connect();
  node.handle(EstablishAsked{kFirst});
  REQUIRE(node.answer("load-shared"));
  ike::Request request;
  REQUIRE(node.take("load-conn", &request));
  const auto* connection = request.message.section(Node::name(1));
  REQUIRE(connection);
  CHECK(connection->text_or("rekey_time", "") == "21601s");
  CHECK(connection->section("children")->section("reg")->text_or("rekey_time", "") == "5400s");
}

TEST_CASE("a re-key that the home agent refuses is told with charon's reason and a remedy", "[node-keying]") {
  Node node;
  node.establish();
  const auto log = [&node](const std::string& line) {
    node.event("log", logged(Node::name(1), line).set("ikesa-uniqueid", "1"));
  };
  node.pass(1h);
  REQUIRE(node.asked("rekey"));
  log("received DELETE for ESP CHILD_SA with SPI c0000002");
  log("peer supports MOBIKE");
  CHECK(node.count<Trouble>() == 0);
  log("received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built");
  REQUIRE(node.count<Trouble>() == 1);
  CHECK(node.last<Trouble>()->what.find("keys can't be renewed: home agent 2001:db8:1::1 accepts none of our proposals "
                                        "for ESP (charon: received NO_PROPOSAL_CHOSEN") == 0);
  CHECK(node.last<Trouble>()->remedy.find("esp-proposals") != std::string::npos);
  CHECK(node.core.usable());
}

TEST_CASE("other credentials make new keys, while those that there are go on", "[node-keying]") {
  Node node;
  node.establish();
  node.handle(CredentialsChanged{{"mn@example.org", "ha@example.org", PreSharedKey{"another secret"}}, 1h, 4h});
  ike::Request request;
  REQUIRE(node.take("load-shared", &request));
  CHECK(request.message.text_or("data", "") == "another secret");
  CHECK(node.core.usable());
  CHECK(node.core.state() == "re-establishing");
}

TEST_CASE("an attempt with former credentials is given up for one with the new ones", "[node-keying]") {
  Node node;
  node.connect();
  node.handle(EstablishAsked{kFirst});
  node.forget();
  node.handle(CredentialsChanged{{"mn@example.org", "ha@example.org", PreSharedKey{"another secret"}}, 1h, 4h});
  ike::Request request;
  REQUIRE(node.take("load-shared", &request));
  CHECK(request.message.text_or("data", "") == "another secret");
}

TEST_CASE("other credentials ask for no keys where none were wanted", "[node-keying]") {
  Node node;
  node.connect();
  node.forget();
  node.handle(CredentialsChanged{{"mn@example.org", "ha@example.org", PreSharedKey{"another secret"}}, 1h, 4h});
  CHECK_FALSE(node.take("load-shared"));
  CHECK(node.core.state() == "not connected");
}
