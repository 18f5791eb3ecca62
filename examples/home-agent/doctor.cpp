// A table of checks, one function each.
#include "examples/home-agent/doctor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "mnd/linux/kernel.hpp"

namespace mip6ha {
namespace {

using Verdict = std::optional<Finding>;

Verdict found(std::string what, std::string remedy) {
  return Finding{.check = {}, .what = std::move(what), .remedy = std::move(remedy)};
}

Verdict check_forwarding(const Health& health) {
  if (health.forwarding.value_or(true)) return std::nullopt;
  std::string lines;
  for (const char letter : sysctl_lines(health)) lines += letter == '\n' ? "\\n" : std::string{letter};
  return found("this machine does not forward IPv6 packets, and so none from or to a mobile node",
               fmt::format("printf '{}' >> {} && sysctl --system", lines, kSysctlFile));
}

Verdict check_link(const Health& health) {
  if (health.link_up.value_or(true)) return std::nullopt;
  return found(fmt::format("the home link's interface {} is down or missing", health.interface),
               fmt::format("ip link set {} up; look at its cable; ip link shows what there is", health.interface));
}

Verdict check_address(const Health& health) {
  if (health.address_there.value_or(true)) return std::nullopt;
  return found(fmt::format("the home agent's address {} is not on {}", health.address.to_string(), health.interface),
               fmt::format("ip address add {}/{} dev {}, and the same in the machine's network configuration",
                           health.address.to_string(), health.prefix.length, health.interface));
}

// As with the present prefix, nodes that are at home are reached by the route that goes with an address.
Verdict check_next_prefix(const Health& health) {
  if (!health.next_prefix || health.next_prefix_there.value_or(true)) return std::nullopt;
  return found(fmt::format("{} has no address of next-prefix {}: nodes at home there cannot be reached",
                           health.interface, health.next_prefix->to_string()),
               fmt::format("ip address add ADDRESS/{} dev {}, and the same in the machine's network configuration",
                           health.next_prefix->length, health.interface));
}

Verdict check_tunnel(const Health& health) {
  if (health.tunnel_there.value_or(true)) return std::nullopt;
  return found(fmt::format("our tunnel device {} is gone or down: nothing is tunnelled", mnd::kernel::kAgentTunnelName),
               "restart mip6-ha, and see who removes devices that are not theirs");
}

Verdict check_ipsec(const Health& health) {
  if (health.ipsec) return std::nullopt;
  return found("the kernel shows no IPsec counters (/proc/net/xfrm_stat)",
               "modprobe xfrm_user esp6; use a kernel with CONFIG_XFRM_STATISTICS, as Debian's");
}

Verdict check_modules(const Health& health) {
  if (health.missing_modules.empty()) return std::nullopt;
  return found(fmt::format("the kernel has no {}", fmt::join(health.missing_modules, ", ")),
               "run Debian's own kernel: apt install linux-image-$(dpkg --print-architecture)");
}

Verdict check_charon(const Health& health) {
  if (!health.charon_needed || health.charon_connected) return std::nullopt;
  return found(
      fmt::format("charon cannot be reached on {}, and it makes the nodes' keys", health.vici_socket),
      "systemctl enable --now strongswan (package charon-systemd), or name its socket with vici-socket; manual "
      "keys need none");
}

// Its defaults bound what one address may open, and cookies come early, but the sum is not bounded.
Verdict check_charon_limits(const Health& health) {
  if (!health.charon_needed || !health.charon_limits) return std::nullopt;
  if (!health.charon_limits->cookies)
    return found("charon asks no stranger for a cookie: a key exchange for each forged packet",
                 "remove cookie_threshold = 0 from strongswan.conf, and restart strongswan");
  if (health.charon_limits->half_open) return std::nullopt;
  return found(
      "half-open IKE connections of charon are not bounded: a flood takes all memory",
      "cp /usr/share/doc/mip6-ha/examples/strongswan-mip6-ha.conf /etc/strongswan.d/mip6-ha.conf && systemctl restart "
      "strongswan");
}

// 5.9 has what the K flag needs (MIGRATE by KMADDRESS for IKEv2); Debian 12 has 5.9.8.
Verdict check_charon_version(const Health& health) {
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

Verdict check_charon_plugins(const Health& health) {
  if (health.charon_plugins.empty()) return std::nullopt;
  const auto has = [&](std::string_view name) {
    return std::find(health.charon_plugins.begin(), health.charon_plugins.end(), name) != health.charon_plugins.end();
  };
  if (has("kernel-netlink")) return std::nullopt;
  return found("charon has not loaded its plugin kernel-netlink: it does not follow a node's move",
               "load it in strongswan.conf, and no other kernel-* plugin");
}

Verdict check_disk(const Health& health) {
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
Verdict check_clock(const Health& health) {
  constexpr std::int64_t kRelease = 1'735'689'600;  // 2025; nothing of this was there before
  if (health.unix_now >= kRelease) return std::nullopt;
  return found("the wall clock shows a time in the past: certificates are not valid yet by it",
               "set it (timedatectl), and let systemd-timesyncd or chrony keep it");
}

struct Check {
  std::string_view name;
  Verdict (*run)(const Health&);
  std::string_view passed;  // empty: only a running home agent can fail it
};
constexpr std::array<Check, 13> kChecks{{
    {"forwarding", check_forwarding, "IPv6 packets are forwarded"},
    {"home-link", check_link, "the home link's interface is up"},
    {"address", check_address, "the home agent's address is on it"},
    {"next-prefix", check_next_prefix, ""},
    {"tunnel", check_tunnel, ""},
    {"ipsec", check_ipsec, "the kernel has IPsec"},
    {"modules", check_modules, "the kernel has all modules"},
    {"charon", check_charon, "charon answers"},
    {"charon-limits", check_charon_limits, "what strangers can ask of charon is bounded"},
    {"charon-version", check_charon_version, ""},
    {"charon-plugins", check_charon_plugins, ""},
    {"database", check_disk, ""},
    {"clock", check_clock, "the wall clock is likely"},
}};

}  // namespace

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

std::vector<Finding> findings_of(std::span<const mnd::kernel::ConfigMistake> warnings) {
  std::vector<Finding> findings;
  for (const auto& one : warnings)
    findings.push_back({"nodes", fmt::format("{} ({}:{})", one.what, one.file, one.line), one.remedy});
  return findings;
}

std::vector<MachineFinding> examine_machine(const Health& health) {
  std::vector<MachineFinding> all;
  for (const auto& check : kChecks) {
    if (check.passed.empty()) continue;
    auto finding = check.run(health).value_or(Finding{.check = {}, .what = std::string{check.passed}, .remedy = {}});
    const bool good = finding.remedy.empty();
    all.push_back({std::string{check.name}, good, std::move(finding.what), std::move(finding.remedy)});
  }
  return all;
}

std::string sysctl_lines(const Health& health) {
  std::string lines;
  for (const auto& uplink : health.uplinks_by_advertisement)
    lines += fmt::format("net/ipv6/conf/{}/accept_ra=2\n", uplink);
  return lines + "net.ipv6.conf.all.forwarding=1\n";
}

}  // namespace mip6ha
