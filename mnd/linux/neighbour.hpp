// Neighbour Discovery that the daemons do themselves: duplicate address detection for a home address, unsolicited
// advertisements, router solicitations (RFC 4861, RFC 4862, RFC 6275 sections 10.3.1, 10.4.1, 11.5.5).
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "libmip6/address.hpp"
#include "libmip6/error.hpp"
#include "mnd/linux/descriptor.hpp"

namespace mnd::kernel {

// Probes, with the nonce of RFC 7527 (RFC 4862 section 5.4: `transmits` is DupAddrDetectTransmits; RetransTimer 1 s);
// `done(duplicate)` is called once, from the loop, unless the object is destroyed before.
class DadProbe {
 public:
  using Done = std::function<void(bool duplicate)>;
  static tl::expected<std::unique_ptr<DadProbe>, mip6::Error> start(boost::asio::io_context& loop,
                                                                    std::uint32_t interface,
                                                                    const mip6::Ipv6Address& address, int transmits,
                                                                    Done done);
  virtual ~DadProbe() = default;
};

// Hears what other hosts of the link advertise as theirs; `claimed(address)` is called from the loop, until the object
// is destroyed. Of what is said to one host alone nothing is heard.
class ClaimWatch {
 public:
  using Claimed = std::function<void(const mip6::Ipv6Address&)>;
  static tl::expected<std::unique_ptr<ClaimWatch>, mip6::Error> start(boost::asio::io_context& loop,
                                                                      std::uint32_t interface, Claimed claimed);
  virtual ~ClaimWatch() = default;
};

// Neighbor Advertisement to all nodes, Override set, Solicited clear, with the interface's own link-layer address as
// target link-layer address, Router clear (a mobile node, or a proxy for one, is no router). Source is an address of
// the interface; an error if it has none that may be used yet (duplicate detection running): try again later.
tl::expected<void, mip6::Error> advertise(std::uint32_t interface, const mip6::Ipv6Address& target);

// advertise() again and again, for who has very many addresses: a socket costs much more than a message.
class Advertiser {
 public:
  static tl::expected<Advertiser, mip6::Error> open(std::uint32_t interface);
  tl::expected<void, mip6::Error> advertise(const mip6::Ipv6Address& target) const;

 private:
  Advertiser(Descriptor socket, std::uint32_t interface) : socket_{std::move(socket)}, interface_{interface} {}
  Descriptor socket_;
  std::uint32_t interface_;
};

// Router Solicitation to all routers; from the unspecified address while the interface has no usable address.
tl::expected<void, mip6::Error> solicit_routers(std::uint32_t interface);

}  // namespace mnd::kernel
