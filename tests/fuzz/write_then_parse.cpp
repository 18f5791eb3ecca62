// Fuzz target: messages that the bytes describe. Each is written, and what is written parses to an equal message, has
// a right checksum, and is written again to the same bytes.
#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>
#include <variant>

#include "libmip6/wire/home_address_option.hpp"
#include "libmip6/wire/icmp_message.hpp"
#include "libmip6/wire/message.hpp"
#include "libmip6/wire/routing_header.hpp"
#include "tests/fuzz/draw.hpp"

using namespace mip6;
using fuzz::Input;
using fuzz::require;

namespace {

Bytes draw_bytes(Input& in, std::size_t most) {
  const auto taken = in.bytes(in.below(most + 1));
  return {taken.begin(), taken.end()};
}

// Numbers that nobody has been given, and nobody will soon.
std::uint8_t unknown_type(Input& in) { return static_cast<std::uint8_t>(128 + in.below(128)); }

void fill(Input& in, BindingRefreshAdvice& option) { option.interval = fuzz::draw_lifetime(in); }
void fill(Input& in, AlternateCareOfAddress& option) { option.care_of = in.any_address(); }
void fill(Input& in, NonceIndices& option) { option = {in.u16(), in.u16()}; }
void fill(Input& in, BindingAuthorizationData& option) {
  for (auto& byte : option.authenticator) byte = in.u8();
}
void fill(Input& in, MobileNodeIdentifier& option) {
  option.subtype = in.u8();
  option.identifier = draw_bytes(in, 254);
}
void fill(Input& in, RestartCounter& option) { option.value = static_cast<std::uint32_t>(in.u16()) << 16 | in.u16(); }
void fill(Input& in, BindingIdentifier& option) {
  constexpr std::array<std::size_t, 3> kSizes{0, 4, 16};
  option.id = in.u16();
  option.status = in.u8();
  option.home_and_foreign = in.flag();
  option.care_of.resize(kSizes[in.below(kSizes.size())]);
  for (auto& byte : option.care_of) byte = in.u8();
}
void fill(Input& in, Ipv4HomeAddress& option) {
  option.prefix_length = static_cast<std::uint8_t>(in.below(64));
  option.prefix_wanted = in.flag();
  for (auto& byte : option.address) byte = in.u8();
}
void fill(Input& in, UnknownOption& option) {
  option.type = unknown_type(in);
  option.data = draw_bytes(in, 255);
}

// One of the alternatives of a variant, filled by `fill_it`.
template <class Variant, class Fill>
Variant draw_variant(Input& in, Fill fill_it) {
  Variant drawn;
  [&]<std::size_t... Index>(std::index_sequence<Index...>) {
    const auto chosen = in.below(sizeof...(Index));
    const auto make = [&]<std::size_t I>(std::integral_constant<std::size_t, I>) {
      if (I != chosen) return;
      std::variant_alternative_t<I, Variant> value;
      fill_it(value);
      drawn = std::move(value);
    };
    (make(std::integral_constant<std::size_t, Index>{}), ...);
  }
  (std::make_index_sequence<std::variant_size_v<Variant>>{});
  return drawn;
}

// As many as fit in any message: 2048 octets, each option at most 257 and its padding.
MobilityOptions draw_options(Input& in) {
  constexpr std::size_t kMost = 7;
  MobilityOptions options;
  for (auto left = in.below(kMost + 1); left > 0; --left)
    options.push_back(draw_variant<MobilityOption>(in, [&](auto& option) { fill(in, option); }));
  // Nothing may follow it.
  const auto is_authorization = [](const auto& option) {
    return std::holds_alternative<BindingAuthorizationData>(option);
  };
  const auto first = std::find_if(options.begin(), options.end(), is_authorization);
  if (first != options.end()) options.erase(first + 1, options.end());
  return options;
}

void fill(Input& in, BindingRefreshRequest& message) { message.options = draw_options(in); }
void fill(Input& in, BindingUpdate& message) {
  message.sequence = SequenceNumber{in.u16()};
  const auto flags = in.u8();
  message.acknowledge = (flags & 1) != 0;
  message.home_registration = (flags & 2) != 0;
  message.link_local = (flags & 4) != 0;
  message.key_mobility = (flags & 8) != 0;
  message.lifetime = fuzz::draw_lifetime(in);
  message.options = draw_options(in);
}
void fill(Input& in, BindingAcknowledgement& message) {
  message.status = fuzz::draw_status(in);
  message.key_mobility = in.flag();
  message.sequence = SequenceNumber{in.u16()};
  message.lifetime = fuzz::draw_lifetime(in);
  message.options = draw_options(in);
}
void fill(Input& in, BindingError& message) {
  message.status = in.u8();
  message.home_address = in.any_address();
  message.options = draw_options(in);
}
template <std::size_t Size>
void fill(Input& in, std::array<std::uint8_t, Size>& octets) {
  for (auto& octet : octets) octet = in.u8();
}
template <class TestInit>
void fill_test_init(Input& in, TestInit& message) {
  fill(in, message.cookie);
  message.options = draw_options(in);
}
void fill(Input& in, HomeTestInit& message) { fill_test_init(in, message); }
void fill(Input& in, CareOfTestInit& message) { fill_test_init(in, message); }
template <class Test>
void fill_test(Input& in, Test& message) {
  message.nonce_index = in.u16();
  fill(in, message.token);
  fill_test_init(in, message);
}
void fill(Input& in, HomeTest& message) { fill_test(in, message); }
void fill(Input& in, CareOfTest& message) { fill_test(in, message); }
void fill(Input& in, HomeAgentSwitch& message) {
  for (auto left = in.below(8); left > 0; --left) message.home_agents.push_back(in.any_address());
  message.options = draw_options(in);
}
void fill(Input& in, Heartbeat& message) {
  message.unsolicited = in.flag();
  message.response = in.flag();
  message.sequence = in.u32();
  message.options = draw_options(in);
}
template <class Revocation>
void fill_revocation(Input& in, Revocation& message) {
  message.sequence = in.u16();
  message.scope = {in.flag(), in.flag(), in.flag()};
  message.options = draw_options(in);
}
void fill(Input& in, BindingRevocationIndication& message) {
  message.trigger = in.u8();
  fill_revocation(in, message);
}
void fill(Input& in, BindingRevocationAcknowledgement& message) {
  message.status = in.u8();
  fill_revocation(in, message);
}
void fill(Input& in, UnknownMessage& message) {
  message.type = unknown_type(in);
  message.data.resize(2 + 8 * in.below(16));
  for (auto& byte : message.data) byte = in.u8();
}

PrefixInformation draw_prefix(Input& in) {
  PrefixInformation information;
  information.on_link = in.flag();
  information.autonomous = in.flag();
  information.router_address = in.flag();
  information.valid = Lifetime{in.u32()};
  information.preferred = Lifetime{in.u32()};
  information.prefix.length = static_cast<std::uint8_t>(in.below(129));
  information.prefix.address = in.any_address();
  // Without R nothing but the prefix is carried.
  if (!information.router_address)
    for (std::size_t bit = information.prefix.length; bit < 128; ++bit)
      information.prefix.address.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80U >> (bit % 8)));
  return information;
}
std::vector<PrefixInformation> draw_prefixes(Input& in) {
  std::vector<PrefixInformation> prefixes;
  for (auto left = in.below(4); left > 0; --left) prefixes.push_back(draw_prefix(in));
  return prefixes;
}

