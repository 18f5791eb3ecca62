// What the performer needs of the kernel, as one small interface: LinuxKernel is the real one, tests pretend one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <tl/expected.hpp>
#include <vector>

#include "ike-glue/key_choice.hpp"
#include "libmip6/address.hpp"
#include "libmip6/error.hpp"
#include "mnd/linux/tunnel.hpp"

namespace mip6ha {

// The link-local address that goes with a home address (RFC 6275 section 10.3.1, L).
inline mip6::Ipv6Address link_local_of(const mip6::Ipv6Address& home_address) {
  mip6::Ipv6Address derived{{0xfe, 0x80}};
  std::copy(home_address.bytes.begin() + 8, home_address.bytes.end(), derived.bytes.begin() + 8);
  return derived;
}

class KernelPort {
 public:
  using Result = tl::expected<void, mip6::Error>;
  virtual ~KernelPort() = default;

  // Payload to the home address goes through the tunnel to `care_of`; from there it is accepted; the home address is
  // intercepted on the home link (RFC 6275 section 10.4.1). Former care-of addresses are accepted until forgotten.
  virtual Result bind(const mip6::Ipv6Address& home_address, const mip6::Ipv6Address& care_of) = 0;
  virtual Result forget_care_of(const mip6::Ipv6Address& home_address, const mip6::Ipv6Address& care_of) = 0;
  // `in_flight`: what care-of addresses still send in the clear is accepted until forget_care_of().
  virtual Result unbind(const mip6::Ipv6Address& home_address, bool in_flight) = 0;
  // The link-local address of a node is intercepted, or no longer; packets to it are answered by Destination
  // Unreachable, code 3 (section 10.4.2).
  virtual Result intercept(const mip6::Ipv6Address& link_local) = 0;
  virtual Result release(const mip6::Ipv6Address& link_local) = 0;
  // What the kernel has, also from a former process: care-of addresses that are accepted, and addresses that are
  // intercepted, link-local ones too. A node whose payload is under ESP is among the latter only.
  virtual std::vector<mnd::kernel::BoundCareOf> bound() const = 0;
  virtual tl::expected<std::vector<mip6::Ipv6Address>, mip6::Error> intercepted() = 0;
  // Tells the home link that packets for this address come to us.
  virtual Result advertise(const mip6::Ipv6Address& address) = 0;

  // Mobility messages to the home address carry a type 2 routing header through `care_of`, or go straight to it.
  virtual Result route_through(const mip6::Ipv6Address& home_address, const mip6::Ipv6Address& care_of) = 0;
  virtual Result route_straight(const mip6::Ipv6Address& home_address) = 0;
  // `on_home_link`: onto that link, though packets for the destination may be tunnelled.
  virtual Result send(std::span<const std::uint8_t> message, const mip6::Ipv6Address& destination,
                      bool on_home_link) = 0;
  // A Mobile Prefix Advertisement, along the way that mobility messages have.
  virtual Result send_prefixes(std::span<const std::uint8_t> message, const mip6::Ipv6Address& home_address) = 0;

  // Duplicate address detection on the home link, with `link_local` also for fe80::/64 with the home address's
  // interface identifier; `probes` are sent, a second apart. `done` is called once, later. A detection for that home
  // address that is running is replaced.
  virtual Result start_dad(const mip6::Ipv6Address& home_address, bool link_local, int probes,
                           std::function<void(bool duplicate)> done) = 0;

  // The key management endpoint of the node with this reqid is `remote` from now on. Where that fails mobility messages
  // go under the newest SPI.
  virtual Result move_key_endpoint(const mip6::Ipv6Address& home_address, std::uint32_t reqid,
                                   const mip6::Ipv6Address& remote) = 0;
  // New SAs for the node's payload, if that is protected, are there; they run to `remote`.
  virtual Result send_payload_to(const mip6::Ipv6Address& home_address, const mip6::Ipv6Address& remote) = 0;
  // SPIs of the node's ESP states with this reqid, both directions.
  virtual tl::expected<std::vector<std::uint32_t>, mip6::Error> state_spis(const mip6::Ipv6Address& home_address,
                                                                           std::uint32_t reqid) = 0;
  // ESP states of the node with this reqid go, except those with one of `kept`, and those whose SPI is not `among`
  // some.
  virtual Result delete_states_except(const mip6::Ipv6Address& home_address, std::uint32_t reqid,
                                      const std::vector<std::uint32_t>& kept,
                                      const std::optional<std::vector<std::uint32_t>>& among = {}) = 0;
  // What there is of an SA pair with the node. What the kernel cannot tell is taken for there and unused.
  virtual ike::KeyPairUse look_up(const mip6::Ipv6Address& home_address, const ike::KeyPair& pair) = 0;
  // Nothing comes in from the node under this SPI any more; also if there is no such state.
  virtual Result close_inbound(const mip6::Ipv6Address& home_address, std::uint32_t spi) = 0;
  // Mobility messages to the node go under this SPI and no other; 0: under the newest.
  virtual Result send_under(const mip6::Ipv6Address& home_address, std::uint32_t reqid, std::uint32_t spi) = 0;
};

}  // namespace mip6ha
