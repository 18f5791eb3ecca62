// charon's words as reasons, and the words for the user of either end.
#include "ike-glue/reasons.hpp"

#include "ike-glue/agent_keying.hpp"
#include "tests/catch.hpp"
#include "tests/unit/ike-glue/agent_harness.hpp"
#include "tests/unit/ike-glue/node_harness.hpp"

using namespace ike_test;
using namespace ike;

namespace {

constexpr std::int64_t kNow = 1795000000;  // November 2026

std::string what_at_node(Reason reason, const Credentials& credentials, std::int64_t now = kNow) {
  const auto words = words_at_node(reason, {"2001:db8:1::1", "2001:db8:1::42", credentials, now});
  CHECK_FALSE(words.remedy.empty());
  return words.what;
}

Section agent_log(int uniqueid, const std::string& name, const std::string& line) {
  return Section{}.set("ikesa-name", name).set("ikesa-uniqueid", std::to_string(uniqueid)).set("msg", line);
}

constexpr const char* kPacket = "received packet: from 2001:db8:a1::7[500] to 2001:db8:1::1[500] (336 bytes)";

}  // namespace

TEST_CASE("charon's lines at either end are read, in IKEv2 and IKEv1", "[reasons]") {
  for (const auto& [line, reason] : {
           std::pair{"received NO_PROPOSAL_CHOSEN notify error", Reason::kProposal},
           {"received NO_PROPOSAL_CHOSEN error notify", Reason::kProposal},
           {"received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built", Reason::kChildProposal},
           {"received AUTHENTICATION_FAILED notify error", Reason::kRefused},
           {"received AUTHENTICATION_FAILED error notify", Reason::kRefused},
           {"received TS_UNACCEPTABLE notify, no CHILD_SA built", Reason::kHomeAddress},
           {"received INVALID_ID_INFORMATION error notify", Reason::kHomeAddress},
           {"establishing IKE_SA failed, peer not responding", Reason::kSilent},
           {"received proposals unacceptable", Reason::kProposal},
           {"no IKE config found for 2001:db8:1::1...2001:db8:a1::7, sending NO_PROPOSAL_CHOSEN", Reason::kProposal},
           {"no proposal found", Reason::kProposal},
           {"no matching proposal found, sending NO_PROPOSAL_CHOSEN", Reason::kChildProposal},
           {"no acceptable proposal found", Reason::kChildProposal},
           {"Aggressive Mode PSK disabled for security reasons", Reason::kAggressive},
           {"found 1 matching config, but none allows pre-shared key authentication using Main Mode", Reason::kMode},
           {"no matching peer config found", Reason::kIdentity},
           {"IDir 'x' does not match to 'y'", Reason::kIdentity},
           {"tried 1 shared key for 'a' - 'b', but MAC mismatched", Reason::kSecret},
           {"calculated HASH does not match HASH payload", Reason::kSecret},
           {"no shared key found for 'a' - 'b'", Reason::kNoSecret},
           {"no private key found for '2001:db8:1::42'", Reason::kNoKey},
           {"no RSA private key found for '2001:db8:1::42'", Reason::kNoKey},
           {"certificate was revoked on Nov 26 01:00:00 UTC 2026, reason: unspecified", Reason::kRevoked},
           {"IKE signature scheme RSA_EMSA_PKCS1_SHA1 not acceptable", Reason::kWeakSignature},
           {"no issuer certificate found for \"CN=ha\"", Reason::kNotTrusted},
           {"no trusted RSA public key found for 'x'", Reason::kNotTrusted},
           {"constraint check failed: peer not authenticated by CA 'CN=root'", Reason::kNotTrusted},
           {"constraint check failed: identity 'x' required ", Reason::kIdentity},
           {"traffic selectors 2001:db8:1::1/128 === 2001:db8:1::43/128 unacceptable", Reason::kHomeAddress},
           {"no matching CHILD_SA config found for 2001:db8:1::43/128 === 2001:db8:1::1/128", Reason::kHomeAddress},
       }) {
    INFO(line);
    CHECK(read_reason(line, 0) == reason);
  }
  for (const auto* line : {"", "IKE_SA mip6-1[1] established between a...b", "certificate status is good",
                           "DH group ECP_256 unacceptable, requesting CURVE_25519", "sending end entity cert \"CN=mn\"",
                           "received packet: from a[500] to b[500] (1 bytes)"})
    CHECK_FALSE(read_reason(line, kNow));
}

