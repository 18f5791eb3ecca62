// Sequence numbers on their circle, and their reservation in durable blocks.
#include "libmip6/sequence.hpp"

#include "tests/catch.hpp"

using namespace mip6;

TEST_CASE("a number follows those up to 32767 behind it and no other", "[sequence]") {
  const auto last = GENERATE(0, 1, 32767, 32768, 65535);
  const SequenceNumber number{static_cast<std::uint16_t>(last)};
  CHECK_FALSE(number.follows(number));
  CHECK(number.advanced(1).follows(number));
  CHECK(number.advanced(32767).follows(number));
  CHECK_FALSE(number.advanced(32768).follows(number));
  CHECK_FALSE(number.advanced(65535).follows(number));
}

TEST_CASE("no number is handed out before a block is durable", "[sequence]") {
  SequenceReservation numbers{SequenceNumber{100}};
  CHECK(numbers.available() == 0);
  CHECK_FALSE(numbers.take());
  REQUIRE(numbers.wanted_reservation() == SequenceNumber{164});
  numbers.reserved(SequenceNumber{164});
  CHECK(numbers.available() == 64);
  CHECK(numbers.take() == SequenceNumber{100});
  CHECK(numbers.take() == SequenceNumber{101});
  CHECK(numbers.next_unused() == SequenceNumber{102});
}

TEST_CASE("a block ends where the disk says, also across the end of the circle", "[sequence]") {
  SequenceReservation numbers{SequenceNumber{65534}};
  numbers.reserved(SequenceNumber{1});
  CHECK(numbers.take() == SequenceNumber{65534});
  CHECK(numbers.take() == SequenceNumber{65535});
  CHECK(numbers.take() == SequenceNumber{0});
  CHECK_FALSE(numbers.take());
}

TEST_CASE("the next block is wanted when half of one is used, and never reaches further than one", "[sequence]") {
  SequenceReservation numbers{SequenceNumber{0}};
  numbers.reserved(SequenceNumber{64});
  for (int i = 0; i < 32; ++i) {
    CHECK_FALSE(numbers.wanted_reservation());
    REQUIRE(numbers.take());
  }
  CHECK_FALSE(numbers.wanted_reservation());
  REQUIRE(numbers.take());
  CHECK(numbers.wanted_reservation() == SequenceNumber{33 + 64});
}

TEST_CASE("after a restart at another number the answer to an older reservation gives nothing", "[sequence]") {
  SequenceReservation numbers{SequenceNumber{10}};
  numbers.restart_after(SequenceNumber{5000});
  numbers.reserved(SequenceNumber{74});
  CHECK(numbers.available() == 0);
  CHECK(numbers.wanted_reservation() == SequenceNumber{5001 + 64});
  numbers.reserved(SequenceNumber{5001 + 64});
  CHECK(numbers.take() == SequenceNumber{5001});
}

TEST_CASE("an older reservation never takes numbers away", "[sequence]") {
  SequenceReservation numbers{SequenceNumber{0}};
  numbers.reserved(SequenceNumber{64});
  numbers.reserved(SequenceNumber{30});
  CHECK(numbers.available() == 64);
}
