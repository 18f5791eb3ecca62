// Sequence numbers on their circle, their reservation in durable blocks, and the half of them that is safe under the
// same keys.
#include "libmip6/sequence.hpp"

#include "tests/catch.hpp"

using namespace mip6;

namespace {

SequenceNumber number(int value) { return SequenceNumber{static_cast<std::uint16_t>(value)}; }

// Goes on at `next`, with everything that was used under the keys since `first`.
SequenceReservation numbers_from(int next, std::optional<int> first) {
  return SequenceReservation{{number(next), first ? std::optional{number(*first)} : std::nullopt}};
}

void store(SequenceReservation& numbers) { numbers.reserved(numbers.wanted().value()); }

}  // namespace

TEST_CASE("a number follows those up to 32767 behind it and no other", "[sequence]") {
  const auto last = number(GENERATE(0, 1, 32767, 32768, 65535));
  CHECK_FALSE(last.follows(last));
  CHECK(last.advanced(1).follows(last));
  CHECK(last.advanced(32767).follows(last));
  CHECK_FALSE(last.advanced(32768).follows(last));
  CHECK_FALSE(last.advanced(65535).follows(last));
}

TEST_CASE("no number is handed out before a block is durable", "[sequence]") {
  auto numbers = numbers_from(100, 100);
  CHECK(numbers.available() == 0);
  CHECK_FALSE(numbers.take());
  REQUIRE(numbers.wanted() == SequenceState{number(164), number(100)});
  store(numbers);
  CHECK(numbers.available() == 64);
  CHECK(numbers.take() == number(100));
  CHECK(numbers.take() == number(101));
  CHECK(numbers.next_unused() == number(102));
}

TEST_CASE("a block ends where the disk says, also across the end of the circle", "[sequence]") {
  auto numbers = numbers_from(65534, 65534);
  numbers.reserved({number(1), number(65534)});
  CHECK(numbers.take() == number(65534));
  CHECK(numbers.take() == number(65535));
  CHECK(numbers.take() == number(0));
  CHECK_FALSE(numbers.take());
}

TEST_CASE("the next block is wanted when half of one is used, and never reaches further than one", "[sequence]") {
  auto numbers = numbers_from(0, 0);
  store(numbers);
  for (int i = 0; i < 32; ++i) {
    CHECK_FALSE(numbers.wanted());
    REQUIRE(numbers.take());
  }
  CHECK_FALSE(numbers.wanted());
  REQUIRE(numbers.take());
  CHECK(numbers.wanted() == SequenceState{number(33 + 64), number(0)});
}

TEST_CASE("after a restart at another number the answer to an older reservation gives nothing", "[sequence]") {
  auto numbers = numbers_from(10, 10);
  const auto older = numbers.wanted().value();
  numbers.restart_after(number(5000));
  numbers.reserved(older);
  CHECK(numbers.available() == 0);
  CHECK(numbers.wanted() == SequenceState{number(5001 + 64), number(10)});
  store(numbers);
  CHECK(numbers.take() == number(5001));
}

TEST_CASE("what is lost from the disk does not begin at the same number again", "[sequence]") {
  struct : Random {
    std::uint32_t draw() override { return 0xABCD1234; }
  } random;
  const auto first = first_state(random);
  CHECK(first.first_unused == SequenceNumber{0x1234});
  CHECK_FALSE(first.first_under_keys);
}

TEST_CASE("an older reservation never takes numbers away", "[sequence]") {
  auto numbers = numbers_from(0, 0);
  store(numbers);
  numbers.reserved({number(30), number(0)});
  CHECK(numbers.available() == 64);
}

TEST_CASE("under one set of keys no number goes further than 2^15 ahead of the first", "[sequence]") {
  const int first = GENERATE(0, 40000);
  auto numbers = numbers_from(first + 32760, first);
  store(numbers);
  std::optional<SequenceNumber> last;
  for (auto taken = numbers.take(); taken; taken = numbers.take()) last = taken;
  CHECK(last == number(first + 32768));
  CHECK(numbers.available() > 0);
  CHECK(numbers.spent());
  numbers.keys_are_fresh();
  CHECK_FALSE(numbers.spent());
  CHECK(numbers.take() == number(first + 32769));
}

TEST_CASE("a block that was lost beyond the half space does not begin it anew", "[sequence]") {
  auto numbers = numbers_from(32769 + 64, 0);
  store(numbers);
  CHECK(numbers.spent());
  CHECK(numbers.used_under_keys() == 32768);
}

TEST_CASE("keys are nearly spent from three quarters of the half space on", "[sequence]") {
  auto numbers = numbers_from(24575, 0);
  CHECK_FALSE(numbers.nearly_spent());
  store(numbers);
  REQUIRE(numbers.take());
  CHECK(numbers.nearly_spent());
  CHECK_FALSE(numbers.spent());
  CHECK(numbers.used_under_keys() == 24576);
}

TEST_CASE("where it is not known what the keys have seen no number is handed out", "[sequence]") {
  auto numbers = numbers_from(10, std::nullopt);
  CHECK(numbers.wanted() == SequenceState{number(74), {}});
  store(numbers);
  CHECK(numbers.spent());
  CHECK_FALSE(numbers.take());
  numbers.keys_are_fresh();
  CHECK(numbers.take() == number(10));
}

TEST_CASE("fresh keys whose first number the disk does not know are stored once", "[sequence]") {
  auto numbers = numbers_from(10, std::nullopt);
  store(numbers);
  CHECK_FALSE(numbers.wanted());
  numbers.keys_are_fresh();
  REQUIRE(numbers.take());
  REQUIRE(numbers.wanted() == SequenceState{number(74), number(10)});
  store(numbers);
  CHECK_FALSE(numbers.wanted());
  SECTION("for later keys an earlier number is good enough until the next block") {
    numbers.keys_are_fresh();
    CHECK_FALSE(numbers.wanted());
  }
}

TEST_CASE("a jump to numbers unused under the keys goes on, any other spends them", "[sequence]") {
  struct Case {
    int told;
    bool unused;
  };
  // First 1000, next 1010: unused are 1010 to 33768.
  const auto [told, unused] = GENERATE(Case{1009, true}, Case{1010, true}, Case{33767, true}, Case{33768, false},
                                       Case{1008, false}, Case{999, false}, Case{50000, false});
  CAPTURE(told);
  auto numbers = numbers_from(1010, 1000);
  numbers.restart_after(number(told));
  CHECK(numbers.spent() != unused);
  // What the disk is told then must not let a next process take the range for unused either.
  CHECK(numbers.wanted()->first_under_keys == (unused ? std::optional{number(1000)} : std::nullopt));
  numbers.keys_are_fresh();
  store(numbers);
  CHECK(numbers.take() == number(told + 1));
}

TEST_CASE("a jump does not make spent keys good again", "[sequence]") {
  auto numbers = numbers_from(40000, GENERATE(std::optional{1000}, std::optional<int>{}));
  numbers.restart_after(number(1005));
  CHECK(numbers.spent());
}
