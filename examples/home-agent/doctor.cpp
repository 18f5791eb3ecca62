// A table of checks, one function each; and what they look at, read from the machine.
#include "examples/home-agent/doctor.hpp"

#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <ctime>
#include <fstream>

#include "mnd/linux/kernel.hpp"

namespace mip6ha {
namespace {

using Result = std::optional<Finding>;

Result found(std::string what, std::string remedy) {
  return Finding{.check = {}, .what = std::move(what), .remedy = std::move(remedy)};
}

Result check_forwarding(const Health& health) {
  if (health.forwarding.value_or(true)) return std::nullopt;
  return found("this machine does not forward IPv6 packets, and so none from or to a mobile node",
               "sysctl net.ipv6.conf.all.forwarding=1");
}

Result check_link(const Health& health) {
  if (health.link_up.value_or(true)) return std::nullopt;
  return found(fmt::format("the home link's interface {} is down or missing", health.interface),
               fmt::format("ip link set {} up; look at its cable", health.interface));
}

Result check_address(const Health& health) {
  if (health.address_there.value_or(true)) return std::nullopt;
  return found(fmt::format("no interface has the home agent's address {}", health.address.to_string()),
               fmt::format("ip addr add {}/64 dev {}", health.address.to_string(), health.interface));
}

// As with the present prefix, nodes that are at home are reached by the route that goes with an address.
Result check_next_prefix(const Health& health) {
  if (!health.next_prefix || health.next_prefix_there.value_or(true)) return std::nullopt;
  return found(fmt::format("{} has no address of next-prefix {}: nodes at home there cannot be reached",
                           health.interface, health.next_prefix->to_string()),
               fmt::format("ip addr add ADDRESS/{} dev {}, and the same in the machine's network configuration",
                           health.next_prefix->length, health.interface));
}

Result check_tunnel(const Health& health) {
  if (health.tunnel_there.value_or(true)) return std::nullopt;
  return found(fmt::format("our tunnel device {} is gone or down: nothing is tunnelled", mnd::kernel::kAgentTunnelName),
               "restart mip6-ha, and see who removes devices that are not theirs");
}

Result check_ipsec(const Health& health) {
  if (health.ipsec) return std::nullopt;
  return found("the kernel shows no IPsec counters (/proc/net/xfrm_stat)",
               "modprobe xfrm_user esp6; use a kernel with CONFIG_XFRM_STATISTICS, as Debian's");
}

Result check_charon(const Health& health) {
  if (!health.charon_needed || health.charon_connected) return std::nullopt;
  return found(fmt::format("charon cannot be reached on {}, and it makes the nodes' keys", health.vici_socket),
               "start it (systemctl start strongswan), or name its socket with vici-socket");
}

// 5.9 has what the K flag needs (MIGRATE by KMADDRESS for IKEv2); Debian 12 has 5.9.8.
Result check_charon_version(const Health& health) {
  constexpr int kMajor = 5;
  constexpr int kMinor = 9;
  int major = 0;
  int minor = 0;
  const auto& text = health.charon_version;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, major);
  if (first.ec != std::errc{} || first.ptr == end || std::from_chars(first.ptr + 1, end, minor).ec != std::errc{})
    return std::nullopt;
  if (major > kMajor || (major == kMajor && minor >= kMinor)) return std::nullopt;
  return found(fmt::format("charon is of version {}, which nobody has tried with mip6-ha", text),
               "use strongSwan 5.9 or newer, as in Debian 12");
}

Result check_charon_plugins(const Health& health) {
  if (health.charon_plugins.empty()) return std::nullopt;
  const auto has = [&](std::string_view name) {
    return std::find(health.charon_plugins.begin(), health.charon_plugins.end(), name) != health.charon_plugins.end();
  };
  if (has("kernel-netlink")) return std::nullopt;
  return found("charon has not loaded its plugin kernel-netlink: it does not follow a node's move",
               "load it in strongswan.conf, and no other kernel-* plugin");
}

Result check_disk(const Health& health) {
  if (health.disk) return found(health.disk->what, health.disk->remedy);
  if (!health.state_writable)
    return found(fmt::format("{} cannot be written: no update is accepted", health.state_directory),
                 "see that its file system is not read-only, and that it belongs to the user that mip6-ha runs as");
  constexpr std::uint64_t kLittle = 16 * 1024 * 1024;
  if (health.state_bytes_free.value_or(kLittle) >= kLittle) return std::nullopt;
  return found(fmt::format("{} KiB are left on the file system of {}: soon no update will be accepted",
                           *health.state_bytes_free / 1024, health.state_directory),
               "make room on that file system");
}

// Certificates are judged by it, and a binding's lifetime over a boot.
Result check_clock(const Health& health) {
  constexpr std::int64_t kRelease = 1'735'689'600;  // 2025; nothing of this was there before
  if (health.unix_now >= kRelease) return std::nullopt;
  return found("the wall clock shows a time in the past: certificates are not valid yet by it",
               "set it (timedatectl), and let systemd-timesyncd or chrony keep it");
}

struct Check {
  std::string_view name;
  Result (*run)(const Health&);
};
constexpr std::array<Check, 11> kChecks{{
    {"forwarding", check_forwarding},
    {"home-link", check_link},
    {"address", check_address},
    {"next-prefix", check_next_prefix},
    {"tunnel", check_tunnel},
    {"ipsec", check_ipsec},
    {"charon", check_charon},
    {"charon-version", check_charon_version},
    {"charon-plugins", check_charon_plugins},
    {"database", check_disk},
    {"clock", check_clock},
}};

void read_interfaces(Health& health) {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return;
  health.link_up = health.address_there = health.tunnel_there = health.next_prefix_there = false;
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    const bool up = (one->ifa_flags & IFF_UP) != 0;
    if (one->ifa_name == health.interface && up && (one->ifa_flags & IFF_RUNNING) != 0) health.link_up = true;
    if (std::string_view{one->ifa_name} == mnd::kernel::kAgentTunnelName && up) health.tunnel_there = true;
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET6) continue;
    sockaddr_in6 socket_address{};
    std::memcpy(&socket_address, one->ifa_addr, sizeof socket_address);
    mip6::Ipv6Address held;
    std::memcpy(held.bytes.data(), &socket_address.sin6_addr, held.bytes.size());
    if (held == health.address) health.address_there = true;
    if (health.next_prefix && one->ifa_name == health.interface && health.next_prefix->contains(held))
      health.next_prefix_there = true;
  }
  ::freeifaddrs(list);
}

}  // namespace

