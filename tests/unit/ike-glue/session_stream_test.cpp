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

TEST_CASE("an event that is followed is registered before what is asked later, and on each connection from then on",
          "[session]") {
  Client client({"ike-updown"});
  Peer peer(client.loop, client.path);
  client.session.start();
  REQUIRE(client.run([&] { return client.connected == 1; }));
  peer.confirms = false;
  client.session.follow("log", std::chrono::seconds(5));
  client.session.follow("log", std::chrono::seconds(5));  // once is enough
  const auto next = client.ask("version");
  REQUIRE(client.run([&] { return peer.received.size() == 1; }));
  CHECK(peer.received.back() == Packet{PacketType::kEventRegister, "log", {}});
  peer.confirm();
  REQUIRE(client.run([&] { return peer.received.size() == 2; }));
  CHECK(peer.received.back().name == "version");
  peer.send({PacketType::kEvent, "log", Section{}.set("msg", "x")});
  peer.respond();
  REQUIRE(client.run([&] { return next->has_value(); }));
  CHECK(client.seen.size() == 1);
  peer.close();
  for (const auto* name : {"ike-updown", "log"}) {
    const auto before = peer.received.size();
    REQUIRE(client.run([&] { return peer.received.size() > before; }));
    CHECK(peer.received.back() == Packet{PacketType::kEventRegister, name, {}});
    peer.confirm();
  }
  REQUIRE(client.run([&] { return client.connected == 2; }));
}

TEST_CASE("what is followed or let go while there is no connection, or while events are registered, is right after",
          "[session]") {
  Client client({"ike-updown", "child-updown"});
  client.session.follow("log", std::chrono::seconds(5));  // before the first connection
  Peer peer(client.loop, client.path);
  peer.confirms = false;
  client.session.start();
  REQUIRE(client.run([&] { return peer.received.size() == 1; }));
  bool let_go = false;
  client.session.unregister("ike-updown", std::chrono::seconds(5), [&let_go](const auto&) { let_go = true; });
  client.session.follow("ike-rekey", std::chrono::seconds(5));
  std::vector<Packet> wanted;
  for (const auto* name : {"ike-updown", "child-updown", "log"})
    wanted.push_back({PacketType::kEventRegister, name, {}});
  wanted.push_back({PacketType::kEventUnregister, "ike-updown", {}});
  wanted.push_back({PacketType::kEventRegister, "ike-rekey", {}});
  for (std::size_t asked = 1; asked <= wanted.size(); ++asked) {
    REQUIRE(client.run([&] { return peer.received.size() == asked; }));
    CHECK(peer.received.back() == wanted[asked - 1]);
    CHECK(client.connected == (asked > 3 ? 1 : 0));
    CHECK(let_go == (asked > 4));
    peer.confirm();
  }
}

TEST_CASE("what is followed or let go while charon hangs is so when it goes on, however late", "[session]") {
  Client client({"ike-updown", "child-updown"});
  Peer peer(client.loop, client.path);
  peer.confirms = false;
  client.session.start();
  REQUIRE(client.run([&] { return peer.received.size() == 1; }));
  std::optional<bool> let_go;
  client.session.follow("log", std::chrono::milliseconds(1));
  client.session.unregister("ike-updown", std::chrono::milliseconds(1),
                            [&let_go](const auto& answer) { let_go = answer.has_value(); });
  REQUIRE(client.run([&] { return let_go.has_value(); }));
  CHECK_FALSE(*let_go);  // in that time
  const std::vector<Packet> wanted{{PacketType::kEventRegister, "ike-updown", {}},
                                   {PacketType::kEventRegister, "child-updown", {}},
                                   {PacketType::kEventRegister, "log", {}},
                                   {PacketType::kEventUnregister, "ike-updown", {}}};
  for (std::size_t asked = 1; asked <= wanted.size(); ++asked) {
    REQUIRE(client.run([&] { return peer.received.size() == asked; }));
    CHECK(peer.received.back() == wanted[asked - 1]);
    peer.confirm();
  }
}
