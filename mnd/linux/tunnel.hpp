// The payload path: the tunnel device, the home address, routes and rules, the tunnel's source check.
// All calls are idempotent: adding what is there replaces it, removing what is not there is fine. In the main table
// what is not ours is never replaced: a route of ours that has no place beside it is left out.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "libmip6/address.hpp"
#include "libmip6/error.hpp"

namespace mnd::kernel {

// An address of a link, and the router by which packets from it leave; `::` if everybody is on that link.
struct LocalPath {
  std::uint32_t interface = 0;
  mip6::Ipv6Address address;
  mip6::Ipv6Address gateway;
  bool operator==(const LocalPath&) const = default;
};
// A route of others to a part of the world only, and the address that new connections by it are to have.
struct LocalPrefix {
  std::uint32_t interface = 0;
  mip6::Ipv6Prefix prefix;
  mip6::Ipv6Address gateway;  // `::`: on-link
  mip6::Ipv6Address source;
  bool operator==(const LocalPrefix&) const = default;
};
struct LocalPaths {
  std::vector<LocalPath> addresses;  // whatever may be in use: what is bound to it leaves by its own link
  std::vector<LocalPrefix> prefixes;
  std::optional<LocalPath> care_of;  // for new connections to the home agent, and to what is bypassed
  bool operator==(const LocalPaths&) const = default;
};

// An address of the Internet (2000::/3) that no special route is for.
inline constexpr mip6::Ipv6Address kSomewhere{{0x20}};

// Node. Made before the first registration: device `mip6` (ip6tnl external, up), home address on it with the `home`
// flag, last resorts in table 6275 (a default into the device, where payload ends but a Binding Update finds its
// policies, and an unreachable one), the source check (flower enc_src_ip home agent, dst_ip home address; all else is
// dropped), and rules:
//   first       from <home address> ipproto tcp lookup 6276: while away, with smaller packets (not under ESP)
//               from <home address> lookup 6275
//               to <home agent> lookup main: what is outside the tunnel, whatever a VPN takes
//   last but    lookup main suppress_prefixlength 0: the local link, and other routes that are no default
//   main        the first two once more, for what has no source yet (FIB_RULE_FIND_SADDR): new connections, for
//               which the kernel chooses the home address as long as it is not deprecated
// So there is nothing in the main table that packets from other addresses, or of other hosts, could take into the
// tunnel.
//
// `bypass`: destinations of new connections that don't go through the tunnel.
// `under_esp`: payload is for IPsec policies (EspTunnel). The device then only leads to them: it sends nothing itself,
// so that nothing leaves where no policy applies, and takes nothing.
class NodeTunnel {
 public:
  static tl::expected<NodeTunnel, mip6::Error> open(const mip6::Ipv6Address& home_address,
                                                    const mip6::Ipv6Address& home_agent, bool under_esp = false,
                                                    std::vector<mip6::Ipv6Prefix> bypass = {});
  NodeTunnel(NodeTunnel&&) noexcept;
  NodeTunnel& operator=(NodeTunnel&&) noexcept;
  ~NodeTunnel();

