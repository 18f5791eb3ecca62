// The session against a charon that lacks an event.
#include "tests/catch.hpp"
#include "tests/unit/ike-glue/scripted_peer.hpp"

using namespace ike_test;

TEST_CASE("an event that charon does not know ends the connection with its name", "[session]") {
  Client client({"ike-updown", "no-such-event"});
  Peer peer(client.loop, client.path);
  peer.confirms = false;
  client.session.start();
  REQUIRE(client.run([&] { return peer.received.size() == 1; }));
  peer.confirm();
  REQUIRE(client.run([&] { return peer.received.size() == 2; }));
  peer.send({PacketType::kEventUnknown, "", {}});
  REQUIRE(client.run([&] { return !client.disconnected.empty(); }));
  CHECK(client.disconnected.front().tried.find("no-such-event") != std::string::npos);
  CHECK(client.connected == 0);

  // The same charon will not learn it: only a new socket is another try.
  client.loop.restart();
  client.loop.poll();
  CHECK(peer.connections == 1);
  peer.stop_listening();
  peer.confirms = true;
  peer.listen();
  CHECK(client.run([&] { return client.connected == 1; }));
}
