// The heap of deadlines, against a plain list.
#include <algorithm>
#include <array>

#include "libmip6/agent/deadlines.hpp"
#include "tests/catch.hpp"
#include "tests/unit/libmip6/agent_random.hpp"

using namespace mip6;
using namespace mip6::agent;
using namespace mip6::test;

namespace {

struct Owner {
  Deadline deadline;
};
using OfOwners = Deadlines<Owner, &Owner::deadline>;

template <std::size_t N>
BootTime earliest(const std::array<Owner, N>& owners) {
  BootTime first = BootTime::max();
  for (const auto& owner : owners) first = std::min(first, owner.deadline.due);
  return first;
}

}  // namespace

TEST_CASE("the next deadline is the earliest of all, whatever was moved", "[agent]") {
  Drawn random;
  std::array<Owner, 20> owners;
  OfOwners deadlines;
  BootTime now{};
  for (int i = 0; i < 20'000; ++i) {
    Owner& owner = owners.at(random.draw() % owners.size());
    owner.deadline.due = random.draw() % 8 == 0 ? BootTime::max() : now + Duration{1 + random.draw() % 1000};
    deadlines.update(owner);
    REQUIRE(deadlines.next().value_or(BootTime::max()) == earliest(owners));
    now += Duration{random.draw() % 20};
    while (const Owner* due = deadlines.take_due(now)) REQUIRE(due->deadline.due == BootTime::max());
    REQUIRE(earliest(owners) > now);
    REQUIRE(deadlines.next().value_or(BootTime::max()) == earliest(owners));
  }
}

TEST_CASE("an owner whose deadline comes and goes leaves no more than a few elements behind", "[agent]") {
  Owner owner;
  Owner earlier;  // hides what is behind it
  OfOwners deadlines;
  earlier.deadline.due = BootTime{Duration{500'000}};
  deadlines.update(earlier);
  for (int i = 0; i < 10'000; ++i) {
    owner.deadline.due = BootTime{Duration{1'000'000 + i}};
    deadlines.update(owner);
    owner.deadline.due = BootTime{Duration{i}};
    deadlines.update(owner);
    REQUIRE(deadlines.take_due(BootTime{Duration{i}}) == &owner);
  }
  CHECK(deadlines.size() <= 66);
}
