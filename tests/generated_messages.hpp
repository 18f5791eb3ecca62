// Messages of every family with all their fields and options drawn from a seed, as values that the wire can hold.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "libmip6/wire/home_address_option.hpp"
#include "libmip6/wire/icmp_message.hpp"
#include "libmip6/wire/message.hpp"
#include "libmip6/wire/routing_header.hpp"

namespace mip6::test {

class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_{seed} {}

  // Message number `kind` of the variant, and ICMPv6 message number `kind` of that one.
  Message message(std::size_t kind) { return drawn<Message>(kind); }
  IcmpMessage icmp_message(std::size_t kind) { return drawn<IcmpMessage>(kind); }
  Ipv6Address address() {  // unicast routable
    Ipv6Address address{array<16>()};
    address.bytes[0] = 0x20;
    return address;
  }
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_()) % limit; }

 private:
  // The first numbers of both are unknown to all that we know of.
  static constexpr std::uint8_t kUnknownMessages = 200;
  static constexpr std::uint8_t kUnknownOptions = 200;

  bool flag() { return below(2) == 1; }
  std::uint8_t u8() { return static_cast<std::uint8_t>(below(0x100)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(below(0x10000)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(random_()); }
  template <std::size_t size>
  std::array<std::uint8_t, size> array() {
    std::array<std::uint8_t, size> octets{};
    for (auto& octet : octets) octet = u8();
    return octets;
  }
  Bytes bytes(std::size_t size) {
    Bytes octets(size);
    for (auto& octet : octets) octet = u8();
    return octets;
  }
  Lifetime lifetime() { return Lifetime{u16() * 4}; }

  template <class Variant>
  Variant drawn(std::size_t kind) {
    Variant result;
    [&]<std::size_t... index>(std::index_sequence<index...>) {
      (..., (index == kind ? fill(result.template emplace<index>()) : void()));
    }
    (std::make_index_sequence<std::variant_size_v<Variant>>{});
    return result;
  }

  MobilityOptions options() {
    MobilityOptions result;
    const auto count = below(5);
    while (result.size() < count) {
      auto option = drawn<MobilityOption>(below(std::variant_size_v<MobilityOption>));
      const bool last = std::holds_alternative<BindingAuthorizationData>(option);
      result.push_back(std::move(option));
      if (last) break;
    }
    return result;
  }

  void fill(BindingRefreshAdvice& option) { option.interval = lifetime(); }
  void fill(AlternateCareOfAddress& option) { option.care_of = address(); }
  void fill(NonceIndices& option) { option = {u16(), u16()}; }
  void fill(BindingAuthorizationData& option) { option.authenticator = array<12>(); }
  void fill(MobileNodeIdentifier& option) {
    const std::string_view realm = "@example.org";
    const std::string user(1 + below(20), static_cast<char>('a' + below(26)));
    option.identifier.assign(user.begin(), user.end());
    option.identifier.insert(option.identifier.end(), realm.begin(), realm.end());
  }
  void fill(RestartCounter& option) { option.value = u32(); }
  void fill(BindingIdentifier& option) {
    const std::size_t sizes[] = {0, 4, 16};
    option = {u16(), u8(), flag(), bytes(sizes[below(3)])};
  }
  void fill(Ipv4HomeAddress& option) { option = {static_cast<std::uint8_t>(1 + below(32)), flag(), array<4>()}; }
  void fill(UnknownOption& option) {
    option.type = static_cast<std::uint8_t>(kUnknownOptions + below(50));
    option.data = bytes(below(40));
  }

  void fill(BindingRefreshRequest& message) { message.options = options(); }
  template <class Init>
  void fill_init(Init& message) {
    message.cookie = array<8>();
    message.options = options();
  }
  void fill(HomeTestInit& message) { fill_init(message); }
  void fill(CareOfTestInit& message) { fill_init(message); }
  template <class Test>
  void fill_test(Test& message) {
    message.nonce_index = u16();
    message.cookie = array<8>();
    message.token = array<8>();
    message.options = options();
  }
  void fill(HomeTest& message) { fill_test(message); }
  void fill(CareOfTest& message) { fill_test(message); }
  void fill(BindingUpdate& message) {
    message = {SequenceNumber{u16()}, flag(), flag(), flag(), flag(), lifetime(), options()};
  }
  void fill(BindingAcknowledgement& message) {
    message = {static_cast<Status>(u8()), flag(), SequenceNumber{u16()}, lifetime(), options()};
  }
  void fill(BindingError& message) { message = {static_cast<std::uint8_t>(1 + below(2)), address(), options()}; }
  void fill(HomeAgentSwitch& message) {
    for (auto count = below(4); count > 0; --count) message.home_agents.push_back(address());
    message.options = options();
  }
  void fill(Heartbeat& message) { message = {flag(), flag(), u32(), options()}; }
  RevocationScope scope() { return {flag(), flag(), flag()}; }
  void fill(BindingRevocationIndication& message) { message = {u8(), u16(), scope(), options()}; }
  void fill(BindingRevocationAcknowledgement& message) { message = {u8(), u16(), scope(), options()}; }
  void fill(UnknownMessage& message) {
    message.type = static_cast<std::uint8_t>(kUnknownMessages + below(50));
    message.data = bytes(2 + 8 * below(5));
  }

  PrefixInformation prefix() {
    PrefixInformation prefix{{address(), 64}, flag(), flag(), flag(), Lifetime{u32()}, Lifetime{u32()}};
    if (!prefix.router_address)
      for (std::size_t i = 8; i < 16; ++i) prefix.prefix.address.bytes[i] = 0;
    return prefix;
  }
  std::vector<PrefixInformation> prefixes() {
    std::vector<PrefixInformation> result(below(4));
    for (auto& entry : result) entry = prefix();
    return result;
  }
  void fill(HomeAgentAddressDiscoveryRequest& message) { message.identifier = u16(); }
  void fill(HomeAgentAddressDiscoveryReply& message) {
    message.identifier = u16();
    for (auto count = below(5); count > 0; --count) message.home_agents.push_back(address());
  }
  void fill(MobilePrefixSolicitation& message) { message.identifier = u16(); }
  void fill(MobilePrefixAdvertisement& message) { message = {u16(), flag(), flag(), prefixes()}; }
  void fill(RouterAdvertisement& message) {
    message = {flag(), flag(), flag(), Lifetime{u16()}, prefixes(), std::nullopt, std::nullopt};
    if (flag()) message.home_agent_information = HomeAgentInformation{u16(), Lifetime{u16()}};
    if (flag()) message.advertisement_interval = std::chrono::milliseconds{u32()};
  }

  std::mt19937 random_;
};

}  // namespace mip6::test