TEST_CASE("which end of a certificate's validity has passed is told by the clock", "[reasons]") {
  const std::string line = "  subject certificate invalid (valid from Jan 02 00:00:00 2026 to Feb 03 00:00:00 2026)";
  CHECK(read_reason(line, 0) == Reason::kNotValidNow);
  CHECK(read_reason(line, kNow) == Reason::kExpired);
  CHECK(read_reason(line, 1700000000) == Reason::kNotYetValid);
  CHECK(read_reason("issuer certificate invalid (valid from never to then)", kNow) == Reason::kNotValidNow);
  CHECK(read_reason("issuer certificate invalid (valid from ", kNow) == Reason::kNotValidNow);
}

TEST_CASE("our own certificate is named when it is the reason", "[reasons]") {
  Certificate own{"key", "own", {"root"}, "30"};
  own.valid_from = 1700000000;
  own.valid_until = 1710000000;
  const Credentials credentials{"2001:db8:1::42", "2001:db8:1::1", own};
  CHECK(what_at_node(Reason::kRefused, credentials).find("our certificate") == 0);
  CHECK(what_at_node(Reason::kRefused, credentials).find("expired") != std::string::npos);
  CHECK(what_at_node(Reason::kRefused, credentials, 1600000000).find("not valid yet") != std::string::npos);
  CHECK(what_at_node(Reason::kRefused, credentials, 1705000000).find("wrong certificate or identity") !=
        std::string::npos);
  CHECK(what_at_node(Reason::kExpired, credentials).find("the certificate of home agent") == 0);
}

TEST_CASE("every reason has words of its own at both ends, and none has the secret", "[reasons]") {
  const Credentials secret{"mn@example.org", "ha@example.org", PreSharedKey{"geheim"}, default_method(IkeVersion::kV1)};
  for (int i = 0; i <= static_cast<int>(Reason::kSilent); ++i) {
    const auto reason = static_cast<Reason>(i);
    const auto node = words_at_node(reason, {"2001:db8:1::1", "2001:db8:1::42", secret, kNow});
    const auto agent = words_at_agent(reason, {"mn@example.org", "2001:db8:a1::7", &secret});
    for (const auto& words : {node, agent}) {
      CHECK_FALSE(words.what.empty());
      CHECK_FALSE(words.remedy.empty());
      CHECK((words.what + words.remedy).find("geheim") == std::string::npos);
    }
    CHECK(agent.what.find("mn@example.org from 2001:db8:a1::7") != std::string::npos);
  }
  CHECK(words_at_node(Reason::kRefused, {"a", "b", secret}).remedy.find("i_dont_care_about_security") !=
        std::string::npos);
  CHECK(words_at_agent(Reason::kAggressive, {"a", "b", &secret}).remedy.find("i_dont_care_about_security") !=
        std::string::npos);
}

