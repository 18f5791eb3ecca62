// What becomes of an event in the log.
#include "mnd/journal.hpp"

#include "tests/catch.hpp"

using mnd::Journal;
using mnd::level_of;
using mnd::kernel::Level;

TEST_CASE("trouble and numbers that run out are warnings in the log, all other events are not", "[journal]") {
  CHECK(level_of("trouble") == Level::kWarning);
  CHECK(level_of("numbers") == Level::kWarning);
  for (const auto* kind : {"registered", "home", "detached", "keys", "prefixes", "stopping", "stopped"}) {
    INFO(kind);
    CHECK(level_of(kind) == Level::kInfo);
  }
}

TEST_CASE("the journal keeps an event whatever its level", "[journal]") {
  Journal journal;
  journal.add("numbers", "half of them are used");
  const auto events = journal.to_json();
  REQUIRE(events.size() == 1);
  CHECK(events[0]["kind"] == "numbers");
  CHECK(events[0]["text"] == "half of them are used");
  CHECK_FALSE(events[0].contains("remedy"));
}

TEST_CASE("what to do about an event is a member of its own, also for who follows them", "[journal]") {
  Journal journal;
  std::string published;
  journal.on_new([&published](const std::string& line) { published = line; });
  journal.add("trouble", "home agent 2001:db8:1::1 does not answer IKE", "check its address");
  const auto event = journal.to_json().at(0);
  CHECK(event["text"] == "home agent 2001:db8:1::1 does not answer IKE");
  CHECK(event["remedy"] == "check its address");
  CHECK(nlohmann::json::parse(published) == event);
}
