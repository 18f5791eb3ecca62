// What an operator can ask of a running home agent, as one interface: Agent is the real one, tests pretend one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "examples/home-agent/config.hpp"
#include "examples/home-agent/snapshot.hpp"
#include "libmip6/error.hpp"

namespace mip6ha {

// What became of a new configuration. Names of nodes.
struct Reloaded {
  std::vector<std::string> added;
  std::vector<std::string> removed;
  std::vector<std::string> changed;  // their keys or how they are made; what the old ones protected is refused
  std::vector<std::string> restart;  // settings at the top that have changed, and count only after a restart
  std::vector<TroubleView> failed;   // what kernel or disk refused on the way
};

// What became of a backup. Names of nodes.
struct Imported {
  std::vector<std::string> renewed;   // they are served as soon as they have new keys by IKE
  std::vector<std::string> refused;   // until their manual keys are others
  std::vector<std::string> unbanned;  // the backup knows of no ban
  std::vector<TroubleView> failed;    // what kernel or disk refused on the way
};

struct KeysView {
  std::int64_t age = 0;  // seconds since they were seen to come up
  std::uint32_t spi_in = 0;
  std::uint32_t spi_out = 0;
};

// All of one node.
struct NodeView {
  BindingView binding;
  std::string identity;                // empty: manual keys
  std::string method;                  // "ikev2 with a secret"
  std::uint32_t reqid = 0;             // 0: it is not served
  std::vector<KeysView> keys;          // the last pair that came up, if any is there
  std::uint64_t accepted = 0;          // updates since our start
  Counts refused;                      // updates since our start, by reason
  Counts keys_refused;                 // by reason: whoever asked claimed to be this node, and need not have been it
  std::optional<TroubleView> trouble;  // why it is refused, if it is
};

struct Finding {
  std::string check;
  std::string what;
  std::string remedy;
};

class Steering {
 public:
  virtual ~Steering() = default;

  virtual Snapshot snapshot() const = 0;
  // Nodes that go meanwhile are left out, those that come are not in it.
  virtual Bindings bindings() const = 0;
  // Of a node that is configured or banned; empty: neither.
  virtual std::optional<NodeView> node(const std::string& name) const = 0;
  virtual nlohmann::json events() const = 0;
  virtual std::vector<Finding> examine() const = 0;

  // Makes a copy of the database in the state directory, for Store::restore(): its path.
  virtual tl::expected<std::filesystem::path, mip6::Error> make_copy() = 0;
  // Where a backup is to be put for take_back(): only who may write there can have it taken.
  virtual std::filesystem::path backup_place() const = 0;
  // Goes back to it, as Store::restore() does, and serves by it: bindings end, keys by IKE are made anew before an
  // update is taken. An error: nothing has changed; so while a new configuration is coming into force.
  virtual tl::expected<Imported, mip6::Error> take_back() = 0;
  // Reads the configuration again and serves by it; mistakes: nothing has changed. `new_keys`: nodes that come with
  // manual keys that were just made; they are taken as never used. All others are served meanwhile; `done` is told
  // once, sooner or later.
  using ReloadDone = std::function<void(const tl::expected<Reloaded, Mistakes>& result)>;
  virtual void reload(const std::vector<std::string>& new_keys, ReloadDone done) = 0;
  // From now on, and after every restart, the node is not served. Errors: no such node, the disk refuses; nothing has
  // changed then.
  virtual tl::expected<Ban, mip6::Error> ban(const std::string& name, const std::string& why) = 0;
  // Ends that, if it was so.
  virtual tl::expected<void, mip6::Error> unban(const std::string& name) = 0;
};

}  // namespace mip6ha
