// What a manager of networks says of the connection that an interface has now: files in a folder of /run, written by
// its hook (packaging/networkmanager), so that it is known whichever of the two daemons starts first.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "libmip6/node/movement.hpp"

namespace mnd {

inline constexpr const char* kConnectionsFolder = "/run/mnd-connections";

inline constexpr int kMaxPreference = 1000;  // of an interface, and the least below zero

// [interface "NAME"] with preference = NUMBER, exclude = yes or no, home = yes or no, all optional.
struct Connections {
  std::vector<mip6::InterfacePreference> preference;
  std::vector<std::string> exclude;
  std::vector<std::string> home;      // home = yes: while there is one, others are not believed to be the home link
  std::vector<std::string> not_home;  // home = no: is not believed to be the home link
  std::vector<std::string> mistakes;  // what was left out, in words with file and line
};

// `folder`/*.conf; a folder that is not there says nothing.
Connections read_connections(const std::filesystem::path& folder);

// What they say stands before what `policy` has.
mip6::MovementPolicy with_connections(mip6::MovementPolicy policy, const Connections& connections);

}  // namespace mnd
