// Which trouble `mip6ctl status` shows.
#include "mnd/troubles.hpp"

#include "tests/catch.hpp"

using namespace std::chrono_literals;
using mnd::Troubles;

namespace {

constexpr mip6::BootTime kStart{};

}  // namespace

TEST_CASE("where nothing was wrong nothing is shown") {
  Troubles troubles;
  troubles.over("keys");
  CHECK(troubles.shown() == nullptr);
}

TEST_CASE("a trouble stays current until its own source says that it is over") {
  Troubles troubles;
  CHECK(troubles.begin("registration", "no answer", "", kStart));
  troubles.over("keys");
  CHECK(troubles.shown()->current);
  troubles.over("registration");
  REQUIRE(troubles.shown());
  CHECK_FALSE(troubles.shown()->current);
  CHECK(troubles.shown()->what == "no answer");
}

TEST_CASE("a newer trouble that passed does not hide an older one that is still true") {
  Troubles troubles;
  troubles.begin("registration", "no answer", "", kStart);
  troubles.begin("keys", "charon is away", "", kStart + 1s);
  CHECK(troubles.shown()->what == "charon is away");
  troubles.over("keys");
  CHECK(troubles.shown()->what == "no answer");
  CHECK(troubles.shown()->current);
}

TEST_CASE("what this machine lacks is shown before what others answer, until it is over") {
  Troubles troubles;
  troubles.begin("xfrm", "no module mip6", "modprobe mip6", kStart, true);
  troubles.begin("keys", "no answer", "", kStart + 1s);
  CHECK(troubles.shown()->what == "no module mip6");
  troubles.over("xfrm");
  CHECK(troubles.shown()->what == "no answer");
}

TEST_CASE("the same trouble of the same source is new only after it was over") {
  Troubles troubles;
  CHECK(troubles.begin("disk", "full", "", kStart));
  CHECK_FALSE(troubles.begin("disk", "full", "", kStart + 1s));
  CHECK(troubles.begin("disk", "read-only", "", kStart + 2s));
  troubles.over("disk");
  CHECK_FALSE(troubles.current("disk"));
  CHECK(troubles.begin("disk", "read-only", "", kStart + 3s));
}
