// The order of the tests: what is discarded without an answer first, then the last number, then what only a home agent
// asks.
#include "libmip6/agent/validation.hpp"

#include <algorithm>

#include "libmip6/defect.hpp"

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
  if (!is_unicast_routable(specified_care_of(event))) return Dropped{kCareOfNotRoutable};
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

bool is_newer(SequenceNumber sequence, SequenceNumber last) {
  if (planted(Defect::kWindowOffByOne) && sequence == last) return true;
  if (planted(Defect::kWindowTooWide) && sequence != last) return true;
  return sequence.follows(last);
}

Standing standing(const Ipv6Address& home_address, const Authorisation& authorisation) {
  return planted(Defect::kAnyHomeAddress) ? Standing::kServed : authorisation.standing_of(home_address);
}

// Section 10.3.1, in its order; empty: accepted so far.
std::optional<Status> unwelcome(const Ipv6Address& home_address, const Policy& policy,
                                const Authorisation& authorisation, BootTime now) {
  if (policy.home_prefixes.empty()) return Status::kHomeRegistrationNotSupported;
  // Valid for less than the shortest lifetime counts as not valid any more: nothing could be granted.
  if (!find_valid(policy.home_prefixes, home_address, now + kMinLifetime - Duration{1})) return Status::kNotHomeSubnet;
  switch (standing(home_address, authorisation)) {
    case Standing::kServed:
      return std::nullopt;
    case Standing::kNotServed:
      return Status::kNotHomeAgentForThisNode;
    case Standing::kProhibited:
      return Status::kAdministrativelyProhibited;
  }
  return Status::kReasonUnspecified;
}

}  // namespace

ReplyPath reply_path(const UpdateReceived& event, const HomePrefixes& prefixes, BootTime now) {
  const Ipv6Address source = event.home_address_option_source.value_or(event.home_address);
  ReplyPath path{.through = std::nullopt, .on_home_link = find_valid(prefixes, source, now) != nullptr};
  if (source != event.home_address) path.through = source;
  return path;
}

Verdict validate(const UpdateReceived& event, const Policy& policy, const Authorisation& authorisation,
                 const BindingRecord* known, BootTime now) {
  const auto& update = event.update;
  if (const auto dropped = discarded(event, known)) return *dropped;
  // Section 9.5.1. The last number is kept beyond the end of a binding, so this is stricter: a replay stays a replay.
  const bool forgotten = planted(Defect::kNumberForgotten) && known != nullptr && !known->care_of;
  if (known != nullptr && !forgotten && !is_newer(update.sequence, known->sequence))
    return Refused{Status::kSequenceNumberOutOfWindow, known->sequence};
  if (!update.home_registration) return Refused{Status::kRegistrationTypeChangeDisallowed, update.sequence};

  if (const auto status = unwelcome(event.home_address, policy, authorisation, now))
    return Refused{*status, update.sequence};
  const Ipv6Address care_of = specified_care_of(event);
  const bool deregistration = update.lifetime < kMinLifetime || care_of == event.home_address;
  // Only who de-registers at home may do without the option (section 10.3.2).
  if (!deregistration && !event.home_address_option_source) return Refused{Status::kReasonUnspecified, update.sequence};
  // A tunnel to ourselves or into another node's tunnel would be a loop. Only addresses of the home link have one.
  const bool loop = care_of == policy.address || (find_valid(policy.home_prefixes, care_of, now) != nullptr &&
                                                  authorisation.standing_of(care_of) == Standing::kServed);
  if (!deregistration && loop) return Refused{Status::kInvalidCareOfAddress, update.sequence};

  return Request{.home_address = event.home_address,
                 .care_of = deregistration ? event.home_address : care_of,
                 .reply = reply_path(event, policy.home_prefixes, now),
                 .sequence = update.sequence,
                 .deregistration = deregistration,
                 .key_mobility = update.key_mobility,
                 .link_local = update.link_local,
                 .dynamic_keys = authorisation.has_dynamic_keys(event.home_address),
                 .lifetime = update.lifetime,
                 .unix_time = event.unix_time};
}

}  // namespace mip6::agent
