// Two pretended charons under the keying cores: moves with K and without.
#include "ike-glue/charon.hpp"
#include "tests/catch.hpp"
#include "tests/unit/simulation/charon_world.hpp"

using namespace charon_test;

namespace {

std::string state_of_first(Node& node) {
  std::string state;
  node.charon->request({.id = 0, .command = "list-sas", .message = {}, .stream = "list-sa"}, [&](const auto& answer) {
    if (answer && !answer->items.empty()) state = ike::read_ike_sa(answer->items.front(), kNodeReqid)->state;
  });
  node.world.pass(20ms);
  return state;
}

}  // namespace

TEST_CASE("a move that both ends follow keeps the keys and costs no packet") {
  Pair pair;
  const auto spi = pair.node.spi_in;
  pair.node.addresses = {kSecond};
  pair.move_both(kSecond);
  pair.node.charon->address_vanished(kFirst);
  pair.world.pass(5s);
  CHECK(pair.world.carried == 0);
  CHECK(pair.node.spi_in == spi);
  CHECK(pair.node.losses == 0);
  CHECK(pair.node.core->endpoint() == kSecond);
  CHECK_FALSE(pair.agent.move_failed);
  CHECK(agree(pair.node, pair.agent));
}

TEST_CASE("K refused, old address still there: a new connection first, then the old one goes, six packets in all") {
  Pair pair;
  const auto spi = pair.node.spi_in;
  pair.node.addresses = {kFirst, kSecond};
  pair.node.handle(ike::ReestablishAsked{kSecond, true});
  pair.agent.handle(ike::PeerReplaceAsked{home_of(1), kSecond});
  pair.world.pass(2s);
  CHECK(pair.world.carried == 6);
  CHECK(pair.node.spi_in != spi);
  CHECK(pair.node.losses == 0);
  CHECK(pair.node.core->endpoint() == kSecond);
  CHECK(pair.node.charon->ike_sas() == 1);
  CHECK(pair.agent.charon->ike_sas() == 1);
  CHECK(pair.node.kernel.states().size() == 2);
  CHECK(pair.agent.kernel.states().size() == 2);
  CHECK(agree(pair.node, pair.agent));
  pair.world.pass(60s);
  CHECK(pair.agent.keys.contains(home_of(1)));
}

TEST_CASE("K refused, old address gone: the old connection is closed from the new address, six packets in all") {
  Pair pair;
  pair.node.addresses = {kSecond};
  pair.node.charon->address_vanished(kFirst);
  pair.node.handle(ike::ReestablishAsked{kSecond, false});
  pair.agent.handle(ike::PeerReplaceAsked{home_of(1), kSecond});
  pair.world.pass(2s);
  CHECK(pair.world.carried == 6);
  CHECK(pair.node.losses == 0);
  CHECK(pair.node.charon->ike_sas() == 1);
  CHECK(pair.agent.charon->ike_sas() == 1);
  CHECK(agree(pair.node, pair.agent));
}

TEST_CASE("K refused, no IKE_AUTH response arrives: the old keys stay of use, however often the node moves on") {
  Pair pair;
  const auto heard = [&] {
    auto* update = pair.node.kernel.outbound(kNodeReqid, pair.node.home, kAgent);
    const auto* opened = update ? pair.agent.kernel.open(pair.node.kernel.protect(*update)) : nullptr;
    if (opened) pair.agent.handle(ike::PeerKeysUsed{home_of(1), opened->spi});
    return opened != nullptr;
  };
  CHECK(heard());
  const auto spi = pair.node.spi_out;
  pair.world.lost_kind = "IKE_AUTH response";
  auto here = kFirst;
  for (const auto& next : {kSecond, kThird, kFirst, kSecond}) {
    pair.node.addresses = {next};
    pair.node.charon->address_vanished(std::exchange(here, next));
    pair.node.handle(ike::ReestablishAsked{here, false});
    CHECK(heard());
    pair.agent.handle(ike::PeerReplaceAsked{home_of(1), here});
    pair.world.pass(3s);
    CHECK(pair.agent.charon->ike_sas() <= 2);
    CHECK((pair.node.spi_out == spi && heard()));
  }
  pair.world.lost_kind.clear();
  pair.world.pass(10s);
  CHECK(pair.node.losses == 0);
  CHECK(pair.node.spi_out != spi);
  CHECK(pair.node.core->endpoint() == here);
  CHECK(heard());
  pair.world.pass(2s);
  CHECK(agree(pair.node, pair.agent));
  CHECK(pair.node.charon->ike_sas() == 1);
  CHECK(pair.agent.charon->ike_sas() == 1);
  CHECK(pair.agent.kernel.states().size() == 2);
}

