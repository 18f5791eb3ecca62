// What the home agent makes of manual keys, by what its disk remembers of them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "examples/home-agent/config.hpp"
#include "examples/home-agent/store.hpp"

namespace mip6ha {

// Empty: the node can be served. Else why not: nobody knows which updates its keys have carried, and one of them could
// come again. Keys that are other ones than those of the record begin anew, with no last number; of keys without a
// record, note is taken, so that others are known as such. `numbered`: there is a last sequence number of the node.
// After a backup was restored the first call takes whatever keys there are for ones whose numbers nobody knows.
// A node without manual keys can be served; note is taken that those it may have had are behind it.
tl::expected<std::string_view, mip6::Error> judge(Store& store, const NodeConfig& node, bool numbered);

// The user says that the node's keys were never used. An error: the record knows better.
tl::expected<void, mip6::Error> take_as_new(Store& store, const NodeConfig& node);

// RFC 6275 section 15.3: with very many nodes IKE SHOULD be used. What the administrator is told of so many with manual
// keys; empty: they are few.
inline constexpr std::size_t kManyManualNodes = 20;
std::string advice_on(std::size_t nodes);

}  // namespace mip6ha