TEST_CASE("the node tells charon's own words with the reason", "[node-keying]") {
  Node node;
  node.connect();
  node.handle(EstablishAsked{kFirst});
  REQUIRE(node.load_and_initiate());
  SECTION("one line") {
    node.event("log", logged(Node::name(1), "received NO_PROPOSAL_CHOSEN notify error"));
    node.pass(300ms);
    REQUIRE(node.list());
    CHECK(node.last<Trouble>()->what.find("(charon: received NO_PROPOSAL_CHOSEN notify error)") != std::string::npos);
    CHECK(node.last<Trouble>()->remedy.find("aes128-aes256-sha256-x25519-ecp256") != std::string::npos);
  }
  SECTION("IKEv1 says the same of ESP when IKE is up") {
    Sa childless = node.first;
    childless.child = false;
    node.event("ike-updown", updown(childless, true));
    node.event("log", logged(Node::name(1), "received NO_PROPOSAL_CHOSEN error notify"));
    node.pass(300ms);
    REQUIRE(node.list({childless}));
    CHECK(node.last<Trouble>()->what.find("proposals for ESP") != std::string::npos);
  }
  SECTION("a line of any length is cut") {
    node.event("log", logged(Node::name(1), "no trusted " + std::string(10000, 'x')));
    node.pass(300ms);
    REQUIRE(node.list());
    CHECK(node.last<Trouble>()->what.size() < 400);
  }
}

TEST_CASE("the agent tells a refusal with charon's reason, which comes after the event", "[agent-keying]") {
  Agent agent;
  agent.connect();
  Sa refused = agent.first;
  refused.state = "CONNECTING";
  refused.child = false;
  agent.event("log", agent_log(refused.uniqueid, "(unnamed)", kPacket));
  agent.event("ike-updown", updown(refused, false));
  CHECK(agent.count<Trouble>() == 0);
  agent.event("log", agent_log(refused.uniqueid, refused.name, "tried 1 shared key for 'a' - 'b', but MAC mismatched"));
  agent.pass(200ms);
  REQUIRE(agent.count<Trouble>() == 1);
  CHECK(agent.last<Trouble>()->what.find("mn@example.org from 2001:db8:a1::7") != std::string::npos);
  CHECK(agent.last<Trouble>()->what.find("MAC mismatched") != std::string::npos);
  agent.pass(1min);
  CHECK(agent.count<Trouble>() == 1);
}

TEST_CASE("a refusal without event is told if it was at the home agent's address", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.forget();
  std::string packet = kPacket;
  SECTION("at ours") {
    agent.event("log", agent_log(7, "(unnamed)", packet));
    agent.event("log", agent_log(7, "(unnamed)", "received proposals unacceptable"));
    agent.pass(200ms);
    REQUIRE(agent.count<Trouble>() == 1);
    CHECK(agent.last<Trouble>()->what.find("a peer from 2001:db8:a1::7: no proposal for IKE") == 0);
  }
  SECTION("at another") {
    packet.replace(packet.find("2001:db8:1::1"), 13, "2001:db8:1::9");
    agent.event("log", agent_log(7, "(unnamed)", packet));
    agent.event("log", agent_log(7, "(unnamed)", "received proposals unacceptable"));
    agent.pass(200ms);
    CHECK(agent.count<Trouble>() == 0);
  }
}

TEST_CASE("peers that fail all the time are not told all the time", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.forget();
  for (int i = 100; i < 1100; ++i) {
    agent.event("log", agent_log(i, "(unnamed)", kPacket));
    agent.event("log", agent_log(i, "(unnamed)", "no matching peer config found, try " + std::to_string(i)));
    agent.pass(1ms);
  }
  agent.pass(1s);
  CHECK(agent.count<Trouble>() >= 1);
  CHECK(agent.count<Trouble>() <= 32);
}

TEST_CASE("why an authenticated peer got no security association is told in the log's words, before or after it goes",
          "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.forget();
  Sa alone = agent.first;
  alone.child = false;
  agent.event("ike-updown", updown(alone, true));
  agent.event("log", agent_log(alone.uniqueid, alone.name, "no acceptable proposal found"));
  SECTION("it goes at once") {
    agent.event("ike-updown", updown(alone, false));
    agent.pass(200ms);
  }
  SECTION("it goes later") {
    agent.pass(200ms);
    agent.event("ike-updown", updown(alone, false));
  }
  REQUIRE(agent.count<Trouble>() == 1);
  CHECK(agent.last<Trouble>()->what.find("no proposal for ESP in common") != std::string::npos);
  CHECK(agent.count<PeerRefused>() == 1);
}

