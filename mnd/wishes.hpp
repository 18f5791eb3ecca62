// What the user wants until `mip6ctl resume`: kept over a restart of the daemon, not over one of the machine.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "libmip6/error.hpp"

namespace mnd {

struct Wishes {
  bool deregistered = false;             // home: the home agent is to serve nobody here
  std::optional<std::string> paused_on;  // pause: the interface that the node stays on
  bool operator==(const Wishes&) const = default;
};

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
