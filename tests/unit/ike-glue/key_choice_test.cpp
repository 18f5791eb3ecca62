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

TEST_CASE("the newest pair that the peer has used is the last of those that are there", "[key-choice]") {
  const auto newest = [](const std::vector<KeyPairUse>& pairs) -> std::uint32_t {
    const auto* found = ike::newest_used(pairs);
    return found == nullptr ? 0 : found->pair.spi_in;
  };
  CHECK(newest({kUsed, kUsedToo, kUnused, kGone}) == 2);
  CHECK(newest({kUnused, kGone}) == 0);
  CHECK(newest({}) == 0);
}

TEST_CASE("of keys that the peer has not used yet it has had the oldest for longest", "[key-choice]") {
  CHECK(choice({kUnused}) == 103);
  CHECK(choice({kUnused, kUnusedToo}) == 103);
}

TEST_CASE("keys older than the newest that the peer has used are left behind", "[key-choice]") {
  using Places = std::vector<std::size_t>;
  const auto older = [](std::vector<KeyPairUse> pairs, std::vector<std::int64_t> added = {1, 2, 3, 4}) {
    Places places;
    for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i].added = added[i];
    for (std::size_t i = 0; i < pairs.size(); ++i)
      if (ike::is_left_behind(pairs, i)) places.push_back(i);
    return places;
  };
  CHECK(older({kUsed, kUsedToo}) == Places{0});
  CHECK(older({kUnused, kUsed, kUsedToo, kUnusedToo}) == Places{0, 1});
  CHECK(older({kGone, kUsed}) == Places{0});
  // The peer has not used the newer ones yet, or they are gone again: it goes on with the old.
  CHECK(older({kUsed, kUnused}).empty());
  CHECK(older({kUsed, kGone}).empty());
  CHECK(older({kUnused, kUnusedToo}).empty());
  CHECK(older({kUsed}).empty());
  // Those of before a restart may be told after one that has come since; in the same second nothing is known.
  CHECK(older({kUsed, kUsedToo}, {2, 1}).empty());
  CHECK(older({kUsed, kUsedToo}, {2, 2}).empty());
}

TEST_CASE("nothing is sent under keys that are gone", "[key-choice]") {
  CHECK(choice({kGone, kUnused}) == 103);
  CHECK(choice({kUsed, kGone}) == 101);
  CHECK(choice({kGone}) == 0);
  CHECK(choice({}) == 0);
}
