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
}
