// The session against a charon that hangs.
#include "tests/catch.hpp"
#include "tests/unit/ike-glue/scripted_peer.hpp"

using namespace ike_test;
using std::chrono::milliseconds;

TEST_CASE("a request whose deadline passes fails, and the connection is made anew", "[session]") {
  Client client;
  Peer peer(client.loop, client.path);
  client.session.start();
  REQUIRE(client.run([&] { return client.connected == 1; }));
  const auto answer = client.ask("list-conns", "", milliseconds(1));
  const auto behind = client.ask("version");
  REQUIRE(client.run([&] { return answer->has_value(); }));
  CHECK(answer->value().error().os_error == ETIMEDOUT);
  CHECK_FALSE(answer->value().error().remedy.empty());
  REQUIRE(behind->has_value());
  CHECK_FALSE(behind->value().has_value());
  REQUIRE(client.disconnected.size() == 1);
  // An answer that comes late after all must not be taken for that of the next request.
  REQUIRE(client.run([&] { return client.connected == 2; }));
  CHECK(peer.connections == 2);
}

TEST_CASE("a request that waits behind another fails at its deadline and leaves the connection alone", "[session]") {
  Client client;
  Peer peer(client.loop, client.path);
  client.session.start();
  const auto slow = client.ask("initiate");
  const auto waiting = client.ask("version", "", milliseconds(1));
  REQUIRE(client.run([&] { return !peer.received.empty() && waiting->has_value(); }));
  CHECK_FALSE(waiting->value().has_value());
  CHECK(client.disconnected.empty());
  peer.respond();
  REQUIRE(client.run([&] { return slow->has_value(); }));
  CHECK(slow->value().has_value());
  CHECK(peer.received.size() == 1);
}
