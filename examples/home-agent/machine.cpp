// See machine.hpp.
#include "examples/home-agent/machine.hpp"

#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <string_view>
#include <utility>

#include "mnd/linux/descriptor.hpp"

namespace mip6ha {
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

std::string first_line(const std::filesystem::path& path) {
  std::ifstream file{path};
  std::string line;
  std::getline(file, line);
  return line;
}

MachineFinding forwarding(const MachinePaths& paths) {
  MachineFinding finding{.check = "forwarding", .good = false, .what = "IPv6 is forwarded", .remedy = {}};
  finding.good = first_line(paths.proc / "sys/net/ipv6/conf/all/forwarding") == "1";
  if (finding.good) return finding;
  finding.what = "IPv6 is not forwarded: nothing would reach the nodes";
  finding.remedy = "echo net.ipv6.conf.all.forwarding=1 > /etc/sysctl.d/60-mip6-ha.conf && sysctl --system";
  return finding;
}

std::vector<MachineFinding> home_link(const Config& config) {
  MachineFinding interface {
    .check = "interface", .good = true, .what = config.interface + " is there", .remedy = {}
  };
  if (::if_nametoindex(config.interface.c_str()) == 0) {
    interface.good = false;
    interface.what = fmt::format("there is no interface {}", config.interface);
    interface.remedy = "name the home link's interface: ip link shows them";
    return {interface};
  }
  MachineFinding address{.check = "address",
                         .good = true,
                         .what = fmt::format("{} is on {}", config.address.to_string(), config.interface),
                         .remedy = {}};
  const auto there = addresses_on(config.interface);
  if (std::find(there.begin(), there.end(), config.address) == there.end()) {
    address.good = false;
    address.what = fmt::format("{} is not on {}", config.address.to_string(), config.interface);
    address.remedy = fmt::format("ip address add {}/{} dev {}, and the same in the machine's network configuration",
                                 config.address.to_string(), config.prefix.length, config.interface);
  }
  return {interface, address};
}

MachineFinding charon(const Config& config) {
  MachineFinding finding{.check = "charon", .good = false, .what = "charon answers", .remedy = {}};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto path = config.vici_socket.string();
  if (path.size() < sizeof address.sun_path) std::memcpy(address.sun_path, path.data(), path.size());
  const mnd::kernel::Descriptor peer{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  finding.good = peer && ::connect(peer.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  if (finding.good) return finding;
  const int number = errno;
  finding.what = fmt::format("charon does not answer on {}: {}", path, std::strerror(number));
  finding.remedy = number == ENOENT || number == ECONNREFUSED
                       ? "apt install charon-systemd && systemctl enable --now strongswan (manual keys need none)"
                       : "do it as root";
  return finding;
}

// Its defaults bound what one address may open, and cookies come early, but the sum is not bounded.
MachineFinding charon_limits(const MachinePaths& paths) {
  MachineFinding finding{.check = "limits", .good = false, .what = "charon's limits are set", .remedy = {}};
  std::error_code ignored;
  for (std::filesystem::directory_iterator entry{paths.strongswan, ignored}, end; !ignored && entry != end;
       entry.increment(ignored)) {
    std::ifstream file{entry->path()};
    for (std::string line; std::getline(file, line);) {
      const auto begin = line.find_first_not_of(" \t");
      finding.good =
          finding.good || (begin != std::string::npos && line.substr(begin).starts_with("init_limit_half_open"));
    }
  }
  if (finding.good) return finding;
  finding.what = fmt::format("no file in {} bounds half-open IKE connections", paths.strongswan.string());
  finding.remedy =
      "cp /usr/share/doc/mnd/examples/strongswan-mip6-ha.conf /etc/strongswan.d/mip6-ha.conf && systemctl restart "
      "strongswan";
  return finding;
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

MachineFinding modules(const MachinePaths& paths) {
  auto folder = paths.modules;
  if (folder.empty()) {
    utsname names{};
    ::uname(&names);
    folder = std::filesystem::path{"/lib/modules"} / names.release;
  }
  std::vector<std::string_view> missing;
  std::error_code ignored;
  for (const auto& module : kModules)
    if (!std::filesystem::exists(paths.loaded_modules / module.name, ignored) &&
        !named_in(folder / "modules.dep", module.file) && !named_in(folder / "modules.builtin", module.file))
      missing.push_back(module.name);
  if (missing.empty()) return {.check = "modules", .good = true, .what = "the kernel has what is needed", .remedy = {}};
  return {.check = "modules",
          .good = false,
          .what = fmt::format("the kernel has no {}", fmt::join(missing, ", ")),
          .remedy = "run Debian's own kernel: apt install linux-image-amd64"};
}

}  // namespace

std::vector<mip6::Ipv6Address> addresses_on(const std::string& interface) {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> list{first, ::freeifaddrs};
  std::vector<mip6::Ipv6Address> all;
  for (const auto* one = list.get(); one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET6) continue;
    if (!interface.empty() && interface != one->ifa_name) continue;
    sockaddr_in6 socket_address{};
    std::memcpy(&socket_address, one->ifa_addr, sizeof socket_address);
    mip6::Ipv6Address address;
    std::memcpy(address.bytes.data(), &socket_address.sin6_addr, address.bytes.size());
    if (address.is_global_unicast()) all.push_back(address);
  }
  return all;
}

std::vector<MachineFinding> examine_machine(const Config& config, const MachinePaths& paths) {
  std::vector<MachineFinding> all{forwarding(paths)};
  for (auto& finding : home_link(config)) all.push_back(std::move(finding));
  all.push_back(charon(config));
  all.push_back(charon_limits(paths));
  all.push_back(modules(paths));
  return all;
}

}  // namespace mip6ha