Health read_health(const mip6::Ipv6Address& address, const std::string& interface,
                   const std::filesystem::path& state_directory, const std::optional<mip6::Ipv6Prefix>& next_prefix) {
  Health health;
  health.address = address;
  health.interface = interface;
  health.next_prefix = next_prefix;
  health.state_directory = state_directory.string();
  std::string forwarding;
  if (std::ifstream{"/proc/sys/net/ipv6/conf/all/forwarding"} >> forwarding) health.forwarding = forwarding != "0";
  read_interfaces(health);
  health.ipsec = ::access("/proc/net/xfrm_stat", R_OK) == 0;
  health.state_writable = ::access(state_directory.c_str(), W_OK) == 0;
  struct statvfs room {};
  if (::statvfs(state_directory.c_str(), &room) == 0)
    health.state_bytes_free = static_cast<std::uint64_t>(room.f_bavail) * room.f_frsize;
  health.unix_now = static_cast<std::int64_t>(std::time(nullptr));
  return health;
}

std::vector<Finding> examine(const Health& health) {
  std::vector<Finding> findings;
  for (const auto& check : kChecks) {
    auto finding = check.run(health);
    if (!finding) continue;
    finding->check = check.name;
    findings.push_back(std::move(*finding));
  }
  return findings;
}

}  // namespace mip6ha