TEST_CASE("K refused: a node that goes back before it has new keys keeps the old ones") {
  Pair pair;
  pair.agent.handle(ike::PeerKeysUsed{home_of(1), pair.node.spi_out});
  const auto spi = pair.node.spi_in;
  pair.world.lost_kind = "IKE_AUTH response";
  auto here = kFirst;
  for (const auto& next : {kSecond, kFirst}) {
    pair.node.addresses = {next};
    pair.node.charon->address_vanished(std::exchange(here, next));
    pair.node.handle(ike::ReestablishAsked{here, false});
    pair.agent.handle(ike::PeerReplaceAsked{home_of(1), here});
    pair.world.pass(2s);
  }
  pair.world.lost_kind.clear();
  pair.world.pass(300s);
  CHECK(pair.node.losses == 0);
  CHECK(pair.node.spi_in == spi);
  CHECK(agree(pair.node, pair.agent));
  CHECK(pair.agent.charon->ike_sas() == 1);
}

TEST_CASE("a node whose charon is moved but whose home agent's is not still closes and moves on its own") {
  Pair pair;
  pair.node.addresses = {kSecond};
  pair.node.charon->migrate(kNodeReqid, kSecond, kAgent);
  pair.node.handle(ike::EndpointMoved{kSecond});
  pair.world.pass(5s);
  CHECK(agree(pair.node, pair.agent));
  // The IKE endpoint that charon was not loaded with goes: charon closes the IKE_SA, the core establishes a new one.
  pair.node.addresses = {kThird};
  pair.node.charon->address_vanished(kSecond);
  pair.node.handle(ike::ReestablishAsked{kThird, false});
  pair.world.pass(300s);
  CHECK(pair.node.keys);
  CHECK(pair.node.core->endpoint() == kThird);
  CHECK(agree(pair.node, pair.agent));
  CHECK(pair.node.charon->ike_sas() == 1);
}

TEST_CASE("charon closes an IKE_SA whose address has gone, unless it is the one that it was loaded with") {
  Pair pair;
  pair.node.addresses = {kSecond};
  pair.node.charon->address_vanished(kFirst);
  pair.world.pass(1s);
  CHECK(pair.node.troubles.empty());
  pair.move_both(kSecond);
  pair.node.addresses = {kThird};
  pair.node.charon->address_vanished(kSecond);
  pair.node.handle(ike::Settled{false});
  pair.world.pass(90ms);
  CHECK(pair.node.troubles.empty());
  pair.world.pass(20ms);
  CHECK(pair.node.troubles.find("charon closes the IKE connection because its address has gone") != std::string::npos);
  CHECK(state_of_first(pair.node) == "DELETING");
  pair.node.handle(ike::ReestablishAsked{kThird, false});
  pair.world.pass(300s);
  CHECK(pair.node.keys);
  CHECK(pair.node.losses == 0);
  CHECK(agree(pair.node, pair.agent));
}

TEST_CASE("a charon that does not follow is noticed, and the keys are made anew") {
  Pair pair;
  pair.node.addresses = {kFirst, kSecond};
  pair.node.follows = pair.agent.follows = false;
  pair.node.handle(ike::EndpointMoved{kSecond});
  pair.agent.handle(ike::PeerEndpointMoved{home_of(1), kSecond});
  pair.world.pass(10s);
  CHECK(pair.node.core->migration_failed());
  CHECK(pair.agent.move_failed);
  CHECK(pair.node.core->endpoint() == kSecond);
  CHECK(pair.node.fresh == 2);
  CHECK(agree(pair.node, pair.agent));
}

TEST_CASE("moves on a bad network end with one connection and keys on which both agree") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    Pair pair(seed);
    REQUIRE(pair.node.keys);
    pair.world.loss = 30;
    pair.world.duplicate = 20;
    pair.world.longest_delay = 200ms;
    auto here = kFirst;
    for (int move = 0; move < 10; ++move) {
      const auto before = here;
      here = std::array{kFirst, kSecond, kThird}[pair.world.draw(3)];
      if (here == before) continue;
      pair.node.addresses = {here};
      pair.node.charon->address_vanished(before);
      const bool usable = pair.node.core->endpoint().has_value() && !pair.node.core->migration_failed();
      if (usable && pair.world.draw(2) == 0) {
        pair.move_both(here);
      } else {
        pair.node.handle(ike::ReestablishAsked{here, false});
        pair.agent.handle(ike::PeerReplaceAsked{home_of(1), here});
      }
      pair.world.pass(Duration{100ms} * static_cast<int>(pair.world.draw(100)));
    }
    pair.world.loss = 0;
    pair.world.pass(600s);
    CHECK(pair.node.keys);
    CHECK(pair.node.core->endpoint() == here);
    CHECK(agree(pair.node, pair.agent));
    CHECK(pair.node.charon->ike_sas() == 1);
    CHECK(pair.agent.charon->ike_sas() == 1);
    CHECK(pair.node.kernel.states().size() == 2);
    CHECK(pair.agent.kernel.states().size() == 2);
  }
}
