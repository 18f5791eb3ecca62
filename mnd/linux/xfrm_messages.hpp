// The xfrm messages of this project, byte for byte (<linux/xfrm.h>), and the reading of dumped ones. Internal to
// mnd/linux: Xfrm sends them, the tests compare them with those of `ip xfrm`.
#pragma once

#include <linux/xfrm.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "libmip6/address.hpp"
#include "mnd/linux/manual_keys.hpp"
#include "mnd/linux/netlink.hpp"

namespace mnd::kernel {

inline constexpr std::uint8_t kBindingUpdateType = 5;  // RFC 6275 section 6.1.7
inline constexpr std::uint8_t kBindingAckType = 6;     // RFC 6275 section 6.1.8

inline constexpr std::uint8_t kMobilityHeader = 135;
inline constexpr std::uint8_t kIcmpv6 = 58;
inline constexpr std::uint8_t kPrefixSolicitationType = 146;   // RFC 6275 section 6.7
inline constexpr std::uint8_t kPrefixAdvertisementType = 147;  // RFC 6275 section 6.8

// What a policy applies to: Mobility Header from `source` to `destination`, if nothing else is said.
struct PolicyKey {
  mip6::Ipv6Address source;
  std::uint8_t source_length = 128;  // bits
  mip6::Ipv6Address destination;
  std::uint8_t destination_length = 128;
  std::uint8_t protocol = kMobilityHeader;  // 0: any
  std::uint8_t direction = XFRM_POLICY_OUT;
  // Mobility Header type; empty: any. An `in` policy has none: up to Linux 6.6 a typed one misses an update without
  // home address option, which is then accepted in the clear, and from 6.7 on it matches nothing at all.
  std::optional<std::uint8_t> type;  // also of an ICMPv6 message
  std::optional<std::uint8_t> code = std::nullopt;
  bool sub = false;  // XFRM_POLICY_TYPE_SUB
  bool operator==(const PolicyKey&) const = default;
};

// The one transformation that a policy asks for.
struct PolicyTemplate {
  mip6::Ipv6Address source;  // :: for any
  mip6::Ipv6Address destination;
  std::uint8_t protocol = 0;  // IPPROTO_ESP, IPPROTO_DSTOPTS (home address option), IPPROTO_ROUTING (type 2)
  std::uint32_t reqid = 0;
  bool optional = false;  // `level use`
  std::uint32_t spi = 0;  // host byte order; 0: any state with the reqid, the kernel takes the newest
  bool tunnel = false;    // tunnel mode
};

NetlinkMessage update_policy(const PolicyKey& key, const PolicyTemplate& wanted, std::uint32_t priority);
NetlinkMessage allow_policy(const PolicyKey& key, std::uint32_t priority);  // as it is, without transformation
// Refuses what it applies to. EEXIST if there is a policy for the same already.
NetlinkMessage new_block_policy(const PolicyKey& key, std::uint32_t priority);
NetlinkMessage delete_policy(const PolicyKey& key);
NetlinkMessage dump_policies();

// A state of the home address option or of the type 2 routing header. `message`: XFRM_MSG_NEWSA or XFRM_MSG_UPDSA.
NetlinkMessage care_of_state(std::uint16_t message, const mip6::Ipv6Address& source,
                             const mip6::Ipv6Address& destination, std::uint8_t protocol,
                             const mip6::Ipv6Address& care_of);
// The state that takes home address options of any source, for any destination.
NetlinkMessage add_wildcard_home_address_state();
// ESP in transport mode with keys set by hand. No replay window (RFC 4303 section 3.3.3: the sender's counter begins
// anew with each of its starts, and under the same keys all it sends then would be taken for replays).
NetlinkMessage manual_esp_state(const mip6::Ipv6Address& source, const mip6::Ipv6Address& destination,
                                std::uint32_t reqid, const ManualSa& sa);
// `spi`: host byte order, 0 for states without one.
NetlinkMessage delete_state(const mip6::Ipv6Address& source, const mip6::Ipv6Address& destination,
                            std::uint8_t protocol, std::uint32_t spi);
NetlinkMessage get_state(const mip6::Ipv6Address& destination, std::uint8_t protocol, std::uint32_t spi);
NetlinkMessage dump_states(std::uint8_t protocol);
// Only those from `source` to `destination`.
NetlinkMessage dump_states(std::uint8_t protocol, const mip6::Ipv6Address& source,
                           const mip6::Ipv6Address& destination);

// MIGRATE of ESP in transport mode from `source` to `destination` to the same two addresses, with KMADDRESS. A policy
// for a message type is found by its selector up to Linux 6.6; from 6.7 on as a packet's would be, which has its type
// where the first byte of the destination port lies.
enum class FindPolicy { kBySelector, kByPacket };
NetlinkMessage migrate_key_endpoint(const PolicyKey& key, std::uint32_t reqid, const mip6::Ipv6Address& local,
                                    const mip6::Ipv6Address& remote, FindPolicy find = FindPolicy::kBySelector);

// MIGRATE of a tunnel's SAs with this reqid, and of what `key` has of their addresses in its template. Not more than
// six moves. With `endpoint` the key manager hears that it is to follow.
struct TunnelMove {
  mip6::Ipv6Address old_source;
  mip6::Ipv6Address old_destination;
  mip6::Ipv6Address source;
  mip6::Ipv6Address destination;
};
struct KeyEndpoint {
  mip6::Ipv6Address local;
  mip6::Ipv6Address remote;
};
NetlinkMessage migrate_tunnel(const PolicyKey& key, std::uint32_t reqid, const std::vector<TunnelMove>& moves,
                              const std::optional<KeyEndpoint>& endpoint);

struct DumpedPolicy {
  PolicyKey key;
  std::uint8_t selector_protocol = 0;
  std::uint8_t destination_length = 0;
  std::uint32_t priority = 0;
  bool blocks = false;
  std::optional<PolicyTemplate> first;  // first template
};
std::optional<DumpedPolicy> parse_policy(const NetlinkMessage& message);

struct DumpedState {
  mip6::Ipv6Address source;
  mip6::Ipv6Address destination;
  std::uint8_t protocol = 0;
  std::uint32_t spi = 0;  // host byte order; 0 also while the key manager is only asked for one
  std::uint32_t reqid = 0;
  std::uint64_t packets = 0;  // that it has protected so far
  std::int64_t added = 0;     // by the wall clock, in seconds
  bool manual = false;        // neither replay window nor an end: no key manager makes such
  // The kernel has asked the key manager for it: nothing but its name is there yet, with the SPI that a policy wants.
  bool asked_for = false;
};
std::optional<DumpedState> parse_state(const NetlinkMessage& message);
// As much of a dumped state as parse_state() reads; keys come behind it.
std::size_t state_size_without_keys();

}  // namespace mnd::kernel
