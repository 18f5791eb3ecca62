// The request socket, against this kernel's own list of links.
#include "mnd/linux/netlink.hpp"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <cerrno>

#include "tests/catch.hpp"

using namespace mnd::kernel;

namespace {

NetlinkMessage get_link(const char* name) {
  return MessageBuilder(RTM_GETLINK, 0).header(ifinfomsg{}).text(IFLA_IFNAME, name).bytes();
}

}  // namespace

TEST_CASE("a link is read by its name", "[netlink]") {
  auto socket = NetlinkSocket::open(NETLINK_ROUTE);
  REQUIRE(socket);
  const auto link = socket->get(get_link("lo"));
  REQUIRE(link);
  REQUIRE(family_header<ifinfomsg>(*link) != nullptr);
  CHECK(family_header<ifinfomsg>(*link)->ifi_index > 0);
  CHECK(to_text(find_attribute(*link, sizeof(ifinfomsg), IFLA_IFNAME)) == "lo");
}

TEST_CASE("each message of a batch has its own answer, and a failure does not stop the next", "[netlink]") {
  auto socket = NetlinkSocket::open(NETLINK_ROUTE);
  REQUIRE(socket);
  const std::vector<NetlinkMessage> batch{get_link("lo"), get_link("no-such-link"), get_link("lo")};
  const auto answers = socket->request(batch);
  REQUIRE(answers.size() == 3);
  CHECK(answers[0].ok());
  CHECK(answers[1].os_error == ENODEV);
  CHECK(answers[2].ok());
}

TEST_CASE("a batch of more than one write is answered in order", "[netlink]") {
  auto socket = NetlinkSocket::open(NETLINK_ROUTE);
  REQUIRE(socket);
  std::vector<NetlinkMessage> batch(2 * NetlinkSocket::kBatch + 3, get_link("lo"));
  batch.back() = get_link("no-such-link");
  const auto answers = socket->request(batch);
  REQUIRE(answers.size() == batch.size());
  CHECK(answers.front().ok());
  CHECK(answers[answers.size() - 2].ok());
  CHECK(answers.back().os_error == ENODEV);
}

TEST_CASE("a dump gives every link, and only what was asked to be kept of it", "[netlink]") {
  auto socket = NetlinkSocket::open(NETLINK_ROUTE);
  REQUIRE(socket);
  const auto request = MessageBuilder(RTM_GETLINK, 0).header(ifinfomsg{}).bytes();
  const auto whole = socket->dump(request);
  REQUIRE(whole);
  REQUIRE_FALSE(whole->empty());
  CHECK_FALSE(find_attribute(whole->front(), sizeof(ifinfomsg), IFLA_IFNAME).empty());
  const std::size_t header = sizeof(nlmsghdr) + sizeof(ifinfomsg);
  const auto cut = socket->dump(request, header);
  REQUIRE(cut);
  REQUIRE_FALSE(cut->empty());
  CHECK(cut->front().size() == header);
  CHECK(find_attribute(cut->front(), sizeof(ifinfomsg), IFLA_IFNAME).empty());
}

TEST_CASE("missing rights have a remedy", "[netlink]") {
  const auto error = netlink_error("change", "it", {EPERM, "Operation not permitted"}, "something else");
  CHECK(error.os_error == EPERM);
  CHECK(error.remedy.find("CAP_NET_ADMIN") != std::string::npos);
}
