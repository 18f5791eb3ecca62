// See machine.hpp.
#include "examples/home-agent/machine.hpp"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>
#include <string_view>

#include "mnd/linux/kernel.hpp"
#include "mnd/linux/machine.hpp"
#include "mnd/linux/unix_socket.hpp"

namespace mip6ha {
namespace {

std::string first_line(const std::filesystem::path& path) {
  std::ifstream file{path};
  std::string line;
  std::getline(file, line);
  return line;
}

// Devices with a default route that the kernel made from a router advertisement.
std::set<std::string> default_routes_by_advertisement(const MachinePaths& paths) {
  constexpr unsigned long kDefaultByAdvertisement = 0x00010000 | 0x00040000;  // RTF_DEFAULT, RTF_ADDRCONF
  constexpr std::size_t kFlags = 8;
  constexpr std::size_t kDevice = 9;
  std::set<std::string> devices;
  std::ifstream routes{paths.proc / "net/ipv6_route"};
  for (std::string line; std::getline(routes, line);) {
    std::istringstream text{line};
    const std::vector<std::string> fields{std::istream_iterator<std::string>{text}, {}};
    if (fields.size() <= kDevice) continue;
    const auto flags = std::strtoul(fields[kFlags].c_str(), nullptr, 16);
    if ((flags & kDefaultByAdvertisement) == kDefaultByAdvertisement) devices.insert(fields[kDevice]);
  }
  return devices;
}

void read_network(Health& health, const MachinePaths& paths) {
  const auto settings = paths.proc / "sys/net/ipv6/conf";
  const auto forwarding = first_line(settings / "all/forwarding");
  health.forwarding = !forwarding.empty() && forwarding != "0";
  if (!*health.forwarding)
    for (const auto& device : default_routes_by_advertisement(paths))
      if (first_line(settings / device / "accept_ra") == "1") health.uplinks_by_advertisement.push_back(device);
  health.ipsec = ::access((paths.proc / "net/xfrm_stat").c_str(), R_OK) == 0;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> list{first, ::freeifaddrs};
  health.link_up = health.tunnel_there = false;
  for (const auto* one = list.get(); one != nullptr; one = one->ifa_next) {
    const bool up = (one->ifa_flags & IFF_UP) != 0;
    if (one->ifa_name == health.interface && up && (one->ifa_flags & IFF_RUNNING) != 0) health.link_up = true;
    if (std::string_view{one->ifa_name} == mnd::kernel::kAgentTunnelName && up) health.tunnel_there = true;
  }
  const auto there = addresses_on(health.interface);
  health.address_there = std::ranges::find(there, health.address) != there.end();
  if (health.next_prefix)
    health.next_prefix_there =
        std::ranges::any_of(there, [&](const auto& one) { return health.next_prefix->contains(one); });
}

// --- charon ---

std::filesystem::path strongswan_conf(const MachinePaths& paths) {
  if (!paths.strongswan.empty()) return paths.strongswan;
  const char* named = std::getenv("STRONGSWAN_CONF");  // as charon does
  return named != nullptr ? named : "/etc/strongswan.conf";
}

// The value of a setting, whatever section it is in; the last one counts.
void read_setting(std::string_view line, std::string_view name, std::optional<std::string>& value) {
  line = line.substr(0, line.find('#'));
  const auto at = line.find(name);
  if (at == std::string_view::npos || (at > 0 && line.find_first_of(" \t.{", at - 1) != at - 1)) return;
  const auto equals = line.find_first_not_of(" \t", at + name.size());
  if (equals == std::string_view::npos || line[equals] != '=') return;
  const auto begin = line.find_first_not_of(" \t\"", equals + 1);
  if (begin == std::string_view::npos) return;
  value = line.substr(begin, line.find_first_of(" \t\"}", begin) - begin);
}

CharonLimits read_limits(const MachinePaths& paths) {
  std::vector<std::filesystem::path> files;
  std::error_code ignored;
  for (std::filesystem::directory_iterator entry{charon_drop_ins(paths), ignored}, end; !ignored && entry != end;
       entry.increment(ignored))
    if (entry->path().extension() == ".conf") files.push_back(entry->path());
  std::ranges::sort(files);
  files.insert(files.begin(), strongswan_conf(paths));
  std::optional<std::string> half_open;
  std::optional<std::string> cookies;
  for (const auto& path : files) {
    std::ifstream file{path};
    for (std::string line; std::getline(file, line);) {
      read_setting(line, "init_limit_half_open", half_open);
      read_setting(line, "cookie_threshold", cookies);
    }
  }
  return {.half_open = half_open.value_or("0") != "0", .cookies = cookies != "0"};
}

bool charon_answers(const Config& config) { return mnd::kernel::connect_to(config.vici_socket.native()).has_value(); }

}  // namespace

Health read_health(const Config& config, const MachinePaths& paths) {
  Health health;
  health.address = config.address;
  health.prefix = config.prefix;
  health.next_prefix = config.next_prefix;
  health.interface = config.interface;
  health.vici_socket = config.vici_socket.string();
  health.state_directory = config.state_directory.string();
  read_network(health, paths);
  health.charon_limits = read_limits(paths);
  health.state_writable = ::access(health.state_directory.c_str(), W_OK) == 0;
  struct statvfs room {};
  if (::statvfs(health.state_directory.c_str(), &room) == 0)
    health.state_bytes_free = static_cast<std::uint64_t>(room.f_bavail) * room.f_frsize;
  health.unix_now = static_cast<std::int64_t>(std::time(nullptr));
  return health;
}

Health read_health_before_start(const Config& config, const MachinePaths& paths) {
  auto health = read_health(config, paths);
  health.missing_modules = mnd::kernel::missing_modules(
      {.proc = paths.proc, .loaded_modules = paths.loaded_modules, .modules = paths.modules, .config = {}});
  health.charon_connected = charon_answers(config);
  return health;
}

std::filesystem::path charon_drop_ins(const MachinePaths& paths) {
  return strongswan_conf(paths).parent_path() / "strongswan.d";
}

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

}  // namespace mip6ha
