// What each message means, in tshark's names.
#include "tests/dissect/expected.hpp"

#include <algorithm>

namespace mip6::test {
namespace {

std::uint64_t units(Lifetime lifetime) { return static_cast<std::uint64_t>(lifetime.count()) / 4; }
std::uint64_t seconds(Lifetime lifetime) { return static_cast<std::uint64_t>(lifetime.count()); }

std::string ipv4(std::span<const std::uint8_t> octets) {
  std::string text;
  for (const auto octet : octets) text += (text.empty() ? "" : ".") + std::to_string(octet);
  return text;
}

struct OptionFields {
  Expected& fields;

  void operator()(const BindingRefreshAdvice& option) const { fields.add("mip6.bra.interval", units(option.interval)); }
  void operator()(const AlternateCareOfAddress& option) const { fields.add("mip6.acoa.acoa", option.care_of); }
  void operator()(const NonceIndices& option) const {
    fields.add("mip6.ni.hni", std::uint64_t{option.home});
    fields.add("mip6.ni.cni", std::uint64_t{option.care_of});
  }
  void operator()(const BindingAuthorizationData& option) const { fields.add("mip6.bad.auth", option.authenticator); }
  void operator()(const MobileNodeIdentifier& option) const {
    fields.add("mip6.mnid.subtype", std::uint64_t{option.subtype});
    fields.add("mip6.mnid.identifier", std::string{option.identifier.begin(), option.identifier.end()});
  }
  void operator()(const RestartCounter& option) const { fields.add("mip6.rc", std::uint64_t{option.value}); }
  void operator()(const BindingIdentifier& option) const {
    fields.add("mip6.bi.bid", std::uint64_t{option.id});
    fields.add("mip6.bi.status", std::uint64_t{option.status});
    fields.add("mip6.bi.h_flag", option.home_and_foreign);
    if (option.care_of.size() == 4) fields.add("mip6.bi.coa_ipv4", ipv4(option.care_of));
    if (option.care_of.size() == 16) {
      Ipv6Address care_of;
      std::copy(option.care_of.begin(), option.care_of.end(), care_of.bytes.begin());
      fields.add("mip6.bi.coa_ipv6", care_of);
    }
  }
  void operator()(const Ipv4HomeAddress& option) const {
    fields.add("mip6.ipv4ha.preflen", std::uint64_t{option.prefix_length});
    fields.add("mip6.ipv4ha.p_flag", option.prefix_wanted);
    fields.add("mip6.ipv4ha.ha", ipv4(option.address));
  }
  void operator()(const UnknownOption& option) const { fields.add("mip6.mobility_opt", std::uint64_t{option.type}); }
};

struct MessageFields {
  Expected& fields;

  void type(std::uint64_t number) const { fields.add("mip6.mhtype", number); }
  void options(const MobilityOptions& options) const {
    for (const auto& option : options) std::visit(OptionFields{fields}, option);
  }

  void operator()(const BindingRefreshRequest& message) const {
    type(0);
    options(message.options);
  }
  void operator()(const HomeTestInit& message) const {
    type(1);
    fields.add_number("mip6.hoti.cookie", message.cookie);
    options(message.options);
  }
  void operator()(const CareOfTestInit& message) const {
    type(2);
    fields.add_number("mip6.coti.cookie", message.cookie);
    options(message.options);
  }
  void operator()(const HomeTest& message) const {
    type(3);
    fields.add("mip6.hot.nindex", std::uint64_t{message.nonce_index});
    fields.add_number("mip6.hot.cookie", message.cookie);
    fields.add_number("mip6.hot.token", message.token);
    options(message.options);
  }
  void operator()(const CareOfTest& message) const {
    type(4);
    fields.add("mip6.cot.nindex", std::uint64_t{message.nonce_index});
    fields.add_number("mip6.cot.cookie", message.cookie);
    fields.add_number("mip6.hot.token", message.token);
    options(message.options);
  }
  void operator()(const BindingUpdate& message) const {
    type(5);
    fields.add("mip6.bu.seqnr", std::uint64_t{message.sequence.value()});
    fields.add("mip6.bu.a_flag", message.acknowledge);
    fields.add("mip6.bu.h_flag", message.home_registration);
    fields.add("mip6.bu.l_flag", message.link_local);
    fields.add("mip6.bu.k_flag", message.key_mobility);
    for (const auto* reserved : {"mip6.bu.m_flag", "mip6.nemo.bu.r_flag", "mip6.bu.p_flag", "mip6.bu.f_flag",
                                 "mip6.bu.t_flag", "mip6.bu.b_flag"})
      fields.add(reserved, false);
    fields.add("mip6.bu.lifetime", units(message.lifetime));
    options(message.options);
  }
  void operator()(const BindingAcknowledgement& message) const {
    type(6);
    fields.add("mip6.ba.status", static_cast<std::uint64_t>(message.status));
    fields.add("mip6.ba.k_flag", message.key_mobility);
    for (const auto* reserved : {"mip6.nemo.ba.r_flag", "mip6.ba.p_flag", "mip6.ba.t_flag", "mip6.ba.b_flag"})
      fields.add(reserved, false);
    fields.add("mip6.ba.seqnr", std::uint64_t{message.sequence.value()});
    fields.add("mip6.ba.lifetime", units(message.lifetime));
    options(message.options);
  }
  void operator()(const BindingError& message) const {
    type(7);
    fields.add("mip6.be.status", std::uint64_t{message.status});
    fields.add("mip6.be.haddr", message.home_address);
    options(message.options);
  }
  void operator()(const HomeAgentSwitch& message) const {
    type(12);
    fields.add("mip6.has.num_addrs", std::uint64_t{message.home_agents.size()});
    for (const auto& address : message.home_agents) fields.add("mip6.has.address", address);
    options(message.options);
  }
  void operator()(const Heartbeat& message) const {
    type(13);
    fields.add("mip6.hb.u_flag", message.unsolicited);
    fields.add("mip6.hb.r_flag", message.response);
    fields.add("mip6.hb.seqnr", std::uint64_t{message.sequence});
    options(message.options);
  }
  void operator()(const BindingRevocationIndication& message) const {
    type(16);
    fields.add("mip6.bri_br.type", std::uint64_t{1});
    fields.add("mip6.bri_r.trigger", std::uint64_t{message.trigger});
    fields.add("mip6.bri_seqnr", std::uint64_t{message.sequence});
    fields.add("mip6.bri_ip", message.scope.proxy_binding);
    fields.add("mip6.bri_iv", message.scope.ipv4_binding_only);
    fields.add("mip6.bri_ig", message.scope.global);
    options(message.options);
  }
  void operator()(const BindingRevocationAcknowledgement& message) const {
    type(16);
    fields.add("mip6.bri_br.type", std::uint64_t{2});
    fields.add("mip6.bri_status", std::uint64_t{message.status});
    fields.add("mip6.bri_seqnr", std::uint64_t{message.sequence});
    fields.add("mip6.bri_ap", message.scope.proxy_binding);
    fields.add("mip6.bri_av", message.scope.ipv4_binding_only);
    fields.add("mip6.bri_ag", message.scope.global);
    options(message.options);
  }
  void operator()(const UnknownMessage& message) const {
    type(message.type);
    fields.add("mip6.unknown_type_data", message.data);
  }
};

struct IcmpFields {
  Expected& fields;

