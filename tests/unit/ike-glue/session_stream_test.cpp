// The session with a streamed answer.
#include "tests/catch.hpp"
#include "tests/unit/ike-glue/scripted_peer.hpp"

using namespace ike_test;

TEST_CASE("a streamed answer is collected in order between registering and unregistering", "[session]") {
  Client client(std::vector<std::string>{});
  Peer peer(client.loop, client.path);
  peer.confirms = false;
  client.session.start();
  const auto answer = client.ask("list-sas", "list-sa");
  REQUIRE(client.run([&] { return peer.received.size() == 1; }));
  CHECK(peer.received.back() == Packet{PacketType::kEventRegister, "list-sa", {}});
  peer.confirm();
  REQUIRE(client.run([&] { return peer.received.size() == 2; }));
  CHECK(peer.received.back().name == "list-sas");
  peer.send({PacketType::kEvent, "list-sa", Section{}.set("n", "1")});
  peer.send({PacketType::kEvent, "ike-updown", Section{}.set("n", "not of the stream")});
  peer.send({PacketType::kEvent, "list-sa", Section{}.set("n", "2")});
  peer.respond(Section{}.set("end", "yes"));
  REQUIRE(client.run([&] { return peer.received.size() == 3; }));
  CHECK(peer.received.back() == Packet{PacketType::kEventUnregister, "list-sa", {}});
  CHECK_FALSE(*answer);
  peer.confirm();
  REQUIRE(client.run([&] { return answer->has_value(); }));
  const auto& response = answer->value().value();
  REQUIRE(response.items.size() == 2);
  CHECK(response.items[0].text_or("n", "") == "1");
  CHECK(response.items[1].text_or("n", "") == "2");
  CHECK(response.message.text_or("end", "") == "yes");
  CHECK(client.seen.size() == 1);
}

TEST_CASE("a stream that charon does not know is an error, and the next request is served", "[session]") {
  Client client(std::vector<std::string>{});
  Peer peer(client.loop, client.path);
  peer.confirms = false;
  client.session.start();
  const auto answer = client.ask("list-things", "list-thing");
  const auto next = client.ask("version");
  REQUIRE(client.run([&] { return peer.received.size() == 1; }));
  peer.send({PacketType::kEventUnknown, "", {}});
  REQUIRE(client.run([&] { return answer->has_value() && peer.received.size() == 2; }));
  CHECK_FALSE(answer->value().has_value());
  peer.respond();
  REQUIRE(client.run([&] { return next->has_value(); }));
  CHECK(next->value().has_value());
}

TEST_CASE("an event that is given up is unregistered, and not registered again", "[session]") {
  Client client({"log", "ike-updown"});
  Peer peer(client.loop, client.path);
  client.session.start();
  REQUIRE(client.run([&] { return client.connected == 1; }));
  peer.confirms = false;
  bool done = false;
  client.session.unregister("log", std::chrono::seconds(5), [&done](const auto& answer) { done = answer.has_value(); });
  const auto next = client.ask("version");
  REQUIRE(client.run([&] { return peer.received.size() == 1; }));
  CHECK(peer.received.back() == Packet{PacketType::kEventUnregister, "log", {}});
  CHECK_FALSE(done);
  peer.confirm();
  REQUIRE(client.run([&] { return done && peer.received.size() == 2; }));
  peer.respond();
  REQUIRE(client.run([&] { return next->has_value(); }));
  peer.close();
  REQUIRE(client.run([&] { return peer.received.size() == 3; }));
  CHECK(peer.received.back() == Packet{PacketType::kEventRegister, "ike-updown", {}});
  peer.confirm();
  REQUIRE(client.run([&] { return client.connected == 2; }));
  CHECK(peer.received.size() == 3);
}
