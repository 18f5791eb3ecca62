// What the doctor looks at of this machine, and the doctor where the daemon does not run.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "mnd/config.hpp"
#include "mnd/doctor.hpp"
#include "mnd/linux/machine.hpp"

namespace mnd {

// Sets what can be told without the kernel's lists: IPv6, the state folder, the clock, our own certificate.
void read_machine(Health& health, const Config& config, const kernel::KernelPaths& paths = {});
// Modules and options of the kernel: a megabyte of text is read. In its hardened unit the daemon does not see the
// modules' lists.
void read_kernel(Health& health, const kernel::KernelPaths& paths = {});
// Those of them that mip6ctl has missed, as it names them beside its question; whatever else is in there is left out.
void add_missing(Health& health, const nlohmann::json& names);

// Without the daemon: its configuration, the kernel, charon's socket, the state folder. The first finding is that it
// does not run. Reads the secrets that the configuration names, and forgets them.
std::vector<Finding> examine_stopped(const std::filesystem::path& config_file, const kernel::KernelPaths& paths = {});

}  // namespace mnd
