// The session when charon goes away.
#include "tests/catch.hpp"
#include "tests/unit/ike-glue/scripted_peer.hpp"

using namespace ike_test;

TEST_CASE("when charon goes away every request fails once and the owner is told once for each reason", "[session]") {
  Client client;
  Peer peer(client.loop, client.path);
  client.session.start();
  const auto first = client.ask("a");
  const auto second = client.ask("b");
  REQUIRE(client.run([&] { return !peer.received.empty(); }));
  peer.stop_listening();
  peer.close();
  REQUIRE(client.run([&] { return client.disconnected.size() == 2; }));
  REQUIRE(first->has_value());
  REQUIRE(second->has_value());
  CHECK_FALSE(first->value().has_value());
  CHECK_FALSE(second->value().has_value());
  CHECK(client.disconnected[1].os_error == ECONNREFUSED);  // the socket's file stays behind
}

TEST_CASE("a charon that is started again is connected to again, and its events are registered again", "[session]") {
  Client client;
  Peer peer(client.loop, client.path);
  client.session.start();
  REQUIRE(client.run([&] { return client.connected == 1; }));
  peer.stop_listening();
  peer.close();
  REQUIRE(client.run([&] { return client.disconnected.size() == 2; }));
  peer.listen();
  REQUIRE(client.run([&] { return client.connected == 2; }));
  const auto answer = client.ask("version");
  REQUIRE(client.run([&] { return !peer.received.empty(); }));
  peer.respond();
  REQUIRE(client.run([&] { return answer->has_value(); }));
  CHECK(answer->value().has_value());
}

TEST_CASE("a session that is destroyed answers nothing any more", "[session]") {
  asio::io_context loop;
  Folder folder;
  Peer peer(loop, folder / "s");
  bool answered = false;
  {
    ike::Session session(loop, folder / "s", {}, {});
    session.start();
    session.request("a", {}, "", std::chrono::seconds(60), [&](auto) { answered = true; });
    REQUIRE(run_until(loop, [&] { return !peer.received.empty(); }));
  }
  REQUIRE(run_until(loop, [&] { return peer.closed_by_client; }));
  CHECK_FALSE(answered);
}
