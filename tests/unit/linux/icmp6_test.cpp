#include "mnd/linux/icmp6.hpp"

#include "tests/catch.hpp"

using namespace mnd::kernel;
using Bytes = std::vector<std::uint8_t>;

namespace {

const auto kTarget = mip6::Ipv6Address::parse("2001:db8:1::42").value();
const mip6::Ipv6Address kUnspecified;
const auto kNeighbour = mip6::Ipv6Address::parse("fe80::1").value();
constexpr EthernetAddress kEthernet{2, 0, 0, 0, 0, 7};
constexpr Nonce kNonce{1, 2, 3, 4, 5, 6};
constexpr Nonce kOtherNonce{6, 5, 4, 3, 2, 1};

}  // namespace

TEST_CASE("the solicited-node group ends with the address's last three bytes") {
  CHECK(solicited_node_group(mip6::Ipv6Address::parse("4037::1:800:200e:8c6c").value()).to_string() ==
        "ff02::1:ff0e:8c6c");
}

TEST_CASE("an advertisement overrides, is not solicited, and names our link-layer address") {
  const auto message = neighbour_advertisement(kTarget, kEthernet);
  CHECK(message == Bytes{136, 0, 0, 0, 0x20, 0, 0, 0,    0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 0,
                         0,   0, 0, 0, 0,    0, 0, 0x42, 2,    1,    2,    0,    0, 0, 0, 7});
  CHECK(neighbour_advertisement(kTarget, std::nullopt).size() == 24);
}

TEST_CASE("a router solicitation names our link-layer address, unless it comes from nowhere") {
  CHECK(router_solicitation(kEthernet) == Bytes{133, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 7});
  CHECK(router_solicitation(std::nullopt) == Bytes{133, 0, 0, 0, 0, 0, 0, 0});
}

TEST_CASE("a packet from the unspecified address has hop limit 255 and a checksum that holds") {
  const auto group = solicited_node_group(kTarget);
  const auto packet = unspecified_source_packet(group, dad_solicitation(kTarget, kNonce));
  REQUIRE(packet.size() == 40 + 32);
  CHECK(packet[0] == 0x60);
  CHECK((packet[4] == 0 && packet[5] == 32 && packet[6] == 58 && packet[7] == 255));
  CHECK(std::equal(group.bytes.begin(), group.bytes.end(), packet.begin() + 24));
  // RFC 1071: the sum over everything, checksum included, is all ones
  std::uint32_t sum = 32 + 58;
  for (std::size_t i = 8; i < packet.size(); i += 2) sum += packet[i] * 256u + packet[i + 1];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  CHECK(sum == 0xffff);
}

TEST_CASE("an advertisement of the target shows a duplicate, one of another address does not") {
  CHECK(shows_duplicate(neighbour_advertisement(kTarget, kEthernet), kNeighbour, 255, kTarget, kNonce));
  CHECK_FALSE(shows_duplicate(neighbour_advertisement(kNeighbour, kEthernet), kNeighbour, 255, kTarget, kNonce));
}

TEST_CASE("an advertisement with another link-layer address claims its target") {
  constexpr EthernetAddress kOther{2, 0, 0, 0, 0, 8};
  const auto claim = neighbour_advertisement(kTarget, kOther);
  CHECK(claimed_address(claim, 255, kEthernet) == kTarget);
  CHECK_FALSE(claimed_address(neighbour_advertisement(kTarget, kEthernet), 255, kEthernet));     // our own
  CHECK_FALSE(claimed_address(neighbour_advertisement(kTarget, std::nullopt), 255, kEthernet));  // changes no cache
  CHECK_FALSE(claimed_address(dad_solicitation(kTarget, kNonce), 255, kEthernet));
  CHECK_FALSE(claimed_address(claim, 254, kEthernet));
  auto answer = claim;  // of a node that we asked, such as one at home that is about to be refused
  answer[4] |= 0x40;
  CHECK_FALSE(claimed_address(answer, 255, kEthernet));
  for (std::size_t size = 0; size < claim.size(); ++size)
    CHECK_FALSE(claimed_address(std::span{claim}.first(size), 255, kEthernet));
}

TEST_CASE("another node's duplicate detection shows a duplicate, our own and address resolution do not") {
  CHECK(shows_duplicate(dad_solicitation(kTarget, kOtherNonce), kUnspecified, 255, kTarget, kNonce));
  CHECK_FALSE(shows_duplicate(dad_solicitation(kTarget, kNonce), kUnspecified, 255, kTarget, kNonce));
  CHECK_FALSE(shows_duplicate(dad_solicitation(kTarget, kOtherNonce), kNeighbour, 255, kTarget, kNonce));
}

TEST_CASE("a message that came through a router, is cut short or malformed shows nothing") {
  const auto whole = neighbour_advertisement(kTarget, kEthernet);
  CHECK_FALSE(shows_duplicate(whole, kNeighbour, 254, kTarget, kNonce));
  for (std::size_t size = 0; size < whole.size(); ++size)
    if (size != 24)  // without the option it is a good message
      CHECK_FALSE(shows_duplicate(std::span{whole}.first(size), kNeighbour, 255, kTarget, kNonce));
  auto wrong = whole;
  wrong[25] = 0;  // option of length zero
  CHECK_FALSE(shows_duplicate(wrong, kNeighbour, 255, kTarget, kNonce));
  wrong = whole;
  wrong[1] = 1;  // code
  CHECK_FALSE(shows_duplicate(wrong, kNeighbour, 255, kTarget, kNonce));
}
