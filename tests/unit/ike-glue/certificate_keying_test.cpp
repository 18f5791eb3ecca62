// Both keying cores with certificates: what is loaded before a connection, and that stopping takes it out again.
#include "ike-glue/agent_keying.hpp"
#include "ike-glue/node_keying.hpp"
#include "tests/catch.hpp"
#include "tests/unit/ike-glue/charon_double.hpp"

using namespace ike_test;
using namespace ike;

namespace {

const Certificate kCertificate{"the key", "own", {"intermediate", "root"}, "30"};
constexpr const char* kAuth = "pubkey-sha256-sha384-sha512-identity";
const auto kOtherHome = address("2001:db8:1::43");

struct Node : Harness<NodeKeying, NodeKeyingEvent, NodeKeyingAction> {
  Node() : Harness(NodeKeyingPolicy{kHome, kAgent, {kHome.to_string(), kAgent.to_string(), kCertificate}, 11}) {
    handle(CharonConnected{});
    list();
    answer("get-conns", Section{}.set("conns", Section::List{}));
    handle(EstablishAsked{kFirst});
  }
};

// One node with a secret, two with certificates.
struct Agent : Harness<AgentKeying, AgentKeyingEvent, AgentKeyingAction> {
  Agent()
      : Harness(AgentKeyingPolicy{
            kAgent,
            {{"desk", address("2001:db8:1::44"), {kAgent.to_string(), "desk", PreSharedKey{"the secret"}}, 13},
             {"laptop", kHome, {kAgent.to_string(), kHome.to_string(), kCertificate}, 11},
             {"phone",
              kOtherHome,
              {kAgent.to_string(), kOtherHome.to_string(), kCertificate, default_method(IkeVersion::kV2), "its own"},
              12}}}) {
    handle(CharonConnected{});
  }
  bool load_nodes() {
    return answer("load-shared") && answer("load-conn") && answer("load-conn") && answer("load-conn");
  }
};

bool unloads_authority(const auto& harness, const std::string& name) {
  return std::any_of(harness.requests.begin(), harness.requests.end(), [&](const Request& request) {
    return request.command == "unload-authority" && request.message.text_or("name", "") == name;
  });
}

}  // namespace

TEST_CASE("CA certificates, key and connection are loaded before each initiation", "[node-keying]") {
  Node node;
  for (int attempt = 1; attempt <= 2; ++attempt) {
    Request authorities;
    REQUIRE(node.take("load-authority", &authorities));
    REQUIRE(authorities.message.section("mip6-2001-db8-1--42-ca-0"));
    CHECK(authorities.message.section("mip6-2001-db8-1--42-ca-0")->text_or("cacert", "") == "intermediate");
    CHECK(authorities.message.section("mip6-2001-db8-1--42-ca-1")->text_or("cacert", "") == "root");
    CHECK_FALSE(node.asked("load-key"));
    node.handle(Answered{authorities.id, Response{Section{}.set("success", "yes"), {}}});
    Request key;
    REQUIRE(node.take("load-key", &key));
    CHECK(key.message.text_or("data", "") == "the key");
    CHECK_FALSE(node.asked("load-conn"));
    node.handle(Answered{key.id, Response{Section{}.set("success", "yes").set("id", "abc"), {}}});
    Request connection;
    REQUIRE(node.take("load-conn", &connection));
    const auto* loaded = connection.message.section("mip6-2001-db8-1--42-" + std::to_string(attempt));
    REQUIRE(loaded);
    CHECK(loaded->section("local")->text_or("auth", "") == kAuth);
    CHECK(loaded->section("local")->text_or("id", "") == "2001:db8:1::42");
    CHECK(*loaded->section("local")->list("certs") == Section::List{"own"});
    CHECK(loaded->section("remote")->text_or("auth", "") == kAuth);
    CHECK(loaded->section("remote")->text_or("ca_id", "") == "asn1dn:#30");
    // charon would keep it, trusted, when the connection has gone
    CHECK_FALSE(loaded->section("remote")->list("cacerts"));
    node.handle(Answered{connection.id, Response{Section{}.set("success", "no").set("errmsg", "no"), {}}});
    node.pass(2s);
  }
  CHECK_FALSE(node.asked("load-shared"));
}

