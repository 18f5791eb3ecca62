#include "examples/home-agent/manual_keys.hpp"

#include <fmt/format.h>

#include <optional>
#include <utility>

namespace mip6ha {
namespace {

using mip6::Error;
using mnd::kernel::KeyHistory;
using mnd::kernel::KeyRecord;

constexpr std::string_view kRestored = "what these manual keys have seen since the backup that was restored is unknown";

tl::expected<void, Error> begin(Store& store, const NodeConfig& node, const std::optional<KeyRecord>& before,
                                Store::Numbers numbers) {
  return mnd::kernel::record_of(*node.manual_keys, before).and_then([&](const KeyRecord& record) {
    return store.begin_manual_keys(node.home_address, record, numbers);
  });
}

KeyHistory history_of(const std::optional<ManualKeyState>& state, const NodeConfig& node) {
  return mnd::kernel::history_of(state ? std::optional{state->keys} : std::nullopt, *node.manual_keys);
}

}  // namespace

tl::expected<std::string_view, Error> judge(Store& store, const NodeConfig& node, bool numbered) {
  if (!node.manual_keys) return store.leave_manual_keys(node.home_address).map([] { return std::string_view{}; });
  const auto state = store.manual_keys(node.home_address);
  if (!state) return tl::unexpected(state.error());
  const auto history = history_of(*state, node);
  // What is in the record is older than the keys may be: also those that it does not know can have carried updates.
  if (*state && (*state)->restored) {
    constexpr auto kSeen = Store::Numbers::kSeen;
    const auto noted = history == KeyHistory::kSame ? store.begin_manual_keys(node.home_address, (*state)->keys, kSeen)
                                                    : begin(store, node, (*state)->keys, kSeen);
    return noted.map([] { return kRestored; });
  }
  switch (history) {
    case KeyHistory::kSame:
      if (!(*state)->numbers_known) return objection_to(KeyHistory::kUnknown);
      if ((*state)->used && !numbered) return "the last sequence number under these manual keys is lost";
      return std::string_view{};
    case KeyHistory::kNew:
      return begin(store, node, (*state)->keys, Store::Numbers::kUnused).map([] { return std::string_view{}; });
    case KeyHistory::kUnknown:
      return begin(store, node, std::nullopt, Store::Numbers::kUnknown).map([] {
        return objection_to(KeyHistory::kUnknown);
      });
    case KeyHistory::kHalfNew:
    case KeyHistory::kFormer:
      break;
  }
  return objection_to(history);
}

tl::expected<void, Error> take_as_new(Store& store, const NodeConfig& node) {
  const auto refuse = [&](std::string_view reason) {
    return tl::unexpected(Error{.tried = "take the manual keys as new",
                                .on = node.name,
                                .reason = std::string{reason},
                                .remedy = "make new keys (mnd --make-keys) and set them here and at the node",
                                .os_error = 0});
  };
  if (!node.manual_keys) return refuse("this node has no manual keys");
  const auto state = store.manual_keys(node.home_address);
  if (!state) return tl::unexpected(state.error());
  const auto history = history_of(*state, node);
  if (history == KeyHistory::kHalfNew || history == KeyHistory::kFormer) return refuse(objection_to(history));
  if (history == KeyHistory::kSame && (*state)->used) return refuse("updates under them were accepted here");
  if (history == KeyHistory::kSame)
    return store.begin_manual_keys(node.home_address, (*state)->keys, Store::Numbers::kUnused);
  return begin(store, node, *state ? std::optional{(*state)->keys} : std::nullopt, Store::Numbers::kUnused);
}

std::string advice_on(std::size_t nodes) {
  if (nodes <= kManyManualNodes) return {};
  return fmt::format("{} nodes have manual keys, which nobody changes in time: IKE should be used for so many", nodes);
}

}  // namespace mip6ha
