// NodeKeying: the CHILD_SAs beside the Mobility Header's.
#include <algorithm>

#include "tests/catch.hpp"
#include "tests/unit/ike-glue/node_harness.hpp"

using namespace ike_test;

namespace {

const FurtherChild kPrefixes{ChildKind::kPrefixes, 31, false};

Sa prefixes_of(const Sa& ike) {
  Sa sa = ike;
  sa.reqid = "31";
  sa.mode = "TRANSPORT_PROXY";
  sa.local_ts = {"2001:db8:1::42/128[ipv6-icmp/146]"};
  sa.remote_ts = {"2001:db8:1::1/128[ipv6-icmp/147]"};
  sa.spi_in = "e0000001";
  sa.spi_out = "e0000002";
  return sa;
}

// The child that is initiated, empty if none; `ike`: in which connection.
std::string initiated(Node& node, std::string* ike = nullptr) {
  Request request;
  if (!node.take("initiate", &request)) return {};
  if (ike) *ike = request.message.text_or("ike", "");
  return request.message.text_or("child", "");
}

void establish_all(Node& node) {
  node.connect();
  node.handle(EstablishAsked{kFirst});
  node.load_and_initiate();
  node.up(node.first);
  node.answer("initiate");
  node.event("child-updown", updown(payload_of(node.first), true));
  node.forget();
}

// The children of the connection that a node loads for its first attempt.
Section loaded_children(Node& node) {
  node.connect();
  node.handle(EstablishAsked{kFirst});
  REQUIRE(node.answer("load-shared"));
  Request load;
  REQUIRE(node.take("load-conn", &load));
  return *load.message.section(Node::name(1))->section("children");
}

}  // namespace

TEST_CASE("the connection has the payload's child, in tunnel mode and with a reqid of its own", "[node-children]") {
  Node node{{kPayload}};
  const auto children = loaded_children(node);
  const auto* pay = children.section("pay");
  REQUIRE(pay);
  CHECK(pay->text_or("mode", "") == "tunnel");
  CHECK(pay->text_or("policies", "") == "no");
  CHECK(pay->text_or("reqid", "") == "21");
  CHECK(*pay->list("local_ts") == Section::List{"2001:db8:1::42/128"});
  CHECK(*pay->list("remote_ts") == Section::List{"::/0"});
  CHECK(*pay->list("esp_proposals") == default_method(IkeVersion::kV2).esp_proposals);
  CHECK(pay->text_or("rekey_time", "") == "5400s");
}

TEST_CASE("selectors name protocols by number: a machine without /etc/protocols knows no names", "[node-children]") {
  Node node{{kPrefixes}};
  const auto children = loaded_children(node);
  CHECK(*children.section("reg")->list("local_ts") == Section::List{"2001:db8:1::42/128[135]"});
  CHECK(*children.section("mpd")->list("local_ts") == Section::List{"2001:db8:1::42/128[58/37376]"});
  CHECK(*children.section("mpd")->list("remote_ts") == Section::List{"2001:db8:1::1/128[58/37632]"});
}

TEST_CASE("the payload's child is brought up in the same IKE_SA once the registration has its keys",
          "[node-children]") {
  Node node{{kPayload}};
  node.connect();
  node.handle(EstablishAsked{kFirst});
  REQUIRE(node.load_and_initiate());
  CHECK_FALSE(node.asked("initiate"));
  node.up(node.first);
  CHECK(node.count<KeysUp>() == 1);
  std::string ike;
  REQUIRE(initiated(node, &ike) == "pay");
  CHECK(ike == Node::name(1));
  node.event("child-updown", updown(payload_of(node.first), true));
  REQUIRE(node.last<ChildUp>());
  CHECK(node.last<ChildUp>()->kind == ChildKind::kPayload);
  CHECK(node.last<ChildUp>()->spi_in == 0xd0000001);
  CHECK(node.last<ChildUp>()->local == kFirst);
  CHECK(node.count<KeysUp>() == 1);  // the registration hears nothing of it
  node.pass(60s);
  CHECK_FALSE(node.asked("initiate"));
}

TEST_CASE("a payload child that was closed is told and brought up again", "[node-children]") {
  Node node{{kPayload}};
  establish_all(node);
  node.event("child-updown", updown(payload_of(node.first), false));
  CHECK(node.count<ChildDown>() == 1);
  CHECK(node.count<KeysDown>() == 0);
  CHECK_FALSE(node.asked("initiate"));
  node.pass(1s);
  CHECK(initiated(node) == "pay");
}