void fill(Input& in, HomeAgentAddressDiscoveryRequest& message) { message.identifier = in.u16(); }
void fill(Input& in, HomeAgentAddressDiscoveryReply& message) {
  message.identifier = in.u16();
  for (auto left = in.below(8); left > 0; --left) message.home_agents.push_back(in.any_address());
}
void fill(Input& in, MobilePrefixSolicitation& message) { message.identifier = in.u16(); }
void fill(Input& in, MobilePrefixAdvertisement& message) {
  message.identifier = in.u16();
  message.managed = in.flag();
  message.other = in.flag();
  message.prefixes = draw_prefixes(in);
}
void fill(Input& in, RouterAdvertisement& message) {
  message.managed = in.flag();
  message.other = in.flag();
  message.home_agent = in.flag();
  message.router_lifetime = Lifetime{in.u16()};
  if (in.flag()) message.home_agent_information = HomeAgentInformation{in.u16(), Lifetime{in.u16()}};
  if (in.flag()) message.advertisement_interval = std::chrono::milliseconds{in.u32()};
  message.prefixes = draw_prefixes(in);
}

// RFC 4443 section 2.3, summed the plain way: all 16 bit words of pseudo-header and message add up to 0xffff.
bool sums_up(const Bytes& message, const Ipv6Address& source, const Ipv6Address& destination, UpperLayer protocol) {
  Bytes all(source.bytes.begin(), source.bytes.end());
  all.insert(all.end(), destination.bytes.begin(), destination.bytes.end());
  const auto size = static_cast<std::uint16_t>(message.size());
  const std::array<std::uint8_t, 8> rest{0, 0, static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size), 0,
                                         0, 0, static_cast<std::uint8_t>(protocol)};
  all.insert(all.end(), rest.begin(), rest.end());
  all.insert(all.end(), message.begin(), message.end());
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < all.size(); i += 2) sum += static_cast<std::uint32_t>(all[i] << 8 | all[i + 1]);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum == 0xffff;
}