TEST_CASE("what charon refuses of a certificate is told by name, without the key", "[node-keying]") {
  Node node;
  REQUIRE(node.refuse("load-authority", "no CA"));
  REQUIRE(node.last<Trouble>());
  CHECK(node.last<Trouble>()->what == "charon refuses the CA certificates: no CA");
  node.pass(1s);
  REQUIRE(node.answer("load-authority"));
  REQUIRE(node.refuse("load-key", "parsing failed"));
  CHECK(node.last<Trouble>()->what == "charon refuses the private key: parsing failed");
}

TEST_CASE("the log's reasons have words of their own with certificates", "[node-keying]") {
  const std::pair<const char*, const char*> lines[] = {
      {"received AUTHENTICATION_FAILED notify error", "wrong certificate or identity"},
      {"no private key found for '2001:db8:1::42'", "no private key"},
      {"no trusted RSA public key found for '2001:db8:1::1'", "not trusted"},
      {"no issuer certificate found for \"CN=ha\"", "not trusted"},
      {"subject certificate invalid (valid from Jan 01 00:00:00 2020 to Jan 02 00:00:00 2020)", "expired"},
      {"received TS_UNACCEPTABLE notify, no CHILD_SA built", "does not have home address"},
  };
  for (const auto& [line, words] : lines) {
    Node node;
    REQUIRE((node.answer("load-authority") && node.answer("load-key") && node.answer("load-conn")));
    REQUIRE(node.answer("initiate"));
    node.event("log", logged("mip6-2001-db8-1--42-1", line));
    node.pass(200ms);
    REQUIRE(node.list());
    REQUIRE(node.last<Trouble>());
    INFO(node.last<Trouble>()->what);
    CHECK(node.last<Trouble>()->what.find(words) != std::string::npos);
    CHECK_FALSE(node.last<Trouble>()->remedy.empty());
  }
}

TEST_CASE("stopping takes key and CA certificates out of charon, those of an earlier run too", "[node-keying]") {
  Node node;
  node.forget();
  node.handle(StopAsked{});
  CHECK_FALSE(node.asked("unload-shared"));
  REQUIRE(node.list());
  REQUIRE(node.answer("get-conns", Section{}.set("conns", Section::List{})));
  while (node.answer("terminate")) {
  }
  Section authorities;
  authorities.set("authorities", Section::List{"office", "mip6-2001-db8-1--42-ca-0", "mip6-2001-db8-1--42-ca-7"});
  REQUIRE(node.answer("get-authorities", authorities));
  CHECK(unloads_authority(node, "mip6-2001-db8-1--42-ca-0"));
  CHECK(unloads_authority(node, "mip6-2001-db8-1--42-ca-7"));
  CHECK_FALSE(unloads_authority(node, "office"));
  REQUIRE(node.answer("load-key", Section{}.set("success", "yes").set("id", "abc")));
  Request unload;
  REQUIRE(node.take("unload-key", &unload));
  CHECK(unload.message.text_or("id", "") == "abc");
  while (node.answer("unload-authority")) {
  }
  CHECK(node.count<Stopped>() == 0);
  node.handle(Answered{unload.id, Response{Section{}.set("success", "yes"), {}}});
  CHECK(node.count<Stopped>() == 1);
}

