// What the user wants until `mip6ctl resume`: kept over a restart of the daemon, not over one of the machine.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "libmip6/error.hpp"
#include "mnd/linux/link_monitor.hpp"

namespace mnd {

struct Wishes {
  bool deregistered = false;             // home: the home agent is to serve nobody here
  std::optional<std::string> paused_on;  // pause: the interface that the node stays on
  bool operator==(const Wishes&) const = default;
};

// Follows an interface through its names. `name`: the one that is known; `index`: by which the kernel had it when it
// was seen last, 0 if never; where that one is gone, the one of this name is meant. Its new name, empty if it has none.
std::optional<std::string> renamed(const std::string& name, std::uint32_t& index,
                                   const std::map<std::uint32_t, kernel::Link>& links);

// In a file of the state folder. `boot`: which start of the machine this is (kernel::boot_id()).
class WishStore {
 public:
  WishStore(const std::filesystem::path& folder, std::string boot);

  // None, also where the file is of another boot or no such file.
  Wishes load() const;
  tl::expected<void, mip6::Error> store(const Wishes& wishes) const;

 private:
  std::filesystem::path file_;
  std::string boot_;
};

}  // namespace mnd
