// See machine.hpp.
#include "mnd/linux/machine.hpp"

#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <set>
#include <system_error>

namespace mnd::kernel {
namespace {

// What the Binding Updates' states, the tunnels and the keys need; `file`: as modules.dep and modules.builtin name it.
struct Module {
  std::string_view name;
  std::string_view file;
};
constexpr std::array<Module, 8> kModules{{{"mip6", "/mip6.ko"},
                                          {"xfrm_user", "/xfrm_user.ko"},
                                          {"esp6", "/esp6.ko"},
                                          {"ip6_tunnel", "/ip6_tunnel.ko"},
                                          // the source check of tunnelled packets
                                          {"sch_ingress", "/sch_ingress.ko"},
                                          {"cls_flower", "/cls_flower.ko"},
                                          {"cls_matchall", "/cls_matchall.ko"},
                                          {"act_gact", "/act_gact.ko"}}};

// Those that are no modules: policies of both kinds side by side, moving SAs, a table of routes for the home address,
// and routes by source.
constexpr std::array<std::string_view, 4> kOptions{"CONFIG_XFRM_SUB_POLICY", "CONFIG_XFRM_MIGRATE",
                                                   "CONFIG_IPV6_MULTIPLE_TABLES", "CONFIG_IPV6_SUBTREES"};

std::string release() {
  utsname names{};
  ::uname(&names);
  return names.release;
}

bool named_in(const std::filesystem::path& list, std::string_view file) {
  std::ifstream lines{list};
  for (std::string line; std::getline(lines, line);) {
    const auto name = std::string_view{line}.substr(0, line.find(':'));
    const auto at = name.find(file);
    // .ko, .ko.xz, .ko.zst
    if (at != std::string_view::npos && (at + file.size() == name.size() || name[at + file.size()] == '.')) return true;
  }
  return false;
}

std::string first_line(const std::filesystem::path& path) {
  std::ifstream file{path};
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace

std::vector<std::string> missing_modules(const KernelPaths& paths) {
  const auto folder = paths.modules.empty() ? std::filesystem::path{"/lib/modules"} / release() : paths.modules;
  std::vector<std::string> missing;
  std::error_code ignored;
  // What is built in is told there alone.
  if (!std::filesystem::exists(folder / "modules.builtin", ignored)) return missing;
  for (const auto& module : kModules)
    if (!std::filesystem::exists(paths.loaded_modules / module.name, ignored) &&
        !named_in(folder / "modules.dep", module.file) && !named_in(folder / "modules.builtin", module.file))
      missing.emplace_back(module.name);
  return missing;
}

std::vector<std::string> missing_options(const KernelPaths& paths) {
  std::ifstream lines{paths.config.empty() ? std::filesystem::path{"/boot"} / ("config-" + release()) : paths.config};
  std::set<std::string, std::less<>> there;
  bool any = false;
  for (std::string line; std::getline(lines, line);) {
    any = any || line.starts_with("CONFIG_");
    const auto equals = line.find('=');
    if (equals != std::string::npos) there.insert(line.substr(0, equals));
  }
  std::vector<std::string> missing;
  if (!any) return missing;
  for (const auto option : kOptions)
    if (!there.contains(option)) missing.emplace_back(option);
  return missing;
}

bool kernel_needs(std::string_view name) {
  return std::ranges::find(kModules, name, &Module::name) != kModules.end() ||
         std::ranges::find(kOptions, name) != kOptions.end();
}

bool ipv6_switched_off(const KernelPaths& paths) {
  std::error_code ignored;
  if (!std::filesystem::exists(paths.proc / "net/if_inet6", ignored)) return true;  // ipv6.disable=1
  return first_line(paths.proc / "sys/net/ipv6/conf/all/disable_ipv6") == "1";
}

std::optional<std::uint32_t> mtu_of(const std::string& interface, const KernelPaths& paths) {
  std::ifstream file{paths.proc / "sys/net/ipv6/conf" / interface / "mtu"};
  std::uint32_t mtu = 0;
  if (interface.empty() || !(file >> mtu)) return std::nullopt;
  return mtu;
}

}  // namespace mnd::kernel
