// Messages and addresses drawn from a fuzz input.
#pragma once

#include <array>
#include <optional>
#include <random>
#include <vector>

#include "libmip6/random.hpp"
#include "libmip6/wire/message.hpp"
#include "libmip6/wire/prefix_information.hpp"
#include "tests/fuzz/input.hpp"

namespace fuzz {

// A home link with the home agent and three home addresses, care-of addresses, and what should be none.
inline const std::array kHomeAddresses{address("2001:db8:1::42"), address("2001:db8:1::43"), address("2001:db8:1::44")};
inline const mip6::Ipv6Address kHomeAgent = address("2001:db8:1::1");
inline const std::array kCareOfAddresses{address("2001:db8:a1::7"), address("2001:db8:a2::7"),
                                         address("2001:db8:a3::7"), address("2001:db8:a4::7"),
                                         address("2001:db8:a5::7"), address("2001:db8:a6::7")};
inline const std::array kOddAddresses{address("::"),
                                      address("::1"),
                                      address("ff02::1"),
                                      address("fe80::7"),
                                      address("::ffff:1.2.3.4"),
                                      address("2001:db8:1::99")};

// Where a target's clock stands still: a lifetime of 32 bits from then on can still be said.
inline constexpr mip6::BootTime kEndOfTime{std::chrono::hours{24 * 365 * 100}};

inline mip6::Ipv6Address draw_address(Input& in) {
  switch (in.below(8)) {
    case 0:
      return in.one_of(kOddAddresses);
    case 1:
      return in.any_address();
    case 2:
      return kHomeAgent;
    case 3:
    case 4:
      return in.one_of(kHomeAddresses);
    default:
      return in.one_of(kCareOfAddresses);
  }
}

// As the wire carries it: units of 4 s.
inline mip6::Lifetime draw_lifetime(Input& in) {
  const std::array<std::uint16_t, 6> usual{0, 1, 2, 105, 900, 65535};
  return mip6::Lifetime{4 * (in.flag() ? in.one_of(usual) : in.u16())};
}

inline mip6::Status draw_status(Input& in) {
  using enum mip6::Status;
  const std::array usual{kAccepted,
                         kAccepted,
                         kAcceptedPrefixDiscoveryNecessary,
                         kReasonUnspecified,
                         kAdministrativelyProhibited,
                         kInsufficientResources,
                         kHomeRegistrationNotSupported,
                         kNotHomeSubnet,
                         kNotHomeAgentForThisNode,
                         kDuplicateAddressDetectionFailed,
                         kSequenceNumberOutOfWindow,
                         kExpiredNonces,
                         kRegistrationTypeChangeDisallowed,
                         kInvalidCareOfAddress};
  const auto choice = in.below(usual.size() + 1);
  return choice < usual.size() ? usual[choice] : static_cast<mip6::Status>(in.u8());
}

// One of the home link's or of another link, told by a router or a home agent.
inline mip6::PrefixInformation draw_prefix_information(Input& in) {
  const std::array prefixes{address("2001:db8:1::"), address("2001:db8:2::"), address("2001:db8:1::1"),
                            address("2001:db8:2::1")};
  const std::array<mip6::Lifetime, 7> usual{mip6::Lifetime{0},       mip6::Lifetime{1},
                                            mip6::Lifetime{30},      mip6::Lifetime{7200},
                                            mip6::Lifetime{2592000}, mip6::kInfiniteLifetime - mip6::Lifetime{1},
                                            mip6::kInfiniteLifetime};
  const auto lifetime = [&] { return in.below(4) == 0 ? mip6::Lifetime{in.u32()} : in.one_of(usual); };
  mip6::PrefixInformation information;
  const auto flags = in.u8();
  information.on_link = (flags & 1) == 0;
  information.autonomous = (flags & 2) == 0;
  information.router_address = (flags & 4) != 0;
  const bool odd = (flags & 0xe0) == 0xe0;
  information.prefix.address = odd ? draw_address(in) : in.one_of(prefixes);
  information.prefix.length = odd ? static_cast<std::uint8_t>(in.below(129)) : std::uint8_t{64};
  information.valid = lifetime();
  information.preferred = lifetime();
  return information;
}

// The chance that a core is given: another one for each seed.
class Drawn final : public mip6::Random {
 public:
  explicit Drawn(std::uint8_t seed) : engine_{seed + 1U} {}
  std::uint32_t draw() override {
    const auto high = static_cast<std::uint32_t>(engine_()) << 16;
    return high ^ static_cast<std::uint32_t>(engine_());
  }

 private:
  std::minstd_rand engine_;
};

}  // namespace fuzz
