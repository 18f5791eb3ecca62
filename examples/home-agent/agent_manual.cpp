// The home agent as a program: nodes with keys set by hand.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "examples/home-agent/agent.hpp"
#include "examples/home-agent/manual_keys.hpp"
#include "mnd/linux/log.hpp"

namespace mip6ha {

using mip6::Error;
using mnd::kernel::Level;
using Result = tl::expected<void, Error>;

namespace {

std::string remedy_for(const NodeConfig& node) {
  return fmt::format(
      "make new keys (mnd --make-keys) and set them here and at the node; if these were never used, say so with "
      "mip6-ha --keys-are-new {}",
      node.name);
}

std::size_t manual_nodes(const Config& config) {
  return static_cast<std::size_t>(
      std::ranges::count_if(config.nodes, [](const NodeConfig& node) { return node.manual_keys.has_value(); }));
}

}  // namespace

bool Agent::needs_charon() const { return manual_nodes(config_) < config_.nodes.size(); }

// Before the records are read for all else: new keys begin with none.
Result Agent::judge_manual_keys() {
  const auto records = store_->records();
  if (!records) return tl::unexpected(records.error());
  std::set<mip6::Ipv6Address> numbered;
  for (const auto& record : *records) numbered.insert(record.home_address);
  for (const auto& node : config_.nodes) {
    if (is_banned(node)) continue;
    const auto objection = judge(*store_, node, numbered.contains(node.home_address));
    if (!objection) return tl::unexpected(objection.error());
    if (!objection->empty()) manual_refused_[node.home_address] = *objection;
  }
  for (const auto& one : advice()) mnd::kernel::log(Level::kWarning, fmt::format("{} ({})", one.what, one.remedy));
  return {};
}

// After drop_keys_of_lost_numbers(), which knows of no keys but charon's. Also those of nodes that are refused: they
// are told so under ESP.
Result Agent::install_manual_keys() {
  for (const auto& node : config_.nodes) {
    if (!node.manual_keys || is_banned(node)) continue;
    if (auto installed = kernel_->install_manual(node.home_address, reqids_.at(node.home_address), *node.manual_keys);
        !installed)
      return installed;
    keys_up_[node.home_address] = {.since = mnd::kernel::boot_now(),
                                   .spi_in = node.manual_keys->to_home_agent.spi,
                                   .spi_out = node.manual_keys->to_node.spi};
  }
  return {};
}

std::optional<TroubleView> Agent::objection_to(const NodeConfig& node) const {
  const auto refused = manual_refused_.find(node.home_address);
  if (refused == manual_refused_.end()) return std::nullopt;
  return TroubleView{.what = fmt::format("node {} is refused: {}", node.name, refused->second),
                     .remedy = remedy_for(node)};
}

std::vector<TroubleView> Agent::advice() const {
  std::vector<TroubleView> all;
  for (const auto& node : config_.nodes)
    if (auto refused = objection_to(node)) all.push_back(std::move(*refused));
  if (auto what = advice_on(manual_nodes(config_)); !what.empty())
    all.push_back(
        {.what = std::move(what), .remedy = "give nodes a secret-file or a certificate in place of manual-keys"});
  return all;
}

}  // namespace mip6ha
