// The session against a peer that is not charon.
#include "tests/catch.hpp"
#include "tests/unit/ike-glue/scripted_peer.hpp"

using namespace ike_test;

namespace {

// Sends `bytes` where an answer is awaited; the session must end the connection, fail the request and come back.
void is_survived(const std::vector<std::uint8_t>& bytes) {
  Client client;
  Peer peer(client.loop, client.path);
  client.session.start();
  const auto answer = client.ask("version");
  REQUIRE(client.run([&] { return !peer.received.empty(); }));
  peer.send_bytes(bytes);
  REQUIRE(client.run([&] { return answer->has_value(); }));
  CHECK_FALSE(answer->value().has_value());
  CHECK(client.disconnected.size() == 1);
  CHECK(client.run([&] { return client.connected == 2; }));
}

}  // namespace

TEST_CASE("a length beyond the protocol's limit is survived", "[session]") { is_survived({0xff, 0xff, 0xff, 0xff}); }
TEST_CASE("an empty packet is survived", "[session]") { is_survived({0, 0, 0, 0}); }
TEST_CASE("a packet of no known type is survived", "[session]") { is_survived({0, 0, 0, 1, 99}); }
TEST_CASE("a message that breaks off is survived", "[session]") { is_survived({0, 0, 0, 3, 1, 3, 200}); }
TEST_CASE("a confirmation instead of a response is survived", "[session]") { is_survived({0, 0, 0, 1, 5}); }

TEST_CASE("a response that nothing asked for ends the connection", "[session]") {
  Client client;
  Peer peer(client.loop, client.path);
  client.session.start();
  REQUIRE(client.run([&] { return client.connected == 1; }));
  peer.respond();
  CHECK(client.run([&] { return client.connected == 2; }));
  CHECK(client.disconnected.size() == 1);
}
