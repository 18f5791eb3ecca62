// See icmp6.hpp.
#include "mnd/linux/icmp6.hpp"

#include <algorithm>

namespace mnd::kernel {

namespace {

constexpr std::uint8_t kIcmp6 = 58;
constexpr std::uint8_t kRouterSolicitation = 133;
constexpr std::uint8_t kNeighbourSolicitation = 135;
constexpr std::uint8_t kNeighbourAdvertisement = 136;
constexpr std::uint8_t kSolicited = 0x40;
constexpr std::uint8_t kOverride = 0x20;  // Router and Solicited clear
constexpr std::uint8_t kSourceLinkLayer = 1;
constexpr std::uint8_t kTargetLinkLayer = 2;
constexpr std::uint8_t kNonceOption = 14;
constexpr std::size_t kTargetOffset = 8;
constexpr std::size_t kOptionsOffset = 24;  // of Neighbor Solicitations and Advertisements

// A Neighbor Solicitation or Advertisement up to its options; the checksum comes later.
std::vector<std::uint8_t> about_target(std::uint8_t type, std::uint8_t flags, const mip6::Ipv6Address& target) {
  std::vector<std::uint8_t> message(kOptionsOffset);
  message[0] = type;
  message[4] = flags;
  std::copy(target.bytes.begin(), target.bytes.end(), message.begin() + kTargetOffset);
  return message;
}

// An option of one unit of 8 octets.
void append_option(std::vector<std::uint8_t>& message, std::uint8_t type, const std::array<std::uint8_t, 6>& data) {
  message.push_back(type);
  message.push_back(1);
  message.insert(message.end(), data.begin(), data.end());
}

std::uint32_t sum_words(std::span<const std::uint8_t> bytes, std::uint32_t sum) {
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    sum += static_cast<std::uint32_t>(bytes[i]) << 8;
    if (i + 1 < bytes.size()) sum += bytes[i + 1];
  }
  return sum;
}

// RFC 4443 section 2.3, for packets below 64 KiB.
std::uint16_t icmp6_checksum(std::span<const std::uint8_t> message, const mip6::Ipv6Address& source,
                             const mip6::Ipv6Address& destination) {
  std::uint32_t sum = static_cast<std::uint32_t>(message.size()) + kIcmp6;
  sum = sum_words(source.bytes, sum);
  sum = sum_words(destination.bytes, sum);
  sum = sum_words(message, sum);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

// The options of a message, checked: none of length zero, none cut short (RFC 4861 section 4.6). Says whether one of
// this type and of one unit is among them that has `data`, or has not (`same` false); empty if they are malformed.
std::optional<bool> has_option(std::span<const std::uint8_t> options, std::uint8_t type,
                               const std::array<std::uint8_t, 6>& data, bool same = true) {
  bool found = false;
  while (!options.empty()) {
    if (options.size() < 2 || options[1] == 0 || options.size() < options[1] * std::size_t{8}) return std::nullopt;
    const auto option = options.first(options[1] * std::size_t{8});
    if (option[0] == type && option.size() == 8)
      found |= std::equal(data.begin(), data.end(), option.begin() + 2) == same;
    options = options.subspan(option.size());
  }
  return found;
}

}  // namespace

mip6::Ipv6Address solicited_node_group(const mip6::Ipv6Address& address) {
  mip6::Ipv6Address group{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff}};
  std::copy(address.bytes.begin() + 13, address.bytes.end(), group.bytes.begin() + 13);
  return group;
}

std::vector<std::uint8_t> neighbour_advertisement(const mip6::Ipv6Address& target,
                                                  const std::optional<EthernetAddress>& link_layer) {
  auto message = about_target(kNeighbourAdvertisement, kOverride, target);
  if (link_layer) append_option(message, kTargetLinkLayer, *link_layer);
  return message;
}

std::vector<std::uint8_t> router_solicitation(const std::optional<EthernetAddress>& link_layer) {
  std::vector<std::uint8_t> message(8);
  message[0] = kRouterSolicitation;
  if (link_layer) append_option(message, kSourceLinkLayer, *link_layer);
  return message;
}

std::vector<std::uint8_t> dad_solicitation(const mip6::Ipv6Address& target, const Nonce& nonce) {
  auto message = about_target(kNeighbourSolicitation, 0, target);
  append_option(message, kNonceOption, nonce);
  return message;
}

std::vector<std::uint8_t> unspecified_source_packet(const mip6::Ipv6Address& destination,
                                                    std::vector<std::uint8_t> message) {
  const auto sum = icmp6_checksum(message, {}, destination);
  message[2] = static_cast<std::uint8_t>(sum >> 8);
  message[3] = static_cast<std::uint8_t>(sum & 0xff);
  constexpr std::size_t kHeader = 40;  // RFC 8200 section 3
  std::vector<std::uint8_t> packet(kHeader + message.size());
  packet[0] = 0x60;  // version 6
  packet[4] = static_cast<std::uint8_t>(message.size() >> 8);
  packet[5] = static_cast<std::uint8_t>(message.size() & 0xff);
  packet[6] = kIcmp6;
  packet[7] = kNdHopLimit;
  std::copy(destination.bytes.begin(), destination.bytes.end(), packet.begin() + 24);
  std::copy(message.begin(), message.end(), packet.begin() + kHeader);
  return packet;
}

bool shows_duplicate(std::span<const std::uint8_t> message, const mip6::Ipv6Address& source, int hop_limit,
                     const mip6::Ipv6Address& target, const Nonce& nonce) {
  if (hop_limit != kNdHopLimit || message.size() < kOptionsOffset || message[1] != 0) return false;
  if (!std::equal(target.bytes.begin(), target.bytes.end(), message.begin() + kTargetOffset)) return false;
  const auto ours = has_option(message.subspan(kOptionsOffset), kNonceOption, nonce);
  if (!ours || *ours) return false;
  if (message[0] == kNeighbourAdvertisement) return true;
  // with a source address it is address resolution, not another one's duplicate detection
  return message[0] == kNeighbourSolicitation && source.is_unspecified();
}

std::optional<mip6::Ipv6Address> claimed_address(std::span<const std::uint8_t> message, int hop_limit,
                                                 const EthernetAddress& own) {
  if (hop_limit != kNdHopLimit || message.size() < kOptionsOffset || message[0] != kNeighbourAdvertisement ||
      message[1] != 0 || (message[4] & kSolicited) != 0 ||
      !has_option(message.subspan(kOptionsOffset), kTargetLinkLayer, own, false).value_or(false))
    return std::nullopt;
  mip6::Ipv6Address target;
  std::copy_n(message.begin() + kTargetOffset, target.bytes.size(), target.bytes.begin());
  return target;
}

}  // namespace mnd::kernel
