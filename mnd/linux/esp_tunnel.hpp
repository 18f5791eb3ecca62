// All payload of a home address in ESP tunnel mode between care-of address and home agent (RFC 4877 section 5; RFC 6275
// section 10.4.5): the policies, and where their SAs end. The SAs themselves are charon's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <tl/expected.hpp>
#include <vector>

#include "libmip6/address.hpp"
#include "libmip6/error.hpp"
#include "mnd/linux/xfrm.hpp"

namespace mnd::kernel {

class EspTunnel {
 public:
  static tl::expected<EspTunnel, mip6::Error> open();
  EspTunnel(EspTunnel&&) noexcept;
  EspTunnel& operator=(EspTunnel&&) noexcept;
  ~EspTunnel();

  // From now on what leaves from (node) or to (agent) the home address leaves under ESP or not at all, and what comes
  // the other way without ESP is not taken; signalling between the ends has policies of its own, which come first.
  // The policies name the SAs that are there, of a former process too; without any those from or to `care_of`.
  // Idempotent.
  tl::expected<void, mip6::Error> require(Side side, const Ends& ends, std::uint32_t reqid,
                                          const mip6::Ipv6Address& care_of);
  // Of that, what needs no care-of address: nothing that comes to the node's home address without ESP is taken. What
  // says that it comes from the home address itself is: the kernel cannot tell it from what the node says to itself.
  // Neighbor Solicitations and Advertisements about the home address are taken and sent, too: they stay on one link.
  tl::expected<void, mip6::Error> require_of_node(const Ends& ends, std::uint32_t reqid);
  tl::expected<void, mip6::Error> remove(Side side, const Ends& ends);
  bool required(Side side, const Ends& ends) const;

  // New SAs are there, from or to `care_of`.
  tl::expected<void, mip6::Error> use(Side side, const Ends& ends, std::uint32_t reqid,
                                      const mip6::Ipv6Address& care_of);

  enum class Scope { kSending, kBoth };
  // The SAs move to `care_of` without the key manager (XFRM_MSG_MIGRATE), and the policy with them: the sending one, or
  // both. What is required only from now on finds them where they are.
  tl::expected<void, mip6::Error> move(Side side, const Ends& ends, std::uint32_t reqid,
                                       const mip6::Ipv6Address& care_of, Scope scope);
  // Both, and the key manager follows (KMADDRESS). Nothing happens where nothing is required.
  tl::expected<void, mip6::Error> move_with_keys(Side side, const Ends& ends, std::uint32_t reqid,
                                                 const mip6::Ipv6Address& care_of);

  // ESP states with this reqid that have the home agent at one end.
  tl::expected<void, mip6::Error> delete_states_except(const mip6::Ipv6Address& home_agent, std::uint32_t reqid,
                                                       const std::vector<std::uint32_t>& spis);
  // Every policy of ours, with a reqid in [first_reqid, last_reqid].
  tl::expected<void, mip6::Error> remove_all(std::uint32_t first_reqid, std::uint32_t last_reqid);

  struct Impl;

 private:
  explicit EspTunnel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mnd::kernel
