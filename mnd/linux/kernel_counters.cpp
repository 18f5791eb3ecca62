// See kernel_counters.hpp.
#include "mnd/linux/kernel_counters.hpp"

#include <linux/gen_stats.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <sstream>

#include "mnd/linux/tunnel_device.hpp"
#include "mnd/linux/tunnel_messages.hpp"

namespace mnd::kernel {

namespace {

constexpr const char* kXfrmStat = "/proc/self/net/xfrm_stat";
constexpr const char* kSnmp6 = "/proc/self/net/snmp6";
// What is cut short, unknown, or in pieces that never come together. Parameter Problems: answers to messages too short
// for their type, which the kernel counts no otherwise; fewer than there were, for it answers at a limited rate. No
// room in a socket of UDP, such as charon's.
constexpr std::array<std::string_view, 7> kRefused{"Ip6InHdrErrors",  "Ip6InUnknownProtos",   "Ip6InTruncatedPkts",
                                                   "Ip6ReasmFails",   "Icmp6OutParmProblems", "Udp6RcvbufErrors",
                                                   "Udp6InCsumErrors"};

std::string read_all(const char* path) {
  std::ostringstream text;
  if (std::ifstream file{path}; file) text << file.rdbuf();
  return text.str();
}

std::optional<std::uint64_t> count_drops(const char* device) {
  auto socket = NetlinkSocket::open(NETLINK_ROUTE);
  if (!socket) return std::nullopt;
  const auto link = find_device(*socket, device);
  if (!link || !*link) return std::nullopt;
  const auto filter = socket->get(get_drop_filter((*link)->index));
  return filter ? parse_drop_count(*filter) : std::nullopt;
}

}  // namespace

std::map<std::string, std::uint64_t> parse_xfrm_stat(std::string_view text) {
  std::map<std::string, std::uint64_t> counts;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const auto name = line.substr(0, line.find_first_of(" \t"));
    const auto at = line.find_first_not_of(" \t", name.size());
    if (name.empty() || at == std::string_view::npos) continue;
    std::uint64_t value = 0;
    const auto number = line.substr(at, line.find_last_not_of(" \t\r") + 1 - at);
    const auto read = std::from_chars(number.data(), number.data() + number.size(), value);
    if (read.ec == std::errc{} && read.ptr == number.data() + number.size() && value > 0) counts.emplace(name, value);
  }
  return counts;
}

std::map<std::string, std::uint64_t> parse_snmp6(std::string_view text) {
  auto counts = parse_xfrm_stat(text);
  std::erase_if(
      counts, [](const auto& one) { return std::find(kRefused.begin(), kRefused.end(), one.first) == kRefused.end(); });
  return counts;
}

std::optional<std::uint64_t> parse_drop_count(const NetlinkMessage& message) {
  const auto* header = family_header<tcmsg>(message);
  if (header == nullptr || to_text(find_attribute(message, sizeof *header, TCA_KIND)) != "matchall")
    return std::nullopt;
  const auto options = find_attribute(message, sizeof *header, TCA_OPTIONS);
  const auto action = find_nested(find_nested(options, TCA_MATCHALL_ACT), 1);
  const auto basic = find_nested(find_nested(action, TCA_ACT_STATS), TCA_STATS_BASIC);
  gnet_stats_basic counted{};
  constexpr std::size_t kNeeded = offsetof(gnet_stats_basic, packets) + sizeof counted.packets;
  if (basic.size() < kNeeded) return std::nullopt;
  std::memcpy(&counted, basic.data(), kNeeded);
  return counted.packets;
}

std::map<std::string, std::uint64_t> read_xfrm_counters() { return parse_xfrm_stat(read_all(kXfrmStat)); }

KernelCounters read_kernel_counters(const char* tunnel_device) {
  return {
      .xfrm = read_xfrm_counters(), .ip = parse_snmp6(read_all(kSnmp6)), .tunnel_dropped = count_drops(tunnel_device)};
}

}  // namespace mnd::kernel
