// Which SA pair is sent under while there are several.
#include "ike-glue/key_choice.hpp"

#include <vector>

#include "tests/catch.hpp"

using ike::KeyPairUse;
using ike::spi_to_send_under;

namespace {

const KeyPairUse kUsed{{1, 101}, true, true};
const KeyPairUse kUsedToo{{2, 102}, true, true};
const KeyPairUse kUnused{{3, 103}, true, false};
const KeyPairUse kUnusedToo{{4, 104}, true, false};
const KeyPairUse kGone{{5, 105}, false, true};

std::uint32_t choice(const std::vector<KeyPairUse>& pairs) { return spi_to_send_under(pairs); }

}  // namespace

TEST_CASE("what is sent goes under the newest keys that the peer has used", "[key-choice]") {
  CHECK(choice({kUsed, kUnused}) == 101);
  CHECK(choice({kUsed, kUsedToo}) == 102);
  CHECK(choice({kUsed, kUsedToo, kUnused}) == 102);
}

TEST_CASE("of keys that the peer has not used yet it has had the oldest for longest", "[key-choice]") {
  CHECK(choice({kUnused}) == 103);
  CHECK(choice({kUnused, kUnusedToo}) == 103);
}

TEST_CASE("keys older than the newest that the peer has used are left behind", "[key-choice]") {
  const auto older = [](const std::vector<KeyPairUse>& pairs) { return ike::left_behind(pairs); };
  CHECK(older({kUsed, kUsedToo}) == 1);
  CHECK(older({kUnused, kUsed, kUsedToo, kUnusedToo}) == 2);
  CHECK(older({kGone, kUsed}) == 1);
  // The peer has not used the newer ones yet, or they are gone again: it goes on with the old.
  CHECK(older({kUsed, kUnused}) == 0);
  CHECK(older({kUsed, kGone}) == 0);
  CHECK(older({kUnused, kUnusedToo}) == 0);
  CHECK(older({kUsed}) == 0);
  CHECK(older({}) == 0);
}

TEST_CASE("nothing is sent under keys that are gone", "[key-choice]") {
  CHECK(choice({kGone, kUnused}) == 103);
  CHECK(choice({kUsed, kGone}) == 101);
  CHECK(choice({kGone}) == 0);
  CHECK(choice({}) == 0);
}