TEST_CASE("what charon refuses in a flood is counted by its limit, and nobody is told", "[agent-keying]") {
  Agent agent;
  agent.connect();
  for (const auto& [line, reason] : {
           std::pair{"ignoring IKE_SA setup from 2001:db8:bad::1, per-IP half-open IKE_SA limit of 5 reached",
                     "too many half-open from one address"},
           {"ignoring IKE_SA setup from 2001:db8:bad::1, half-open IKE_SA limit of 2000 reached", "too many half-open"},
           {"ignoring IKE_SA setup from 2001:db8:bad::1, job load of 9 exceeds limit of 8",
            "charon has too much to do"},
           {"deleting half open IKE_SA with 2001:db8:bad::1 after timeout", "not finished in time"},
       }) {
    INFO(line);
    agent.forget();
    Section section;
    section.set("group", "NET").set("level", "1").set("msg", line);  // there is no IKE_SA yet
    agent.event("log", section);
    agent.pass(200ms);
    REQUIRE(agent.count<PeerRefused>() == 1);
    CHECK(agent.last<PeerRefused>()->reason == reason);
    CHECK_FALSE(agent.last<PeerRefused>()->claimed);
    CHECK(agent.count<Trouble>() == 0);
  }
  agent.forget();
  Section other;
  other.set("group", "NET").set("level", "1").set("msg", "ignoring IKE_SA setup from somebody, for another reason");
  agent.event("log", other);
  CHECK(agent.count<PeerRefused>() == 0);
}

TEST_CASE("connections that others have unloaded are loaded again when a peer finds none, once a minute at most",
          "[agent-keying]") {
  Agent agent;
  agent.connect();
  const auto asked_in_vain = [&](int uniqueid) {
    agent.event("log", agent_log(uniqueid, "(unnamed)", kPacket));
    agent.event("log", agent_log(uniqueid, "(unnamed)", "no IKE config found for 2001:db8:1::1...2001:db8:a1::7"));
    agent.pass(200ms);
  };
  const auto there = [](Section::List names) { return Section{}.set("conns", std::move(names)); };
  agent.forget();
  asked_in_vain(7);
  SECTION("all are there") {
    REQUIRE(agent.answer("get-conns", there({"office", "mip6ha-laptop", "mip6ha-phone"})));
    CHECK_FALSE(agent.asked("load-shared"));
  }
  SECTION("one is missing") {
    REQUIRE(agent.answer("get-conns", there({"office", "mip6ha-phone"})));
    CHECK(agent.last<Trouble>()->what.find("others have unloaded 1 of our 2 connections") == 0);
    CHECK(agent.answer("load-shared"));
    CHECK(agent.answer("load-conn"));
    CHECK_FALSE(agent.asked("load-shared"));
  }
  agent.pass(10s);
  asked_in_vain(8);
  CHECK_FALSE(agent.asked("get-conns"));
  agent.pass(1min);
  asked_in_vain(9);
  CHECK(agent.asked("get-conns"));
}

TEST_CASE("who comes while the connections are loaded does not use up that minute", "[agent-keying]") {
  Agent agent;
  const auto asked_in_vain = [&](int uniqueid) {
    agent.event("log", agent_log(uniqueid, "(unnamed)", kPacket));
    agent.event("log", agent_log(uniqueid, "(unnamed)", "no IKE config found for 2001:db8:1::1...2001:db8:a1::7"));
  };
  agent.handle(CharonConnected{});
  asked_in_vain(7);
  agent.load();
  REQUIRE(agent.list({}));
  REQUIRE(agent.answer("get-conns", Section{}.set("conns", Section::List{})));
  agent.pass(200ms);
  CHECK_FALSE(agent.asked("get-conns"));
  asked_in_vain(8);
  agent.pass(200ms);
  CHECK(agent.asked("get-conns"));
}
