// The order of the tests: what is discarded without an answer first, then the last number, then what only a home agent
// asks.
#include "libmip6/agent/validation.hpp"

#include <algorithm>

namespace mip6::agent {
namespace {

// RFC 6275 section 3.1: an address that packets can be sent to from anywhere. Mapped IPv4 addresses are no address on
// any IPv6 wire.
bool is_unicast_routable(const Ipv6Address& address) {
  const bool mapped_ipv4 =
      std::all_of(address.bytes.begin(), address.bytes.begin() + 10, [](auto byte) { return byte == 0; }) &&
      address.bytes[10] == 0xff && address.bytes[11] == 0xff;
  return address.is_global_unicast() && !mapped_ipv4;
}

// Section 9.5.1: the alternate care-of address, else the address on the wire.
Ipv6Address specified_care_of(const UpdateReceived& event) {
  if (const auto* alternate = find_option<AlternateCareOfAddress>(event.update.options)) return alternate->care_of;
  return event.home_address_option_source.value_or(event.home_address);
}

// Why the update is silently discarded, if it is.
std::optional<Dropped> discarded(const UpdateReceived& event, const BindingRecord* known) {
  if (!is_unicast_routable(event.home_address)) return Dropped{"the home address is not unicast routable"};
  // Section 6.1.7.
  if (!is_unicast_routable(specified_care_of(event))) return Dropped{"the care-of address is not unicast routable"};
  // Section 9.5.4.
  if (const auto& source = event.home_address_option_source;
      source && (source->is_multicast() || source->is_unspecified()))
    return Dropped{"the source address is not unicast"};
  const bool bound = known != nullptr && known->care_of;
  if (!event.update.home_registration && !bound) return Dropped{"no home registration, and we are no correspondent"};
  if (event.update.home_registration && find_option<NonceIndices>(event.update.options) != nullptr)
    return Dropped{"nonce indices in a home registration"};
  return std::nullopt;
}

bool is_home_subnet(const Ipv6Address& home_address, const Policy& policy) {
  return std::any_of(policy.home_prefixes.begin(), policy.home_prefixes.end(),
                     [&](const auto& prefix) { return prefix.contains(home_address); });
}

}  // namespace

std::optional<Ipv6Address> reply_through(const UpdateReceived& event) {
  if (event.home_address_option_source == event.home_address) return std::nullopt;
  return event.home_address_option_source;
}

Verdict validate(const UpdateReceived& event, const Policy& policy, const ServedNodes& served,
                 const BindingRecord* known) {
  const auto& update = event.update;
  if (const auto dropped = discarded(event, known)) return *dropped;
  // Section 9.5.1. The last number is kept beyond the end of a binding, so this is stricter: a replay stays a replay.
  if (known != nullptr && !update.sequence.follows(known->sequence))
    return Refused{Status::kSequenceNumberOutOfWindow, known->sequence};
  if (!update.home_registration) return Refused{Status::kRegistrationTypeChangeDisallowed, update.sequence};

  // Section 10.3.1.
  if (!is_home_subnet(event.home_address, policy)) return Refused{Status::kNotHomeSubnet, update.sequence};
  if (!served.contains(event.home_address)) return Refused{Status::kNotHomeAgentForThisNode, update.sequence};
  const Ipv6Address care_of = specified_care_of(event);
  const bool deregistration = update.lifetime < kMinLifetime || care_of == event.home_address;
  // Only who de-registers at home may do without the option (section 10.3.2).
  if (!deregistration && !event.home_address_option_source) return Refused{Status::kReasonUnspecified, update.sequence};
  // A tunnel to ourselves or into another node's tunnel would be a loop.
  if (!deregistration && (care_of == policy.address || served.contains(care_of)))
    return Refused{Status::kInvalidCareOfAddress, update.sequence};

  return Request{.home_address = event.home_address,
                 .care_of = deregistration ? event.home_address : care_of,
                 .reply_through = reply_through(event),
                 .sequence = update.sequence,
                 .deregistration = deregistration,
                 .key_mobility = update.key_mobility,
                 .link_local = update.link_local,
                 .lifetime = update.lifetime,
                 .unix_time = event.unix_time};
}

}  // namespace mip6::agent