  // Device, address (deprecated: nobody chooses it yet), rules, fallback, source check. Finds what a former process
  // left.
  tl::expected<void, mip6::Error> set_up();
  // The rules again, where somebody has removed them, or added one before the first of ours (or taken that one away).
  tl::expected<void, mip6::Error> keep_rules();
  // What is needed before a care-of address is used, ONE route, none if it is there: packets from it to the home agent
  // leave by its own interface.
  tl::expected<void, mip6::Error> add_path_to_home_agent(const LocalPath& care_of);
  // The routes of all local addresses, in the main table; only what differs from the last call is changed. From each
  // address to everywhere, to the home agent and to what is bypassed (default, home agent/128 and prefix, from
  // address/128 via gateway: subtrees); for new connections to what is beside the tunnel the same from ::/128, with the
  // care-of address as source, and those of `prefixes` once more with theirs, metric kLocalMetric. The kernel drops
  // routes when their link goes down: an address must be left out then.
  tl::expected<void, mip6::Error> set_local_paths(const LocalPaths& paths);
  // Outbound through the tunnel, outer source `care_of`: one route replaced in table 6275, and one in table 6276.
  tl::expected<void, mip6::Error> send_through_tunnel(const mip6::Ipv6Address& care_of);
  // What a de-registration at home needs: table 6275 has the home link's router on the way to the home agent, the home
  // address is on that interface too (no DAD: section 11.5.5; deprecated). The payload's way is what it was: whether
  // this is the home link, the home agent's acknowledgement tells.
  tl::expected<void, mip6::Error> attach_home_link(std::uint32_t interface, std::uint8_t prefix_length,
                                                   const mip6::Ipv6Address& gateway);
  // Also the main default route, with the home address as preferred source and metric kDefaultMetric: on a link that
  // has both the kernel may choose another address than the home address.
  tl::expected<void, mip6::Error> send_through_home_link(std::uint32_t interface, std::uint8_t prefix_length,
                                                         const mip6::Ipv6Address& gateway);
  // The home address and the routes of attach_home_link() and send_through_home_link() go from that interface; with 0
  // the home address goes from whatever interface beside the tunnel a former process put it on.
  tl::expected<void, mip6::Error> detach_home_link(std::uint32_t interface);
  // No binding: only the last resorts are left in table 6275, the main default route of ours goes.
  tl::expected<void, mip6::Error> stop_outbound();
  // The home address is chosen by new connections (registered), or not (deprecated).
  tl::expected<void, mip6::Error> prefer_home_address(bool preferred);
  // The device by which a new connection to kSomewhere leaves, if it is not the tunnel's; empty: it is, or there is no
  // way.
  tl::expected<std::string, mip6::Error> other_way() const;
  // By which notifications name who asked for a change: this.
  std::uint32_t port() const;
  // Everything of ours goes, also without set_up(): device, addresses, rules, routes by protocol number; each also if
  // another could not be removed. The first error.
  tl::expected<void, mip6::Error> remove_all();

  struct Impl;

 private:
  explicit NodeTunnel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A home address and a care-of address that packets of it may come from.
struct BoundCareOf {
  mip6::Ipv6Address home_address;
  mip6::Ipv6Address care_of;
  auto operator<=>(const BoundCareOf&) const = default;
};

// Home agent. One device `mip6ha` for all nodes; per node a route, a source filter, a proxy neighbour entry. A device
// for each node is measured beside it, with 2,000 nodes in the lab (guest/devices.py): 98 of them are made in a second
// and not 3,300, each takes 59 KiB of the kernel's memory and not 3, to remove them takes 9 s and not 0.2, and payload
// comes to half of plain forwarding and not to seven tenths. The filter is needed all the same: a device looks at the
// outer source only.
class AgentTunnel {
 public:
  // `home_interface`: the link that the home prefix is on.
  static tl::expected<AgentTunnel, mip6::Error> open(const mip6::Ipv6Address& home_agent,
                                                     const std::string& home_interface);
  AgentTunnel(AgentTunnel&&) noexcept;
  AgentTunnel& operator=(AgentTunnel&&) noexcept;
  ~AgentTunnel();

  tl::expected<void, mip6::Error> set_up();  // device, filter that drops all else, proxy_ndp;
                                             // an error if this host does not forward
  // Packets to `home_address` go to `care_of` in the tunnel; from it they are accepted (RFC 6275 section 10.4.5).
  // Filters of former care-of addresses stay until forget_care_of(). `under_esp`: payload is for IPsec policies
  // (EspTunnel); the device sends and takes nothing of it.
  tl::expected<void, mip6::Error> bind(const mip6::Ipv6Address& home_address, const mip6::Ipv6Address& care_of,
                                       bool under_esp = false);
  tl::expected<void, mip6::Error> forget_care_of(const mip6::Ipv6Address& home_address,
                                                 const mip6::Ipv6Address& care_of);
  // `in_flight`: what still comes is accepted; its filters stay until forget_care_of().
  tl::expected<void, mip6::Error> unbind(const mip6::Ipv6Address& home_address, bool in_flight = false);
  // An address of the home link beside the home address, which bind() intercepts: answered for, not tunnelled (RFC 6275
  // section 10.4.2).
  tl::expected<void, mip6::Error> intercept(const mip6::Ipv6Address& address);
  tl::expected<void, mip6::Error> release(const mip6::Ipv6Address& address);
  // What the kernel has, also from a former process (known from set_up() on): unbind() or forget_care_of() what has no
  // binding any more.
  std::vector<BoundCareOf> bound() const;
  // Addresses with a proxy neighbour entry of ours, those of nodes under ESP too; also from a former process.
  tl::expected<std::vector<mip6::Ipv6Address>, mip6::Error> intercepted();
  tl::expected<void, mip6::Error> remove_all();  // the same, and restores proxy_ndp if set_up() changed it

  struct Impl;

 private:
  explicit AgentTunnel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mnd::kernel
