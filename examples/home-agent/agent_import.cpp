// The home agent as a program: back to a backup while it runs. What it does then is what a start after an import does:
// nothing that the backup says of sequence numbers is trusted, and no key from before stays.
#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "examples/home-agent/agent.hpp"
#include "mnd/linux/log.hpp"

namespace mip6ha {

using mip6::Error;
using mnd::kernel::Level;

tl::expected<void, Error> Agent::take_back_bans(Imported& done) {
  const auto former = std::exchange(bans_, {});
  const auto for_a_while = std::exchange(banned_for_a_while_, {});
  if (auto read = read_bans(); !read) {
    bans_ = former;  // better one ban too many
    banned_for_a_while_ = for_a_while;
    return read;
  }
  for (const auto& name : for_a_while) {
    const auto* node = find_node(name);
    if (node != nullptr && !banned_for_a_while_.contains(name))
      behave(mip6::agent::BanLifted{.home_address = node->home_address});
  }
  for (const auto& [name, ban] : former) {
    if (bans_.contains(name)) continue;
    done.unbanned.push_back(name);
    tell(name, "no longer banned: the backup knows of no ban", fmt::format("mip6-ha ban {}", name));
  }
  return {};
}

// The disk first, in one step: whatever ends this process from here on, the next start trusts no number and no key
// from before. What memory knows of numbers is of the present and stays: an update that is in the socket by now is
// newer than those.
tl::expected<Imported, Error> Agent::take_back() {
  const auto refuse = [this](const char* reason, const char* remedy) {
    return tl::unexpected(Error{.tried = "import the backup",
                                .on = config_.state_directory.string(),
                                .reason = reason,
                                .remedy = remedy,
                                .os_error = 0});
  };
  if (stopping_) return refuse("mip6-ha is stopping", "start it again");
  // In the middle of one nodes are served that end in a moment, and keys are new that the backup knows nothing of.
  if (!reloads_.empty()) return refuse("a new configuration is coming into force", "import when the reload has ended");
  performer_->store_waiting();  // what was accepted is in what is replaced
  if (const auto taken = store_->take_back(backup_place()); !taken) return tl::unexpected(taken.error());
  ::unlink(backup_place().c_str());

  std::vector<const NodeConfig*> ending;
  for (const auto& node : config_.nodes) ending.push_back(&node);
  end_services(ending);
  Imported done;
  if (const auto read = take_back_bans(done); !read) done.failed.push_back(trouble_of(read.error()));
  if (const auto nodes = missing(); prepare(nodes, done.failed))
    for (const auto* node : nodes) serve_if_missing(*node, done.failed);
  tell_banned();
  for (const auto& node : config_.nodes) {
    if (!reqids_.contains(node.home_address)) continue;
    (manual_refused_.contains(node.home_address) ? done.refused : done.renewed).push_back(node.name);
  }
  for (const auto& one : advice()) mnd::kernel::log(Level::kWarning, fmt::format("{} ({})", one.what, one.remedy));
  tell("", "a backup was imported: keys by IKE are made anew");
  mnd::kernel::log(Level::kWarning,
                   fmt::format("backup imported: keys-made-anew={} refused={} unbanned={} failed={}",
                               done.renewed.size(), done.refused.size(), done.unbanned.size(), done.failed.size()));
  arm_timer();
  return done;
}

}  // namespace mip6ha
