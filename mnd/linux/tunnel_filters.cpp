// Builds and reads the traffic control messages of the tunnel's source check.
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_gact.h>
#include <netinet/in.h>

#include "mnd/linux/tunnel_messages.hpp"

namespace mnd::kernel {

namespace {

constexpr std::uint32_t kPassPreference = 1;
constexpr std::uint32_t kDropPreference = 100;
constexpr std::uint32_t kDropHandle = 1;
constexpr mip6::Ipv6Address kWholeAddress{
    {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

tcmsg filter_header(std::uint32_t interface, std::uint32_t preference, std::uint16_t protocol, std::uint32_t handle) {
  tcmsg header{};
  header.tcm_ifindex = static_cast<int>(interface);
  header.tcm_handle = handle;
  header.tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
  header.tcm_info = TC_H_MAKE(preference << 16, htons(protocol));
  return header;
}

void put_action(MessageBuilder& message, int attribute, int action) {
  tc_gact parameters{};
  parameters.action = action;
  message.begin_nest(attribute)
      .begin_nest(1)
      .text(TCA_ACT_KIND, "gact")
      .begin_nest(TCA_ACT_OPTIONS)
      .attribute(TCA_GACT_PARMS, parameters)
      .end_nest()
      .end_nest()
      .end_nest();
}

void put_key(MessageBuilder& message, int value_type, int mask_type, const mip6::Ipv6Address& value) {
  message.attribute(value_type, value).attribute(mask_type, kWholeAddress);
}

}  // namespace

NetlinkMessage add_ingress(std::uint32_t interface) {
  tcmsg header{};
  header.tcm_ifindex = static_cast<int>(interface);
  header.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
  header.tcm_parent = TC_H_CLSACT;
  return MessageBuilder(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL).header(header).text(TCA_KIND, "clsact").bytes();
}

NetlinkMessage drop_the_rest(std::uint32_t interface) {
  MessageBuilder message(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL);
  message.header(filter_header(interface, kDropPreference, ETH_P_ALL, kDropHandle)).text(TCA_KIND, "matchall");
  message.begin_nest(TCA_OPTIONS);
  put_action(message, TCA_MATCHALL_ACT, TC_ACT_SHOT);
  return message.end_nest().bytes();
}

NetlinkMessage get_drop_filter(std::uint32_t interface) {
  return MessageBuilder(RTM_GETTFILTER, 0)
      .header(filter_header(interface, kDropPreference, ETH_P_ALL, kDropHandle))
      .text(TCA_KIND, "matchall")
      .bytes();
}

NetlinkMessage pass(std::uint32_t interface, const TunnelFilter& filter) {
  MessageBuilder message(RTM_NEWTFILTER, NLM_F_CREATE);
  message.header(filter_header(interface, kPassPreference, ETH_P_IPV6, filter.handle)).text(TCA_KIND, "flower");
  message.begin_nest(TCA_OPTIONS);
  put_key(message, TCA_FLOWER_KEY_ENC_IPV6_SRC, TCA_FLOWER_KEY_ENC_IPV6_SRC_MASK, filter.outer_source);
  if (filter.inner_source) {
    put_key(message, TCA_FLOWER_KEY_IPV6_SRC, TCA_FLOWER_KEY_IPV6_SRC_MASK, *filter.inner_source);
  }
  if (filter.inner_destination) {
    put_key(message, TCA_FLOWER_KEY_IPV6_DST, TCA_FLOWER_KEY_IPV6_DST_MASK, *filter.inner_destination);
  }
  put_action(message, TCA_FLOWER_ACT, TC_ACT_OK);
  const std::uint16_t type = htons(ETH_P_IPV6);
  return message.attribute(TCA_FLOWER_KEY_ETH_TYPE, type).end_nest().bytes();
}

NetlinkMessage remove_pass(std::uint32_t interface, std::uint32_t handle) {
  return MessageBuilder(RTM_DELTFILTER, 0)
      .header(filter_header(interface, kPassPreference, ETH_P_IPV6, handle))
      .text(TCA_KIND, "flower")
      .bytes();
}

NetlinkMessage dump_filters(std::uint32_t interface) {
  tcmsg header{};
  header.tcm_ifindex = static_cast<int>(interface);
  header.tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
  return MessageBuilder(RTM_GETTFILTER, 0).header(header).bytes();
}

std::optional<TunnelFilter> parse_pass(const NetlinkMessage& message) {
  const auto* header = family_header<tcmsg>(message);
  if (header == nullptr || header->tcm_handle == 0 || header->tcm_info >> 16 != kPassPreference) return std::nullopt;
  if (to_text(find_attribute(message, sizeof *header, TCA_KIND)) != "flower") return std::nullopt;
  const auto options = find_attribute(message, sizeof *header, TCA_OPTIONS);
  const auto key = [&](int type) -> std::optional<mip6::Ipv6Address> {
    const auto bytes = find_nested(options, type);
    if (bytes.size() != sizeof(mip6::Ipv6Address::bytes)) return std::nullopt;
    return to_address(bytes);
  };
  const auto outer = key(TCA_FLOWER_KEY_ENC_IPV6_SRC);
  if (!outer) return std::nullopt;
  return TunnelFilter{.outer_source = *outer,
                      .inner_source = key(TCA_FLOWER_KEY_IPV6_SRC),
                      .inner_destination = key(TCA_FLOWER_KEY_IPV6_DST),
                      .handle = header->tcm_handle};
}

}  // namespace mnd::kernel