TEST_CASE("a payload child that is refused is tried again ever more seldom, and told once", "[node-children]") {
  Node node{{kPayload}};
  node.connect();
  node.handle(EstablishAsked{kFirst});
  node.load_and_initiate();
  node.up(node.first);
  REQUIRE(node.answer("initiate"));
  node.event("log", logged(Node::name(1), "received TS_UNACCEPTABLE notify, no CHILD_SA built"));
  REQUIRE(node.count<Trouble>() == 1);
  CHECK(node.last<Trouble>()->remedy.find("protect = payload") != std::string::npos);
  CHECK(node.core.usable());
  int tries = 0;
  for (int second = 0; second < 60; ++second) {
    node.pass(1s);
    if (!node.answer("initiate")) continue;
    ++tries;
    node.event("log", logged(Node::name(1), "received TS_UNACCEPTABLE notify, no CHILD_SA built"));
  }
  CHECK(tries >= 5);
  CHECK(tries <= 6);
  CHECK(node.count<Trouble>() == 1);
}

TEST_CASE("an unanswered payload child is tried again", "[node-children]") {
  Node node{{kPayload}};
  node.connect();
  node.handle(EstablishAsked{kFirst});
  node.load_and_initiate();
  node.up(node.first);
  REQUIRE(node.answer("initiate"));
  node.pass(5s);
  CHECK(node.count<Trouble>() == 1);
  node.pass(1s);
  CHECK(initiated(node) == "pay");
}

TEST_CASE("a payload child narrowed to the Mobility Header is closed and not used", "[node-children]") {
  Node node{{kPayload}};
  node.connect();
  node.handle(EstablishAsked{kFirst});
  node.load_and_initiate();
  node.up(node.first);
  node.answer("initiate");
  auto narrowed = payload_of(node.first);
  narrowed.local_ts = {"2001:db8:1::42/128[mobility-header]"};
  narrowed.remote_ts = {"2001:db8:1::1/128[mobility-header]"};
  node.forget();
  node.event("child-updown", updown(narrowed, true));
  CHECK(node.count<ChildUp>() == 0);
  Request request;
  REQUIRE(node.take("terminate", &request));
  CHECK(request.message.text_or("child-id", "") == "101");
  CHECK(node.count<Trouble>() == 1);
}

TEST_CASE("the connection that is replaced stays until the new one has the payload's child", "[node-children]") {
  Node node{{kPayload}};
  establish_all(node);
  node.handle(ReestablishAsked{kSecond, true});
  REQUIRE(node.load_and_initiate());
  node.up(node.second);
  CHECK(node.count<KeysUp>() == 1);
  CHECK(node.terminated(1, false) == 0);
  std::string ike;
  REQUIRE(initiated(node, &ike) == "pay");
  CHECK(ike == Node::name(2));
  node.event("child-updown", updown(payload_of(node.second, "d0000003", "d0000004"), true));
  CHECK(node.last<ChildUp>()->local == kSecond);
  CHECK(node.count<ChildDown>() == 0);
  CHECK(node.terminated(1, false) == 1);
  CHECK(node.count<DeleteChildStatesExcept>() == 0);
  // What the kernel has moved without charon is left when charon has taken down what it knew of.
  node.down(node.first);
  REQUIRE(node.count<DeleteChildStatesExcept>() == 1);
  CHECK(node.last<DeleteChildStatesExcept>()->spis == std::vector<std::uint32_t>{0xd0000003, 0xd0000004});
}

TEST_CASE("the connection that is replaced goes after a while without the payload's child too", "[node-children]") {
  Node node{{kPayload}};
  establish_all(node);
  node.handle(ReestablishAsked{kSecond, true});
  REQUIRE(node.load_and_initiate());
  node.up(node.second);
  REQUIRE(node.answer("initiate"));
  CHECK(node.count<ChildDown>() == 0);
  node.pass(3s);
  CHECK(node.terminated(1, false) == 1);
  CHECK(node.count<ChildDown>() == 1);
}

TEST_CASE("a connection that is kept for the payload's child goes at once when a third begins", "[node-children]") {
  Node node{{kPayload}};
  establish_all(node);
  node.handle(ReestablishAsked{kSecond, true});
  REQUIRE(node.load_and_initiate());
  node.up(node.second);
  CHECK(node.terminated(1, false) == 0);
  node.handle(ReestablishAsked{kThird, true});
  CHECK(node.terminated(1, true) == 1);
  CHECK(node.count<ChildDown>() == 1);
}

TEST_CASE("a connection without the payload's child is replaced at once", "[node-children]") {
  Node node;
  node.establish();
  node.handle(ReestablishAsked{kSecond, true});
  REQUIRE(node.load_and_initiate());
  node.up(node.second);
  CHECK(node.terminated(1, false) == 1);
}