  void type(std::uint64_t number) const {
    fields.add("icmpv6.type", number);
    fields.add("icmpv6.code", std::uint64_t{0});
    fields.add("icmpv6.checksum.status", std::uint64_t{1});  // good
  }
  void identifier(std::uint16_t value) const { fields.add("icmpv6.mip6.identifier", std::uint64_t{value}); }
  void prefixes(const std::vector<PrefixInformation>& prefixes) const {
    for (const auto& prefix : prefixes) {
      fields.add("icmpv6.opt.prefix", prefix.prefix.address);
      fields.add("icmpv6.opt.prefix.length", std::uint64_t{prefix.prefix.length});
      fields.add("icmpv6.opt.prefix.flag.l", prefix.on_link);
      fields.add("icmpv6.opt.prefix.flag.a", prefix.autonomous);
      fields.add("icmpv6.opt.prefix.flag.r", prefix.router_address);
      fields.add("icmpv6.opt.prefix.valid_lifetime", seconds(prefix.valid));
      fields.add("icmpv6.opt.prefix.preferred_lifetime", seconds(prefix.preferred));
    }
  }

  void operator()(const HomeAgentAddressDiscoveryRequest& message) const {
    type(144);
    identifier(message.identifier);
  }
  void operator()(const HomeAgentAddressDiscoveryReply& message) const {
    type(145);
    identifier(message.identifier);
    for (const auto& address : message.home_agents) fields.add("icmpv6.mip6.home_agent_address", address);
  }
  void operator()(const MobilePrefixSolicitation& message) const {
    type(146);
    identifier(message.identifier);
  }
  void operator()(const MobilePrefixAdvertisement& message) const {
    type(147);
    identifier(message.identifier);
    fields.add("icmpv6.mip6.flag.m", message.managed);
    fields.add("icmpv6.mip6.flag.o", message.other);
    prefixes(message.prefixes);
  }
  void operator()(const RouterAdvertisement& message) const {
    type(134);
    fields.add("icmpv6.nd.ra.flag.m", message.managed);
    fields.add("icmpv6.nd.ra.flag.o", message.other);
    fields.add("icmpv6.nd.ra.flag.h", message.home_agent);
    fields.add("icmpv6.nd.ra.router_lifetime", seconds(message.router_lifetime));
    prefixes(message.prefixes);
    if (const auto& interval = message.advertisement_interval)
      fields.add("icmpv6.opt.advertisement_interval", static_cast<std::uint64_t>(interval->count()));
    if (const auto& information = message.home_agent_information) {
      fields.add("icmpv6.opt.home_agent_preference", std::uint64_t{information->preference});
      fields.add("icmpv6.opt.home_agent_lifetime", seconds(information->lifetime));
    }
  }
};

}  // namespace

std::string Expected::hexadecimal(std::span<const std::uint8_t> octets) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const auto octet : octets) {
    text += kDigits[octet >> 4U];
    text += kDigits[octet & 0xfU];
  }
  return text;
}

void expect(const Message& message, Expected& fields) { std::visit(MessageFields{fields}, message); }
void expect(const IcmpMessage& message, Expected& fields) { std::visit(IcmpFields{fields}, message); }

}  // namespace mip6::test
