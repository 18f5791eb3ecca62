// The home agent as a program: a new configuration comes into force while everybody is served. It may be of very many
// nodes, each with files of its own: they are read by a thread, the only one beside the loop, which has nothing but the
// path; and what is to be done is done by turns of kReloadTurn, between which updates are answered.
#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <exception>
#include <ranges>
#include <span>
#include <system_error>
#include <utility>

#include "examples/home-agent/agent.hpp"
#include "examples/home-agent/manual_keys.hpp"
#include "examples/home-agent/reload.hpp"
#include "mnd/linux/kernel.hpp"
#include "mnd/linux/log.hpp"

namespace mip6ha {

using mnd::kernel::Level;

namespace {

constexpr std::size_t kEndedTogether = 4;     // one sync of the disk for these
constexpr std::size_t kStoredTogether = 256;  // and one for these, in some milliseconds
constexpr std::size_t kToldByName = 100;      // of the thousand events that are kept

tl::unexpected<Mistakes> refusal(const std::filesystem::path& file, std::string what, std::string remedy) {
  return tl::unexpected(Mistakes{{file.string(), 0, std::move(what), std::move(remedy)}});
}

const TroubleView kStopped{.what = "mip6-ha is stopping", .remedy = "the next start serves by the new configuration"};

}  // namespace

struct Agent::Reload {
  std::vector<std::string> new_keys;
  ReloadDone done;
  Config read{};
  Difference difference{};
  Reloaded told{};
  std::deque<std::function<void()>> work{};
};

void Agent::reload(const std::vector<std::string>& new_keys, ReloadDone done) {
  if (stopping_) return done(refusal(config_file_, kStopped.what, "start it again"));
  reloads_.push_back(std::make_shared<Reload>(Reload{.new_keys = new_keys, .done = std::move(done)}));
  if (reloads_.size() == 1) read_configuration();
}

void Agent::read_configuration() {
  const auto unread = [this](const std::exception& error) {
    return refusal(config_file_, fmt::format("it cannot be read: {}", error.what()), "free some memory");
  };
  try {
    reader_ = std::jthread{[this, unread, file = config_file_] {
      auto read = std::make_shared<tl::expected<Config, Mistakes>>();
      try {
        *read = load_config(file);
      } catch (const std::exception& error) {
        *read = unread(error);
      }
      boost::asio::post(loop_, [this, read] { take_configuration(std::move(*read)); });
    }};
  } catch (const std::system_error& error) {
    end_reload(unread(error));
  }
}

void Agent::take_configuration(tl::expected<Config, Mistakes> read) {
  const auto refuse = [this](std::string what) {
    end_reload(refusal(config_file_, std::move(what), "restart mip6-ha"));
  };
  if (stopping_) return refuse(kStopped.what);
  if (!read) return end_reload(tl::unexpected(std::move(read.error())));
  auto& reload = *reloads_.front();
  reload.read = std::move(*read);
  reload.difference = compare(config_, reload.read);
  take_as_new_if_refused(reload);
  const auto& difference = reload.difference;
  if (!difference.home_link.empty())
    return refuse(fmt::format("{} cannot change while mip6-ha runs", fmt::join(difference.home_link, ", ")));

  std::vector<const NodeConfig*> ending;
  for (const auto* names : {&difference.removed, &difference.replaced})
    for (const auto& name : *names) {
      ending.push_back(find_node(name));
      if (ending.size() < kEndedTogether && &name != &names->back()) continue;
      reload.work.emplace_back([this, nodes = std::exchange(ending, {})] { end_for_good(nodes); });
    }
  reload.work.emplace_back([this] { adopt_configuration(); });
  work_on_reload();
}

void Agent::work_on_reload() {
  const auto reload = reloads_.front();
  if (stopping_) {
    reload->told.failed.push_back(kStopped);
    return end_reload(std::move(reload->told));
  }
  const auto end = mnd::kernel::boot_now() + kReloadTurn;
  do {
    const auto job = std::move(reload->work.front());
    reload->work.pop_front();
    job();
  } while (!reload->work.empty() && mnd::kernel::boot_now() < end);
  arm_timer();
  if (reload->work.empty()) return end_reload(std::move(reload->told));
  boost::asio::post(loop_, [this] { work_on_reload(); });
}

void Agent::end_for_good(const std::vector<const NodeConfig*>& nodes) {
  end_services(nodes);
  for (const auto* node : nodes) forget_behaviour(*node);
}

// A reload that others asked for, and that began before this one, has taken them up without knowing that they are new.
void Agent::take_as_new_if_refused(Reload& reload) {
  auto& difference = reload.difference;
  for (const auto& name : reload.new_keys) {
    const auto* node = find_node(name);
    if (node == nullptr || !manual_refused_.contains(node->home_address)) continue;
    const auto in = [&](const auto& names) { return std::ranges::find(names, name) != names.end(); };
    if (!in(difference.removed) && !in(difference.replaced) && !in(difference.changed))
      difference.replaced.push_back(name);
  }
}

// Keys that have been used are refused by the store. Who was unbanned a moment ago is served as one of unknown numbers.
void Agent::make_new(const NodeConfig& node, std::vector<TroubleView>& failed) {
  const auto taken = take_as_new(*store_, node);
  if (!taken) return failed.push_back(trouble_of(taken.error()));
  if (reqids_.contains(node.home_address)) end_services({&node});
}

// From here on it counts; who is not served yet is so in a moment.
void Agent::adopt_configuration() {
  auto& reload = *reloads_.front();
  const auto& difference = reload.difference;
  std::vector<const NodeConfig*> again;  // a ban may have been lifted or made meanwhile
  for (const auto* names : {&difference.removed, &difference.replaced})
    for (const auto& name : *names) again.push_back(find_node(name));
  end_for_good(again);
  config_ = merged(std::move(config_), std::move(reload.read));
  index_nodes();
  if (difference.prefix_lifetime) begin_prefix_lifetime();
  if (difference.prefixes) prefixes_changed();
  reload.told = {.added = difference.added,
                 .removed = difference.removed,
                 .changed = difference.changed,
                 .restart = difference.restart,
                 .failed = {}};
  auto& failed = reload.told.failed;
  for (const auto* names : {&difference.added, &difference.replaced})
    for (const auto& name : *names) {
      const auto* node = find_node(name);
      if (!node->manual_keys || std::ranges::find(reload.new_keys, name) == reload.new_keys.end()) continue;
      reload.work.emplace_back([this, node, &failed] { make_new(*node, failed); });
    }
  for (const auto& name : difference.changed)
    reload.work.emplace_back([this, node = find_node(name), &failed] {
      if (!reqids_.contains(node->home_address)) return;  // banned, or served in a moment
      if (const auto rotated = rotate(*node); !rotated) failed.push_back(trouble_of(rotated.error()));
    });
  reload.work.emplace_back([this] { serve_missing(); });
}

void Agent::serve_missing() {
  auto& reload = *reloads_.front();
  auto& told = reload.told;
  const auto nodes = missing();
  for (auto rest = std::span{nodes}; !rest.empty(); rest = rest.subspan(std::min(rest.size(), kStoredTogether))) {
    const auto block = rest.first(std::min(rest.size(), kStoredTogether));
    reload.work.emplace_back([this, &reload, some = std::vector(block.begin(), block.end())] {
      if (!prepare(some, reload.told.failed)) return;
      for (const auto* node : some)
        reload.work.emplace_front([this, node, &reload] { serve_if_missing(*node, reload.told.failed); });
    });
  }
  reload.work.emplace_back([this, &told, &replaced = reload.difference.replaced] {
    told.changed.insert(told.changed.end(), replaced.begin(), replaced.end());
    tell_banned();
    tell_of(told);
  });
}

void Agent::tell_of(const Reloaded& told) {
  for (const auto& [names, what] :
       {std::pair{&told.added, "added"}, {&told.removed, "removed"}, {&told.changed, "has other keys"}}) {
    for (const auto& name : *names | std::views::take(kToldByName)) tell(name, what);
    if (names->size() > kToldByName)
      tell(std::string_view{}, fmt::format("and {} more: {}", names->size() - kToldByName, what));
  }
  mnd::kernel::log(Level::kInfo, fmt::format("configuration read again: added={} removed={} changed={}",
                                             told.added.size(), told.removed.size(), told.changed.size()));
}

// The next one was asked for meanwhile: it may be of files that this one has not read.
void Agent::end_reload(const tl::expected<Reloaded, Mistakes>& result) {
  reloads_.front()->done(result);
  reloads_.pop_front();
  if (reloads_.empty()) return;
  if (!stopping_) return read_configuration();
  end_reload(refusal(config_file_, kStopped.what, "start it again"));
}

}  // namespace mip6ha
