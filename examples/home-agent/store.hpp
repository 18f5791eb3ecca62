// What the home agent must not forget, whatever crashes: each node's reqid, each home address's binding and last
// accepted sequence number. A database in the state directory; every call that changes something returns after the
// change is on the disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "libmip6/address.hpp"
#include "libmip6/agent/home_agent.hpp"
#include "libmip6/error.hpp"

namespace mip6ha {

struct StoredNode {
  std::string name;
  mip6::Ipv6Address home_address;
  std::uint32_t reqid = 0;
  bool operator==(const StoredNode&) const = default;
};

class Store {
 public:
  // Opens `directory`/agent.db; makes folder (0700) and database if they are missing. Errors, all with a remedy: not
  // permitted, in use by another mip6-ha, not a database, damaged or empty (it never starts again at zero by itself),
  // of a newer version.
  static tl::expected<std::unique_ptr<Store>, mip6::Error> open(const std::filesystem::path& directory);
  virtual ~Store() = default;

  // The reqid of the node with this name, the same for ever: a new name gets the next one that was never given. A
  // changed home address is taken note of.
  virtual tl::expected<std::uint32_t, mip6::Error> reqid_of(const std::string& name,
                                                            const mip6::Ipv6Address& home_address) = 0;
  // All that ever had a reqid, in the order of reqids.
  virtual tl::expected<std::vector<StoredNode>, mip6::Error> nodes() = 0;

  // One record for each home address: saving replaces the former.
  virtual tl::expected<void, mip6::Error> save(const mip6::agent::BindingRecord& record) = 0;
  virtual tl::expected<std::vector<mip6::agent::BindingRecord>, mip6::Error> records() = 0;
};

}  // namespace mip6ha
