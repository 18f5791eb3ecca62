// What the running kernel and this machine lack, for both doctors and mip6ctl. Reads files: nothing for a moment that
// is in a hurry.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mnd::kernel {

// Where the kernel tells; others in tests.
struct KernelPaths {
  std::filesystem::path proc = "/proc";
  std::filesystem::path loaded_modules = "/sys/module";
  std::filesystem::path modules;  // /lib/modules/RELEASE; empty: of the running kernel
  std::filesystem::path config;   // /boot/config-RELEASE; empty: of the running kernel
};

// Modules that Mobile IPv6 under IPsec needs and that are neither loaded, nor built in, nor there to be loaded.
// Empty also where the lists of modules cannot be read.
std::vector<std::string> missing_modules(const KernelPaths& paths = {});

// Options (CONFIG_...) that it needs and that the kernel was built without. Empty also where the file with its options
// cannot be read.
std::vector<std::string> missing_options(const KernelPaths& paths = {});

// Whether it is one of those modules and options.
bool kernel_needs(std::string_view name);

// Whether IPv6 is switched off, on all interfaces or when booting.
bool ipv6_switched_off(const KernelPaths& paths = {});

// What IPv6 may send there in one packet, octets; empty: there is no such interface, or IPv6 is off on it.
std::optional<std::uint32_t> mtu_of(const std::string& interface, const KernelPaths& paths = {});

}  // namespace mnd::kernel