TEST_CASE("the agent's certificate is loaded once, before all nodes", "[agent-keying]") {
  Agent agent;
  REQUIRE(agent.requests.size() == 1);
  REQUIRE(agent.answer("load-authority"));
  REQUIRE(agent.answer("load-key"));
  REQUIRE(agent.answer("load-shared"));
  Request connection;
  REQUIRE(agent.take("load-conn", &connection));
  CHECK(connection.message.section("mip6ha-desk")->section("remote")->text_or("auth", "") == "psk");
  agent.handle(Answered{connection.id, Response{Section{}.set("success", "yes"), {}}});
  REQUIRE(agent.take("load-conn", &connection));
  const auto* laptop = connection.message.section("mip6ha-laptop");
  REQUIRE(laptop);
  CHECK(laptop->section("local")->text_or("auth", "") == kAuth);
  CHECK(laptop->section("remote")->text_or("auth", "") == kAuth);
  CHECK(laptop->section("remote")->text_or("id", "") == "2001:db8:1::42");
  CHECK(*laptop->section("children")->section("reg")->list("remote_ts") == Section::List{"2001:db8:1::42/128[135]"});
  CHECK_FALSE(laptop->section("remote")->list("certs"));
  agent.handle(Answered{connection.id, Response{Section{}.set("success", "yes"), {}}});
  REQUIRE(agent.take("load-conn", &connection));
  const auto* phone = connection.message.section("mip6ha-phone")->section("remote");
  REQUIRE(phone->list("certs"));
  CHECK(*phone->list("certs") == Section::List{"its own"});
  CHECK(phone->text_or("ca_id", "") == "asn1dn:#30");
  agent.handle(Answered{connection.id, Response{Section{}.set("success", "yes"), {}}});
  CHECK(agent.asked("list-sas"));
  CHECK_FALSE(agent.asked("load-key"));
}

TEST_CASE("a key that charon refuses is told, and nodes with a secret are loaded all the same", "[agent-keying]") {
  Agent agent;
  REQUIRE(agent.answer("load-authority"));
  REQUIRE(agent.refuse("load-key", "parsing failed"));
  REQUIRE(agent.last<Trouble>());
  CHECK(agent.last<Trouble>()->what == "charon refuses the private key of the home agent: parsing failed");
  CHECK(agent.load_nodes());
}

TEST_CASE("a node whose certificate is refused is told so, and what we loaded is loaded again", "[agent-keying]") {
  Agent agent;
  REQUIRE((agent.answer("load-authority") && agent.answer("load-key") && agent.load_nodes()));
  const Sa claimed{.name = "mip6ha-laptop",
                   .uniqueid = 4,
                   .local = kAgent,
                   .state = "CONNECTING",
                   .child = false,
                   .remote = kFirst,
                   .remote_id = "2001:db8:1::42"};
  agent.event("ike-updown", updown(claimed, false));
  agent.pass(200ms);
  REQUIRE(agent.last<Trouble>());
  CHECK(agent.last<Trouble>()->remedy.find("subjectAltName") != std::string::npos);
  CHECK((agent.answer("load-authority") && agent.answer("load-key") && agent.answer("load-conn")));
  CHECK_FALSE(agent.asked("load-conn"));
}

TEST_CASE("the agent takes secrets, key and CA certificates out of charon when stopping", "[agent-keying]") {
  Agent agent;
  REQUIRE((agent.answer("load-authority") && agent.answer("load-key") && agent.load_nodes()));
  agent.forget();
  agent.handle(StopAsked{});
  REQUIRE(agent.list());
  REQUIRE(agent.answer("get-conns", Section{}.set("conns", Section::List{})));
  REQUIRE(agent.answer("unload-shared"));
  CHECK_FALSE(agent.asked("unload-shared"));
  REQUIRE(agent.answer("get-authorities", Section{}.set("authorities", Section::List{"office", "mip6ha-ca-0"})));
  CHECK(unloads_authority(agent, "mip6ha-ca-0"));
  CHECK_FALSE(unloads_authority(agent, "office"));
  REQUIRE(agent.answer("load-key", Section{}.set("success", "yes").set("id", "abc")));
  REQUIRE(agent.answer("unload-authority"));
  CHECK(agent.count<Stopped>() == 0);
  REQUIRE(agent.answer("unload-key"));
  CHECK(agent.count<Stopped>() == 1);
}
