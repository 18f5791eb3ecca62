// What the kernel refused on its own, by the kernel's own names: packets that no daemon ever sees.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "mnd/linux/netlink.hpp"

namespace mnd::kernel {

struct KernelCounters {
  // /proc/net/xfrm_stat of this network namespace, those that are not zero; also what others' IPsec ran into.
  std::map<std::string, std::uint64_t> xfrm;
  // Of /proc/net/snmp6 those that say what IPv6 or UDP refused here, and are not zero; of every program's packets.
  std::map<std::string, std::uint64_t> ip;
  // Packets that the tunnel's source check dropped; empty: not known, there is no such device.
  std::optional<std::uint64_t> tunnel_dropped;
};

// KernelCounters::xfrm alone.
std::map<std::string, std::uint64_t> read_xfrm_counters();
// All are read anew at each call, a status' worth of work. What cannot be read is left out.
KernelCounters read_kernel_counters(const char* tunnel_device);

// Lines of a name and a number; anything else is skipped.
std::map<std::string, std::uint64_t> parse_xfrm_stat(std::string_view text);

// Lines of snmp6, those alone that are in KernelCounters::ip.
std::map<std::string, std::uint64_t> parse_snmp6(std::string_view text);

// How many packets the action of the source check's last filter (get_drop_filter) has had.
std::optional<std::uint64_t> parse_drop_count(const NetlinkMessage& message);

}  // namespace mnd::kernel
