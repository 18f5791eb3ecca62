// The file is one JSON object: {"version": 1, "boot": "...", "deregistered": false, "paused_on": "w1"}.
#include "mnd/wishes.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "mnd/linux/durable_file.hpp"
#include "mnd/sequence_store.hpp"

namespace mnd {

using nlohmann::json;

namespace {

constexpr int kWishesVersion = 1;

}  // namespace

std::optional<std::string> renamed(const std::string& name, std::uint32_t& index,
                                   const std::map<std::uint32_t, kernel::Link>& links) {
  if (const auto known = links.find(index); known != links.end())
    return known->second.name == name ? std::nullopt : std::optional{known->second.name};
  const auto found = std::ranges::find_if(links, [&](const auto& one) { return one.second.name == name; });
  index = found == links.end() ? 0 : found->first;
  return std::nullopt;
}

WishStore::WishStore(const std::filesystem::path& folder, std::string boot)
    : file_{folder / "wishes.json"}, boot_{std::move(boot)} {}

Wishes WishStore::load() const {
  const auto content = kernel::read_durable(file_);
  if (!content || !*content) return {};
  const auto stored = json::parse(**content, nullptr, false);
  if (!stored.is_object() || stored.value("version", json{}) != kWishesVersion || stored.value("boot", json{}) != boot_)
    return {};
  Wishes wishes{.deregistered = stored.value("deregistered", json{}) == true, .paused_on = {}};
  if (const auto on = stored.find("paused_on"); on != stored.end() && on->is_string())
    wishes.paused_on = on->get<std::string>();
  return wishes;
}

tl::expected<void, mip6::Error> WishStore::store(const Wishes& wishes) const {
  if (wishes == Wishes{}) {
    std::error_code error;
    std::filesystem::remove(file_, error);
    if (!error) return {};
  }
  json content{{"version", kWishesVersion}, {"boot", boot_}, {"deregistered", wishes.deregistered}};
  if (wishes.paused_on) content["paused_on"] = *wishes.paused_on;
  return store_state(file_, content);
}

}  // namespace mnd
