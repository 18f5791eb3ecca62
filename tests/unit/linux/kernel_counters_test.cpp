// The kernel's own counters: what is read of them.
#include "mnd/linux/kernel_counters.hpp"

#include <linux/rtnetlink.h>

#include "mnd/linux/tunnel_messages.hpp"
#include "tests/catch.hpp"
#include "tests/unit/linux/golden.hpp"

using namespace mnd::kernel;
using Counts = std::map<std::string, std::uint64_t>;

TEST_CASE("of xfrm_stat the counters that are not zero are read", "[counters]") {
  CHECK(parse_xfrm_stat(
            "XfrmInError             \t0\nXfrmInNoStates          \t3\nXfrmOutNoStates \t18446744073709551615\n") ==
        Counts{{"XfrmInNoStates", 3}, {"XfrmOutNoStates", 18446744073709551615U}});
  CHECK(parse_xfrm_stat("XfrmInNoStates 3") == Counts{{"XfrmInNoStates", 3}});
}

TEST_CASE("of snmp6 the refusals that are not zero are read, and nothing else", "[counters]") {
  CHECK(parse_snmp6("Ip6InReceives                   \t100\nIp6InHdrErrors                  \t0\n"
                    "Ip6InUnknownProtos              \t7\nIp6ReasmFails                   \t2\n"
                    "Icmp6OutParmProblems            \t5\nIcmp6OutEchos                   \t6\n"
                    "Udp6RcvbufErrors                \t3\nUdp6InDatagrams                 \t4\n") ==
        Counts{{"Icmp6OutParmProblems", 5}, {"Ip6InUnknownProtos", 7}, {"Ip6ReasmFails", 2}, {"Udp6RcvbufErrors", 3}});
}

TEST_CASE("lines of xfrm_stat that are none are skipped", "[counters]") {
  CHECK(parse_xfrm_stat("").empty());
  CHECK(parse_xfrm_stat("\n\n \nXfrmInError\nXfrmInError \n 3\nXfrmInError -3\nXfrmInError 3x\n"
                        "XfrmInError 18446744073709551616\n")
            .empty());
}

namespace {

// tc -s filter get dev mip6 ingress pref 100 handle 1 protocol all matchall: TCA_KIND, TCA_OPTIONS with the action and
// its statistics, as 6.1 sends them (other attributes left out)
NetlinkMessage answer(const std::string& statistics) {
  return golden::message(RTM_NEWTFILTER, 0,
                         "00*4 02000000 01000000 f2ffffff 00036400"
                         " 0d000100 6d61746368616c6c00 00*3" +
                             statistics);
}

}  // namespace

TEST_CASE("packets that the source check dropped are counted by the action of its last filter", "[counters]") {
  CHECK(parse_drop_count(answer(" 28000280 24000200 20000100 1c000400 14000100 e803000000000000 07000000 00000000"
                                " 04000200")) == 7);
}

TEST_CASE("a filter without count, or none, gives no number", "[counters]") {
  CHECK_FALSE(parse_drop_count(answer("")));
  CHECK_FALSE(parse_drop_count(answer(" 18000280 14000200 10000100 0c000400 08000100 e8030000")));
  CHECK_FALSE(parse_drop_count(golden::message(RTM_NEWTFILTER, 0, "00*20 0b000100 666c6f77657200 00")));
  CHECK_FALSE(parse_drop_count({}));
}
