// When routers are asked for.
#include "libmip6/node/router_solicitation.hpp"

#include "tests/catch.hpp"

using namespace mip6;
using namespace mip6::node;
using namespace std::chrono_literals;

namespace {

struct Exact : Random {  // no deviation
  std::uint32_t draw() override { return 100; }
};

struct Asking {
  Exact random;
  RouterSolicitation core{random};
  BootTime now{100s};

  std::vector<std::uint32_t> see(std::vector<LinkRouters> links) { return core.handle(links, now); }
  // When it asks within `time`, seconds from now on.
  std::vector<long> wait(std::vector<LinkRouters> links, Duration time) {
    std::vector<long> times;
    const auto begin = now;
    while (core.next_deadline() && *core.next_deadline() <= begin + time) {
      now = *core.next_deadline();
      for ([[maybe_unused]] const auto interface : see(links)) times.push_back((now - begin) / 1s);
    }
    now = begin + time;
    return times;
  }
};

using Interfaces = std::vector<std::uint32_t>;

}  // namespace

TEST_CASE("sound links that are there from the beginning are left alone", "[router-solicitation]") {
  Asking node;
  CHECK(node.see({{2, true, true}, {3, false, false}}).empty());
  CHECK(node.see({{2, true, true}, {3, false, false}}).empty());
  CHECK_FALSE(node.core.next_deadline());
}

TEST_CASE("a link that comes up is asked at once, and once where an old default route has survived",
          "[router-solicitation]") {
  Asking node;
  node.see({{2, false, true}});
  SECTION("up") { CHECK(node.see({{2, true, true}}) == Interfaces{2}); }
  SECTION("a new interface that runs already") {
    CHECK(node.see({{2, false, true}, {5, true, true}}) == Interfaces{5});
  }
  SECTION("after sleep") {
    node.see({{2, true, true}});
    node.core.forget();
    CHECK(node.see({{2, true, true}}) == Interfaces{2});
  }
  CHECK_FALSE(node.core.next_deadline());
}

TEST_CASE("without a router that can be reached it is asked again, more and more seldom", "[router-solicitation]") {
  Asking node;
  const LinkRouters without{2, true, false};
  SECTION("from the beginning") {
    CHECK(node.see({without}) == Interfaces{2});
    CHECK(node.wait({without}, 12'000s) ==
          std::vector<long>{4, 12, 28, 60, 124, 252, 508, 1020, 2044, 4092, 7692, 11292});
  }
  SECTION("after it was lost") {
    node.see({{2, true, true}});
    CHECK(node.see({without}).empty());
    CHECK(node.wait({without}, 30s) == std::vector<long>{4, 12, 28});
  }
  SECTION("not while the link is down") {
    node.see({without});
    CHECK(node.see({{2, false, false}}).empty());
    CHECK_FALSE(node.core.next_deadline());
    CHECK(node.see({without}) == Interfaces{2});
    CHECK(node.wait({without}, 12s) == std::vector<long>{4, 12});
  }
  CHECK(node.see({{2, true, true}}).empty());
  CHECK_FALSE(node.core.next_deadline());
}

TEST_CASE("an interface that has gone is forgotten, and new when it comes again", "[router-solicitation]") {
  Asking node;
  node.see({{2, true, false}});
  CHECK(node.see({}).empty());
  CHECK_FALSE(node.core.next_deadline());
  CHECK(node.see({{2, true, true}}) == Interfaces{2});
}

TEST_CASE("intervals deviate by a tenth at most", "[router-solicitation]") {
  struct : Random {
    std::uint32_t draw() override { return last += 67; }
    std::uint32_t last = 0;
  } random;
  for (int i = 0; i < 201; ++i) {
    RouterSolicitation core{random};
    core.handle(std::vector{LinkRouters{2, true, false}}, BootTime{});
    CHECK(*core.next_deadline() >= BootTime{3600ms});
    CHECK(*core.next_deadline() <= BootTime{4400ms});
  }
}