TEST_CASE("after a restart the payload's child that charon has is used, and none is initiated", "[node-children]") {
  Node node{{kPayload}};
  auto pay = payload_of(node.first);
  pay.child_age = "3000";
  Section both = *listed(node.first).section(node.first.name);
  Section children;
  children.set("reg-1", *listed(node.first).section(node.first.name)->section("child-sas")->section("reg-1"));
  children.set("pay-2", *listed(pay).section(pay.name)->section("child-sas")->section("reg-1"));
  Section sa;
  for (const auto& [key, value] : both.entries())
    if (const auto* text = std::get_if<std::string>(&value)) sa.set(key, *text);
  sa.set("child-sas", children);
  node.handle(CharonConnected{});
  REQUIRE(node.answer("list-sas", {}, {Section{}.set(node.first.name, sa)}));
  REQUIRE(node.count<ChildUp>() == 1);
  CHECK(node.count<KeysUp>() == 1);
  node.answer("get-conns", Section{}.set("conns", Section::List{}));
  node.pass(60s);
  CHECK_FALSE(node.asked("initiate"));
  CHECK_FALSE(node.asked("rekey"));
  node.pass(540s);
  Request rekey;
  REQUIRE(node.take("rekey", &rekey));
  CHECK(rekey.message.text_or("child", "") == "pay");
}

TEST_CASE("what goes of the payload's child while it is being listed is not adopted", "[node-children]") {
  Node node{{kPayload}};
  node.handle(CharonConnected{});
  const auto pay = payload_of(node.first);
  node.event("child-updown", updown(pay, false));
  Section children;
  children.set("reg-1", *listed(node.first).section(node.first.name)->section("child-sas")->section("reg-1"));
  children.set("pay-2", *listed(pay).section(pay.name)->section("child-sas")->section("reg-1"));
  Section sa;
  sa.set("uniqueid", "1").set("state", "ESTABLISHED").set("local-host", kFirst.to_string());
  sa.set("child-sas", children);
  REQUIRE(node.answer("list-sas", {}, {Section{}.set(node.first.name, sa)}));
  CHECK(node.count<KeysUp>() == 1);
  CHECK(node.count<ChildUp>() == 0);
}

TEST_CASE("a connection in charon without the payload's child is replaced by one that has it", "[node-children]") {
  Node node{{kPayload}};
  node.connect({node.first});
  node.forget();
  node.handle(DeadlineReached{});
  // connect() has asked already, in the adopted connection.
  Node again{{kPayload}};
  again.connect({again.first});
  REQUIRE(again.refuse("initiate", "CHILD_SA config 'pay' not found"));
  again.pass(1s);
  CHECK(again.asked("load-shared"));
}

TEST_CASE("a rekey of the payload's child is told", "[node-children]") {
  Node node{{kPayload}};
  establish_all(node);
  node.event("child-rekey", child_rekeyed(payload_of(node.first), "d0000005", "d0000006"));
  CHECK(node.last<ChildUp>()->spi_in == 0xd0000005);
  CHECK(node.count<KeysUp>() == 0);
  // The pair that it replaced is not missed.
  node.event("child-updown", updown(payload_of(node.first), false));
  CHECK(node.count<ChildDown>() == 0);
}

TEST_CASE("a renewed phase 1 takes the payload's child along", "[node-children]") {
  Node node{{kPayload}};
  establish_all(node);
  auto old = node.first;
  old.version = "1";
  old.child = false;
  auto fresh = old;
  fresh.uniqueid = 5;
  node.event("ike-updown", updown(fresh, true));
  node.event("ike-updown", updown(old, false));
  CHECK(node.count<ChildDown>() == 0);
  node.pass(60s);
  CHECK_FALSE(node.asked("initiate"));
  fresh.child = true;
  node.event("child-rekey", child_rekeyed(payload_of(fresh), "d0000005", "d0000006"));
  REQUIRE(node.last<ChildUp>());
  CHECK(node.last<ChildUp>()->spi_in == 0xd0000005);
}

TEST_CASE("an IKE_SA that is lost takes the payload's child along", "[node-children]") {
  Node node{{kPayload}};
  establish_all(node);
  node.down(node.first);
  CHECK(node.count<ChildDown>() == 1);
}

TEST_CASE("the prefix discovery's child waits until it is asked for, and then stays wanted", "[node-children]") {
  Node node{{kPrefixes}};
  node.establish();
  node.pass(60s);
  CHECK_FALSE(node.asked("initiate"));
  node.handle(ChildAsked{ChildKind::kPrefixes});
  REQUIRE(initiated(node) == "mpd");
  node.event("child-updown", updown(prefixes_of(node.first), true));
  CHECK(node.last<ChildUp>()->kind == ChildKind::kPrefixes);
  node.handle(ReestablishAsked{kSecond, true});
  REQUIRE(node.load_and_initiate());
  node.up(node.second);
  CHECK(initiated(node) == "mpd");
}

TEST_CASE("a home agent without prefix discovery is no trouble", "[node-children]") {
  Node node{{kPrefixes}};
  node.establish();
  node.handle(ChildAsked{ChildKind::kPrefixes});
  node.answer("initiate");
  node.event("log", logged(Node::name(1), "received TS_UNACCEPTABLE notify, no CHILD_SA built"));
  CHECK(node.count<Trouble>() == 0);
  CHECK(node.count<Step>() == 1);
}
