// Whether this machine can be a home agent: what is missing, and the command that mends it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "examples/home-agent/config.hpp"

namespace mip6ha {

struct MachineFinding {
  std::string check;  // one word
  bool good = false;
  std::string what;
  std::string remedy;  // empty if good
};

// Where a machine tells about itself; others in tests.
struct MachinePaths {
  std::filesystem::path proc = "/proc";
  std::filesystem::path loaded_modules = "/sys/module";
  std::filesystem::path modules;  // /lib/modules/RELEASE; empty: of the running kernel
  std::filesystem::path strongswan = "/etc/strongswan.d";
};

// Forwarding, the interface and our address on it, charon and its limits, kernel modules.
std::vector<MachineFinding> examine_machine(const Config& config, const MachinePaths& paths = {});

// The global addresses of an interface; of all if none is named.
std::vector<mip6::Ipv6Address> addresses_on(const std::string& interface);

}  // namespace mip6ha
