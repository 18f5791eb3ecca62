// What this machine tells about itself.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "examples/home-agent/config.hpp"
#include "examples/home-agent/doctor.hpp"

namespace mip6ha {

// Where it tells; others in tests.
struct MachinePaths {
  std::filesystem::path proc = "/proc";
  std::filesystem::path loaded_modules = "/sys/module";
  std::filesystem::path modules;               // /lib/modules/RELEASE; empty: of the running kernel
  std::filesystem::path strongswan;            // strongswan.conf, strongswan.d is beside it; empty: as charon finds it
  std::filesystem::path sysctl = kSysctlFile;  // what `init --mend` writes
};

// Forwarding, the home link's interface and our address on it, IPsec, charon's limits, the disk, the clock.
Health read_health(const Config& config, const MachinePaths& paths = {});
// The same, and kernel modules, and whether charon answers, for one that is no client of charon. Takes its time: the
// list of all modules is read.
Health read_health_before_start(const Config& config, const MachinePaths& paths = {});

// The folder whose *.conf charon reads; it need not exist.
std::filesystem::path charon_drop_ins(const MachinePaths& paths);

// The global addresses of an interface; of all if none is named.
std::vector<mip6::Ipv6Address> addresses_on(const std::string& interface);

}  // namespace mip6ha
