// AgentKeying: stopping: everything of ours goes, within bounds.
#include "tests/catch.hpp"
#include "tests/unit/ike-glue/agent_harness.hpp"

using namespace ike_test;

TEST_CASE("stopping terminates and unloads what is ours, and is over when it is gone", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.handle(StopAsked{});
  REQUIRE(agent.list({agent.first, {.name = "office", .uniqueid = 5}}));
  CHECK(agent.terminated(1, false) == 1);
  CHECK(agent.terminated(5, false) == 0);
  REQUIRE(agent.answer("get-conns", Section{}.set("conns", Section::List{"mip6ha-laptop", "office"})));
  CHECK(agent.unloaded("mip6ha-laptop"));
  CHECK_FALSE(agent.unloaded("office"));
  while (agent.answer("unload-shared") || agent.answer("unload-conn") || agent.answer("terminate")) {
  }
  CHECK(agent.count<Stopped>() == 0);
  agent.down(agent.first);
  CHECK(agent.count<Stopped>() == 1);
}

TEST_CASE("stopping does not wait for what goes while it is being listed", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.handle(StopAsked{});
  agent.down(agent.first);
  REQUIRE(agent.list({agent.first}));
  REQUIRE(agent.answer("get-conns", Section{}.set("conns", Section::List{})));
  while (agent.answer("unload-shared") || agent.answer("terminate")) {
  }
  CHECK(agent.count<Stopped>() == 1);
}

TEST_CASE("the agent's stop is bounded: force after a second, over after one and a half", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.handle(StopAsked{});
  REQUIRE(agent.list({agent.first}));
  agent.pass(1s);
  CHECK(agent.terminated(1, true) == 1);
  agent.pass(500ms);
  CHECK(agent.count<Stopped>() == 1);
}

TEST_CASE("charon is not asked to force anything once it is gone", "[agent-keying]") {
  Agent agent;
  agent.connect();
  agent.up(agent.first);
  agent.handle(StopAsked{});
  REQUIRE(agent.list({agent.first}));
  agent.now += 2s;
  agent.handle(CharonDisconnected{{.tried = "t", .on = "o"}});
  CHECK(agent.terminated(1, true) == 0);
  CHECK(agent.count<Stopped>() == 1);
}
