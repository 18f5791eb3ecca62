// AgentKeying: nodes that come, go, are banned and get other credentials while it runs.
#include "tests/catch.hpp"
#include "tests/unit/ike-glue/agent_harness.hpp"

using namespace ike_test;

namespace {

AgentKeyingNode tablet(const std::string& secret = "a third") {
  return {.name = "tablet",
          .home_address = address("2001:db8:1::44"),
          .credentials = {.local_identity = "ha@example.org",
                          .remote_identity = "tablet@example.org",
                          .proof = PreSharedKey{secret}},
          .reqid = 13};
}

AgentKeyingNode laptop(const std::string& secret) {
  return {.name = "laptop",
          .home_address = kHome,
          .credentials = {.local_identity = "ha@example.org",
                          .remote_identity = "mn@example.org",
                          .proof = PreSharedKey{secret}},
          .reqid = 11};
}

// Of a request for secrets: the secret itself.
std::string secret_in(const ike::Request& request) { return request.message.text_or("data", ""); }

bool asked_for(const Agent& agent, std::string_view command, std::string_view key, std::string_view value) {
  return std::any_of(agent.requests.begin(), agent.requests.end(),
                     [&](const auto& one) { return one.command == command && one.message.text_or(key, "") == value; });
}

TEST_CASE("a node that comes is loaded at once, and nothing is asked about the others", "[agent-peers]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.forget();
  agent.handle(PeerServed{tablet()});
  ike::Request secret;
  REQUIRE(agent.take("load-shared", &secret));
  CHECK(secret.message.text_or("id", "") == "mip6ha-tablet");
  CHECK(agent.requests.empty());
  agent.handle(Answered{secret.id, Response{Section{}.set("success", "yes"), {}}});
  ike::Request connection;
  REQUIRE(agent.take("load-conn", &connection));
  CHECK(connection.message.section("mip6ha-tablet") != nullptr);
  agent.handle(Answered{connection.id, Response{Section{}.set("success", "yes"), {}}});
  CHECK(agent.requests.empty());
  agent.up({.name = "mip6ha-tablet",
            .uniqueid = 5,
            .local = kAgent,
            .remote = kThird,
            .remote_id = "tablet@example.org",
            .reqid = "13"});
  CHECK(agent.last<PeerKeysUp>()->home_address == address("2001:db8:1::44"));
}

TEST_CASE("a node that comes while charon is away is loaded when it is there, and what charon has of it goes",
          "[agent-peers]") {
  Agent agent;
  agent.handle(PeerServed{tablet()});
  CHECK(agent.requests.empty());
  agent.handle(CharonConnected{});
  agent.load();
  REQUIRE(agent.list({{.name = "mip6ha-tablet", .uniqueid = 5, .reqid = "13"}}));
  agent.pass(1s);
  CHECK(agent.count<PeerKeysUp>() == 0);
  CHECK(agent.terminated(5, true) == 1);
}

TEST_CASE("a node that goes takes connection, secret and every IKE_SA along, and no other node's", "[agent-peers]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  const Sa of_phone{.name = "mip6ha-phone", .uniqueid = 7, .local = kAgent, .remote = kThird, .reqid = "12"};
  agent.up(of_phone);
  agent.forget();
  agent.handle(PeerDismissed{kHome});
  CHECK(agent.unloaded("mip6ha-laptop"));
  CHECK(asked_for(agent, "unload-shared", "id", "mip6ha-laptop"));
  CHECK(agent.terminated(1, true) == 1);
  ike::Request list;
  REQUIRE(agent.take("list-sas", &list));
  CHECK(list.message.text_or("ike", "") == "mip6ha-laptop");
  // One that is not up yet, or of which no event came.
  agent.handle(Answered{list.id, Response{{}, {listed(agent.first), listed(agent.second)}}});
  CHECK(agent.terminated(1, true) == 1);
  CHECK(agent.terminated(2, true) == 1);
  CHECK(agent.terminated(7, true) + agent.terminated(7, false) == 0);
  CHECK_FALSE(agent.unloaded("mip6ha-phone"));
  agent.down(agent.first);
  agent.down(agent.second);
  agent.pass(60s);
  // Who dismissed it knows.
  CHECK(agent.count<PeerKeysDown>() + agent.count<PeerKeysUp>() + agent.count<PeerRefused>() == 0);
  agent.down(of_phone);
  CHECK(agent.count<PeerKeysDown>() == 1);
}

TEST_CASE("an IKE_SA that comes up under credentials that have gone is ended, not announced", "[agent-peers]") {
  Agent agent;
  agent.connect();
  agent.forget();
  agent.handle(PeerDismissed{kHome});
  agent.handle(PeerServed{laptop("a new secret")});
  CHECK_FALSE(agent.asked("load-shared"));  // first what is to end is known
  agent.up(agent.first);
  CHECK(agent.count<PeerKeysUp>() == 0);
  CHECK(agent.terminated(1, true) == 1);
  REQUIRE(agent.list({agent.first}));
  CHECK(agent.terminated(1, true) == 1);
  // A re-key of it that was under way.
  agent.event("ike-rekey", ike_rekeyed(agent.first, 9));
  CHECK(agent.terminated(9, true) == 1);
  agent.event("child-updown",
              updown({.name = "mip6ha-laptop", .uniqueid = 9, .local = kAgent, .remote = kFirst}, true));
  CHECK(agent.count<PeerKeysUp>() == 0);

  ike::Request secret;
  REQUIRE(agent.take("load-shared", &secret));
  CHECK(secret_in(secret) == "a new secret");
  agent.handle(Answered{secret.id, Response{Section{}.set("success", "yes"), {}}});
  REQUIRE(agent.answer("load-conn"));
  agent.up(agent.second);
  REQUIRE(agent.count<PeerKeysUp>() == 1);
  CHECK(agent.last<PeerKeysUp>()->spi_in == 0xc0000003);
  CHECK(agent.terminated(2, true) == 0);
}

TEST_CASE("a node that goes while it is being loaded does not hold the next one up", "[agent-peers]") {
  Agent agent;
  agent.handle(CharonConnected{});
  REQUIRE(agent.asked("load-shared"));  // laptop's
  agent.handle(PeerDismissed{kHome});
  REQUIRE(agent.answer("load-shared"));
  ike::Request next;
  REQUIRE(agent.take("load-shared", &next));
  CHECK(next.message.text_or("id", "") == "mip6ha-phone");
}

TEST_CASE("new credentials while charon is away: what the old ones made is dropped when it is back", "[agent-peers]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.handle(CharonDisconnected{});
  agent.forget();
  agent.handle(PeerDismissed{kHome});
  agent.handle(PeerServed{laptop("a new secret")});
  CHECK(agent.requests.empty());
  agent.handle(CharonConnected{});
  CHECK(asked_for(agent, "unload-shared", "id", "mip6ha-laptop"));
  agent.load();
  agent.forget();
  agent.handle(CharonConnected{});
  CHECK_FALSE(agent.asked("unload-shared"));
  agent.load();
  REQUIRE(agent.list({agent.first}));
  agent.pass(1s);
  CHECK(agent.terminated(1, true) == 1);
  CHECK(agent.count<PeerKeysUp>() == 0);
}

TEST_CASE("who is banned is known when it asks, and counted under its name", "[agent-peers]") {
  Agent agent;
  agent.connect();
  agent.handle(PeersBanned{{{"laptop", kHome, "mn@example.org"}}});
  agent.handle(PeerDismissed{kHome});
  agent.forget();
  const Sa attempt{.name = "(unnamed)",
                   .uniqueid = 8,
                   .local = kAgent,
                   .state = "CONNECTING",
                   .child = false,
                   .remote = kSecond,
                   .remote_id = "mn@example.org"};
  agent.event("ike-updown", updown(attempt, false));
  agent.pass(1s);
  REQUIRE(agent.count<PeerRefused>() == 1);
  CHECK(agent.last<PeerRefused>()->reason == "banned");
  CHECK(agent.last<PeerRefused>()->claimed == kHome);
  CHECK(agent.last<Trouble>()->what.find("laptop is banned") != std::string::npos);
  CHECK(agent.last<Trouble>()->what.find(kSecond.to_string()) != std::string::npos);
  CHECK(agent.last<Trouble>()->remedy.find("mip6-ha unban laptop") != std::string::npos);

  agent.handle(PeersBanned{});
  agent.pass(60s);
  agent.event("ike-updown", updown(attempt, false));
  agent.pass(1s);
  CHECK(agent.last<PeerRefused>()->reason == "authentication failed");
  CHECK_FALSE(agent.last<PeerRefused>()->claimed);
}

TEST_CASE("where only banned nodes are left, who asks is counted as such, and claims to be nobody", "[agent-peers]") {
  Agent agent;
  agent.connect();
  const auto asked_in_vain = [&](int uniqueid) {
    for (const char* line : {"received packet: from 2001:db8:a1::7[500] to 2001:db8:1::1[500] (336 bytes)",
                             "no IKE config found for 2001:db8:1::1...2001:db8:a1::7"})
      agent.event(
          "log",
          Section{}.set("ikesa-name", "(unnamed)").set("ikesa-uniqueid", std::to_string(uniqueid)).set("msg", line));
    agent.pass(200ms);
  };
  agent.handle(PeersBanned{{{"laptop", kHome, "mn@example.org"}}});
  asked_in_vain(11);
  CHECK(agent.last<PeerRefused>()->reason == "no proposal in common");  // another node is served
  for (const auto& home_address : {kHome, kOtherHome}) agent.handle(PeerDismissed{home_address});
  asked_in_vain(12);
  CHECK(agent.last<PeerRefused>()->reason == "all nodes with keys by IKE are banned");
  CHECK_FALSE(agent.last<PeerRefused>()->claimed);
  CHECK(agent.last<Trouble>()->what.find("banned (laptop)") != std::string::npos);
  CHECK(agent.last<Trouble>()->what.find("2001:db8:a1::7") != std::string::npos);
  CHECK(agent.last<Trouble>()->remedy.find("mip6-ha unban laptop") != std::string::npos);
  agent.handle(PeersBanned{});
  asked_in_vain(13);
  CHECK(agent.last<PeerRefused>()->reason == "no node with keys by IKE");
}

TEST_CASE("what was to be done later for a node that is dismissed is not done", "[agent-peers]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.up(agent.second);  // the first is to be dropped, states that nobody knows are to be deleted
  agent.handle(PeerEndpointMoved{kHome, kFirst});
  REQUIRE(agent.core.next_deadline());
  agent.handle(PeerDismissed{kHome});
  CHECK_FALSE(agent.core.next_deadline());
  agent.forget();
  agent.pass(60s);
  CHECK(agent.count<Request>() == 0);
  CHECK(agent.count<DeletePeerStatesExcept>() == 0);
}

TEST_CASE("nobody comes or goes while it stops", "[agent-peers]") {
  Agent agent;
  agent.connect();
  agent.handle(StopAsked{});
  agent.forget();
  agent.handle(PeerServed{tablet()});
  agent.handle(PeerDismissed{kHome});
  CHECK_FALSE(agent.asked("load-shared"));
  CHECK_FALSE(agent.asked("unload-conn"));
}

}  // namespace