void check_checksum(Input& in, Bytes message, UpperLayer protocol, std::size_t offset) {
  const auto source = fuzz::draw_address(in);
  const auto destination = fuzz::draw_address(in);
  const auto sum = checksum(message, source, destination, protocol);
  message[offset] = static_cast<std::uint8_t>(sum >> 8);
  message[offset + 1] = static_cast<std::uint8_t>(sum);
  require(sums_up(message, source, destination, protocol), "the checksum is right");
  require(verify_checksum(message, source, destination, protocol), "a right checksum is taken for right");
  const auto damaged = in.below(std::min<std::size_t>(message.size(), 256));
  message[damaged] ^= static_cast<std::uint8_t>(1U << in.below(8));
  require(!verify_checksum(message, source, destination, protocol), "a bit that is wrong is seen");
}

void check_mobility_header(Input& in) {
  const auto message = draw_variant<Message>(in, [&](auto& value) { fill(in, value); });
  const auto written = write_message(message);
  require(written.size() % 8 == 0 && written.size() <= kMaxMessageSize, "what is written fits in a Mobility Header");
  const auto parsed = parse_message(written);
  require(parsed && *parsed == message, "what is written parses to an equal message");
  require(write_message(*parsed) == written, "and is written again to the same bytes");
  check_checksum(in, written, UpperLayer::kMobilityHeader, 4);
}

void check_icmp(Input& in) {
  const auto message = draw_variant<IcmpMessage>(in, [&](auto& value) { fill(in, value); });
  const auto written = write_icmp_message(message);
  const auto parsed = parse_icmp_message(written);
  require(parsed && *parsed == message, "what is written parses to an equal message");
  check_checksum(in, written, UpperLayer::kIcmp, 2);
}

void check_extension_headers(Input& in) {
  const Type2RoutingHeader routing{in.u8(), in.one_of(fuzz::kHomeAddresses)};
  const auto routing_parsed = parse_type2_routing_header(write_type2_routing_header(routing));
  require(routing_parsed && *routing_parsed == routing, "a routing header is what was written");
  DestinationOptions options{in.u8(), std::nullopt};
  if (in.flag()) options.home_address = in.one_of(fuzz::kCareOfAddresses);
  const auto options_parsed = parse_destination_options(write_destination_options(options));
  require(options_parsed && *options_parsed == options, "destination options are what was written");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input in{data, size};
  switch (in.below(4)) {
    case 0:
      check_icmp(in);
      break;
    case 1:
      check_extension_headers(in);
      break;
    default:
      check_mobility_header(in);
  }
  return 0;
}
