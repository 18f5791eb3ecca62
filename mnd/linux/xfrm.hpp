// IPsec and Mobile IPv6 transformations in the kernel: policies, care-of address states, MIGRATE with KMADDRESS.
// xfrm messages are built in xfrm_messages.cpp and nowhere else; ESP states belong to charon, but for those of manual
// keys.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "libmip6/address.hpp"
#include "libmip6/error.hpp"
#include "mnd/linux/manual_keys.hpp"

namespace mnd::kernel {

// A pair of ends that talk Mobility Header: `home_address` is the node's, `home_agent` the agent's.
struct Ends {
  mip6::Ipv6Address home_address;
  mip6::Ipv6Address home_agent;
  bool operator==(const Ends&) const = default;
};
enum class Side { kNode, kAgent };

struct EspState {  // as dumped; no key bytes
  mip6::Ipv6Address source;
  mip6::Ipv6Address destination;
  std::uint32_t spi = 0;  // host byte order
  std::uint32_t reqid = 0;
};

struct EspUse {
  std::uint64_t packets = 0;
  std::int64_t added = 0;  // when it was made, by the wall clock, in seconds
};

class Xfrm {
 public:
  static tl::expected<Xfrm, mip6::Error> open();
  Xfrm(Xfrm&&) noexcept;
  Xfrm& operator=(Xfrm&&) noexcept;
  ~Xfrm();

  // ESP in transport mode, required, for Mobility Header between `ends` (proto 135; `out` by type 5 on the node and 6
  // on the agent, `in` WITHOUT type: a typed one lets clear-text updates through). Adds or replaces.
  tl::expected<void, mip6::Error> require_esp(Side side, const Ends& ends, std::uint32_t reqid);
  tl::expected<void, mip6::Error> remove_esp(Side side, const Ends& ends);
  // The same for mobile prefix discovery (ICMPv6 types 146 and 147; RFC 4877 section 7.2.3), which has SAs of its own.
  // On the agent what takes the home address options of these messages comes with it, for this home address only;
  // remove_all() takes both.
  tl::expected<void, mip6::Error> require_esp_of_prefixes(Side side, const Ends& ends, std::uint32_t reqid);
  tl::expected<void, mip6::Error> remove_esp_of_prefixes(Side side, const Ends& ends);
  // What is sent between `ends` uses the state with this SPI and no other; 0: the newest one with the reqid, by the
  // wall clock. require_esp() begins with 0.
  tl::expected<void, mip6::Error> send_under(Side side, const Ends& ends, std::uint32_t reqid, std::uint32_t spi);

  // Node away / agent with a care-of address for the node: home address option and type 2 routing header states (`coa`)
  // and their sub policies, for mobile prefix discovery too. Adds, or updates to the new care-of address. On the agent:
  // routing header only. On the node a routing header is taken at any of its addresses.
  tl::expected<void, mip6::Error> set_care_of(Side side, const Ends& ends, const mip6::Ipv6Address& care_of);
  // Node at home, or agent without a care-of address: policies and states of set_care_of go. Absent is fine.
  tl::expected<void, mip6::Error> clear_care_of(Side side, const Ends& ends);

  // Agent: accept home address options in front of a Mobility Header towards `home_agent` from anybody (ESP policies
  // decide); once.
  tl::expected<void, mip6::Error> accept_home_address_options(const mip6::Ipv6Address& home_agent);
  tl::expected<void, mip6::Error> refuse_home_address_options(const mip6::Ipv6Address& home_agent);

  // Agent: Mobility Header messages from whomever no ESP policy is for are refused, counted as XfrmInPolBlock, or no
  // longer. Refused already, by us or somebody else: an error. remove_all() admits them.
  tl::expected<void, mip6::Error> refuse_strangers(const mip6::Ipv6Address& home_agent);
  tl::expected<void, mip6::Error> admit_strangers(const mip6::Ipv6Address& home_agent);

  // K flag: tells charon, through the kernel, that the IKE endpoints of the SA with `reqid` are now `local` and
  // `remote`. XFRM_MSG_MIGRATE for the type-less `in` policy whose endpoints stay the same, with KMADDRESS. No packet
  // is sent.
  tl::expected<void, mip6::Error> move_key_endpoint(Side side, const Ends& ends, std::uint32_t reqid,
                                                    const mip6::Ipv6Address& local, const mip6::Ipv6Address& remote);
  // The same for the SA of mobile prefix discovery: charon finds a CHILD_SA that is to be rekeyed by the endpoint.
  tl::expected<void, mip6::Error> move_prefix_key_endpoint(Side side, const Ends& ends, std::uint32_t reqid,
                                                           const mip6::Ipv6Address& local,
                                                           const mip6::Ipv6Address& remote);

  // The SAs of keys set by hand, both directions; what else there is between the ends with that reqid goes.
  tl::expected<void, mip6::Error> install_manual(const Ends& ends, std::uint32_t reqid, const ManualKeys& keys);
  // Of all ends, those of ours that a former process may have left; what a key manager has made stays.
  tl::expected<void, mip6::Error> remove_manual(std::uint32_t first_reqid, std::uint32_t last_reqid);

  // ESP states with this reqid (any if 0) between the ends, both directions.
  tl::expected<std::vector<EspState>, mip6::Error> esp_states(const Ends& ends, std::uint32_t reqid);
  // Those of all nodes with a reqid in [first_reqid, last_reqid]: one look at all states that there are.
  tl::expected<std::vector<EspState>, mip6::Error> esp_states(std::uint32_t first_reqid, std::uint32_t last_reqid);
  // The one state towards `destination` with this SPI; empty if there is none, or only the name of one, without keys.
  tl::expected<std::optional<EspUse>, mip6::Error> esp_use(const mip6::Ipv6Address& destination, std::uint32_t spi);
  tl::expected<void, mip6::Error> delete_esp_state(const EspState& state);
  tl::expected<void, mip6::Error> delete_esp_states(const std::vector<EspState>& states);

  // Outbound policies that are not ours and would take what the node sends to the home agent from `care_of`, in the
  // tunnel, or from the home address; as "SOURCE -> DESTINATION".
  tl::expected<std::vector<std::string>, mip6::Error> policies_of_others(const Ends& ends,
                                                                         const mip6::Ipv6Address& care_of) const;

  // Removes every policy and every home address option or routing header state that is ours: ESP policies, and SAs with
  // manual keys, with reqid in [first_reqid, last_reqid], sub policies and states with the agent's address `home_agent`
  // at one end.
  tl::expected<void, mip6::Error> remove_all(std::uint32_t first_reqid, std::uint32_t last_reqid,
                                             const mip6::Ipv6Address& home_agent);

  struct Impl;

 private:
  explicit Xfrm(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mnd::kernel
