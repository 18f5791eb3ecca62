// The session in ordinary use: registration first, one command at a time, events in between.
#include "tests/catch.hpp"
#include "tests/unit/ike-glue/scripted_peer.hpp"

using namespace ike_test;

TEST_CASE("events are registered before the session calls itself connected", "[session]") {
  Client client;
  Peer peer(client.loop, client.path);
  peer.confirms = false;
  client.session.start();
  REQUIRE(client.run([&] { return !peer.received.empty(); }));
  CHECK(peer.received.front() == Packet{PacketType::kEventRegister, "ike-updown", {}});
  peer.confirm();
  REQUIRE(client.run([&] { return peer.received.size() == 2; }));
  CHECK(peer.received.back() == Packet{PacketType::kEventRegister, "child-updown", {}});
  CHECK(client.connected == 0);
  peer.confirm();
  REQUIRE(client.run([&] { return client.connected == 1; }));
  CHECK(client.disconnected.empty());
}

TEST_CASE("the second command is sent when the first is answered, and events may come in between", "[session]") {
  Client client;
  Peer peer(client.loop, client.path);
  client.session.start();
  const auto first = client.ask("load-conn");
  const auto second = client.ask("initiate");
  REQUIRE(client.run([&] { return !peer.received.empty(); }));
  peer.send({PacketType::kEvent, "ike-updown", Section{}.set("up", "yes")});
  REQUIRE(client.run([&] { return client.seen.size() == 1; }));
  CHECK(client.seen.front().second.text_or("up", "") == "yes");
  REQUIRE(peer.received.size() == 1);
  CHECK(peer.received.front() == Packet{PacketType::kCommandRequest, "load-conn", Section{}.set("k", "v")});
  CHECK_FALSE(*first);
  peer.respond(Section{}.set("success", "yes"));
  REQUIRE(client.run([&] { return peer.received.size() == 2; }));
  REQUIRE(*first);
  CHECK((*first)->value().message.text_or("success", "") == "yes");
  CHECK(peer.received.back().name == "initiate");
  peer.respond();
  CHECK(client.run([&] { return second->has_value(); }));
}

TEST_CASE("a request made from within `connected` is sent once", "[session]") {
  asio::io_context loop;
  Folder folder;
  Peer peer(loop, folder / "s");
  int answers = 0;
  std::unique_ptr<ike::Session> session;
  session = std::make_unique<ike::Session>(
      loop, folder / "s", std::vector<std::string>{"log"},
      ike::Session::Handlers{
          [&] { session->request("list", {}, "", std::chrono::seconds(60), [&](auto) { ++answers; }); }, {}, {}});
  session->start();
  REQUIRE(run_until(loop, [&] { return !peer.received.empty(); }));
  peer.respond();
  REQUIRE(run_until(loop, [&] { return answers == 1; }));
  session->request("marker", {}, "", std::chrono::seconds(60), [](auto) {});
  REQUIRE(run_until(loop, [&] { return peer.received.size() == 2; }));
  CHECK(peer.received.back().name == "marker");
}

TEST_CASE("a command unknown to charon is an error of that request alone", "[session]") {
  Client client;
  Peer peer(client.loop, client.path);
  client.session.start();
  const auto answer = client.ask("nonsense");
  REQUIRE(client.run([&] { return !peer.received.empty(); }));
  peer.send({PacketType::kCommandUnknown, "", {}});
  REQUIRE(client.run([&] { return answer->has_value(); }));
  CHECK_FALSE(answer->value().has_value());
  CHECK(client.disconnected.empty());
}

TEST_CASE("a request that cannot be encoded fails, but not from within the call", "[session]") {
  Client client;
  const auto answer = client.ask(std::string(300, 'x'));
  CHECK_FALSE(*answer);
  REQUIRE(client.run([&] { return answer->has_value(); }));
  CHECK_FALSE(answer->value().has_value());
}
