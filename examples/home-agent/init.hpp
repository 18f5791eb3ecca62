// `mip6-ha init`: a first configuration.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "examples/home-agent/config.hpp"
#include "examples/home-agent/machine.hpp"

namespace mip6ha {

struct InitRequest {
  std::filesystem::path config;
  std::string prefix;                  // as typed
  std::string interface;               // as typed
  std::optional<std::string> address;  // as typed; empty: one of the interface's within the prefix, else PREFIX::1
  bool force = false;                  // replaces a configuration that is there; sections of nodes in nodes.d stay
  bool mend = false;                   // forwarding and charon's limits, now and for each start of the machine
};
struct InitReport {
  Config config;
  std::vector<std::string> mended;  // what was done beside the configuration, a line each
  std::vector<MachineFinding> findings;
};

// Writes the configuration (0640), its folder and the folder for nodes (0750), and looks at the machine. A
// configuration that is there already with the same content is no mistake. All mistakes at once; nothing is written
// then.
tl::expected<InitReport, Mistakes> init(const InitRequest& request, const MachinePaths& paths = {});

}  // namespace mip6ha
