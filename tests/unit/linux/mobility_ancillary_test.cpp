#include "mnd/linux/mobility_ancillary.hpp"

#include <netinet/in.h>

#include <cstring>
#include <vector>

#include "tests/catch.hpp"

using namespace mnd::kernel;

namespace {

const auto kCareOf = mip6::Ipv6Address::parse("2001:db8:a1::7").value();

// A destination options header as the kernel hands it over: PadN of 4 bytes, then the home address option.
std::vector<std::uint8_t> options_header() {
  std::vector<std::uint8_t> header{135, 2, 1, 2, 0, 0, 201, 16};
  header.insert(header.end(), kCareOf.bytes.begin(), kCareOf.bytes.end());
  return header;
}

// Ancillary data of one item.
struct Control {
  Control(int level, int type, const std::vector<std::uint8_t>& data) : buffer(CMSG_SPACE(data.size())) {
    message.msg_control = buffer.data();
    message.msg_controllen = buffer.size();
    auto* item = CMSG_FIRSTHDR(&message);
    item->cmsg_level = level;
    item->cmsg_type = type;
    item->cmsg_len = CMSG_LEN(data.size());
    if (!data.empty()) std::memcpy(CMSG_DATA(item), data.data(), data.size());
  }
  std::vector<std::uint8_t> buffer;
  msghdr message{};
};

}  // namespace

TEST_CASE("the home address option holds the care-of address") {
  CHECK(home_address_option(options_header()) == kCareOf);
  CHECK(read_ancillary(Control{IPPROTO_IPV6, IPV6_DSTOPTS, options_header()}.message).home_address_option == kCareOf);
}

TEST_CASE("a destination options header cut short anywhere has no home address option") {
  const auto whole = options_header();
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK_FALSE(home_address_option(std::span{whole}.first(size)));
}

TEST_CASE("options that lie about their length are no home address option") {
  auto header = options_header();
  header[7] = 17;
  CHECK_FALSE(home_address_option(header));
  header[7] = 15;
  CHECK_FALSE(home_address_option(header));
  header = options_header();
  header[1] = 0;  // the header ends before the option
  CHECK_FALSE(home_address_option(header));
  header = options_header();
  header[3] = 255;
  CHECK_FALSE(home_address_option(header));
}

TEST_CASE("only a routing header of type 2 is ours") {
  CHECK(read_ancillary(Control{IPPROTO_IPV6, IPV6_RTHDR, {135, 2, 2, 0, 0, 0, 0, 0}}.message).routing_header);
  CHECK_FALSE(read_ancillary(Control{IPPROTO_IPV6, IPV6_RTHDR, {135, 2, 4, 0, 0, 0, 0, 0}}.message).routing_header);
  CHECK_FALSE(read_ancillary(Control{IPPROTO_IPV6, IPV6_RTHDR, {}}.message).routing_header);
}

TEST_CASE("ancillary data of another kind or size is as good as none") {
  CHECK_FALSE(read_ancillary(Control{IPPROTO_IPV6, IPV6_PKTINFO, {1, 2, 3}}.message).destination);
  CHECK_FALSE(read_ancillary(Control{SOL_SOCKET, IPV6_DSTOPTS, options_header()}.message).home_address_option);
  CHECK_FALSE(read_ancillary(msghdr{}).destination);
}

TEST_CASE("packet information tells the destination") {
  in6_pktinfo info{};
  std::memcpy(&info.ipi6_addr, kCareOf.bytes.data(), kCareOf.bytes.size());
  std::vector<std::uint8_t> data(sizeof info);
  std::memcpy(data.data(), &info, sizeof info);
  CHECK(read_ancillary(Control{IPPROTO_IPV6, IPV6_PKTINFO, data}.message).destination == kCareOf);
}
