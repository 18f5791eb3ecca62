// The payload path: the tunnel device, the home address, routes and rules, the tunnel's source check.
// All calls are idempotent: adding what is there replaces it, removing what is not there is fine.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "libmip6/address.hpp"
#include "libmip6/error.hpp"

namespace mnd::kernel {

// Node. Made before the first registration: device `mip6` (ip6tnl external, up), home address on it with the `home`
// flag, rule `from <home address> lookup 6275`, last resorts in that table (a default into the device, where payload
// ends but a Binding Update finds its policies, and an unreachable one), and the source
// check (flower enc_src_ip home agent, dst_ip home address; all else is dropped).
//
// `under_esp`: payload is for IPsec policies (EspTunnel). The device then only leads to them: it sends nothing itself,
// so that nothing leaves where no policy applies, and takes nothing.
class NodeTunnel {
 public:
  static tl::expected<NodeTunnel, mip6::Error> open(const mip6::Ipv6Address& home_address,
                                                    const mip6::Ipv6Address& home_agent, bool under_esp = false);
  NodeTunnel(NodeTunnel&&) noexcept;
  NodeTunnel& operator=(NodeTunnel&&) noexcept;
  ~NodeTunnel();

  // Device, address (deprecated: nobody chooses it yet), rule, fallback, source check. Finds what a former process
  // left.
  tl::expected<void, mip6::Error> set_up();
  // What is needed before a care-of address is used: packets with it as source leave by its own interface
  // (default and home agent/128, from care_of/128 via gateway, main table; on-link if the gateway is ::). The kernel
  // drops the route when the link goes down. Made for every usable care-of address, before any move.
  tl::expected<void, mip6::Error> add_care_of_route(std::uint32_t interface, const mip6::Ipv6Address& care_of,
                                                    const mip6::Ipv6Address& gateway);
  tl::expected<void, mip6::Error> remove_care_of_route(std::uint32_t interface, const mip6::Ipv6Address& care_of);
  // Outbound through the tunnel, outer source `care_of`: ONE route replaced in table 6275, and the main default route
  // with the home address as preferred source (metric kDefaultMetric) so that new connections choose it.
  tl::expected<void, mip6::Error> send_through_tunnel(const mip6::Ipv6Address& care_of);
  // What a de-registration at home needs: table 6275 has the home link's router on the way to the home agent, the home
  // address is on that interface too (no DAD: section 11.5.5; deprecated). The payload's way is what it was: whether
  // this is the home link, the home agent's acknowledgement tells.
  tl::expected<void, mip6::Error> attach_home_link(std::uint32_t interface, std::uint8_t prefix_length,
                                                   const mip6::Ipv6Address& gateway);
  tl::expected<void, mip6::Error> send_through_home_link(std::uint32_t interface, std::uint8_t prefix_length,
                                                         const mip6::Ipv6Address& gateway);
  // The home address and the routes of attach_home_link() and send_through_home_link() go from that interface; with 0
  // the home address goes from whatever interface beside the tunnel a former process put it on.
  tl::expected<void, mip6::Error> detach_home_link(std::uint32_t interface);
  // No binding: only the last resorts are left in table 6275, the main default route of ours goes.
  tl::expected<void, mip6::Error> stop_outbound();
  // The home address is chosen by new connections (registered), or not (deprecated).
  tl::expected<void, mip6::Error> prefer_home_address(bool preferred);
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
// for each node was measured beside it, with 2,000 nodes in the lab (guest/devices.py): 18 of them are made in a second
// and not 104, each takes 61 KiB of the kernel's memory and not 3, and to remove them takes 22 s and not 1. The filter
// is needed all the same: a device looks at the outer source only.
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
  tl::expected<void, mip6::Error> unbind(const mip6::Ipv6Address& home_address);
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
