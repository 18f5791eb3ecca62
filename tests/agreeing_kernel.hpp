// A pretended kernel that agrees to everything at once and remembers nothing, for tests and benches to build on.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <tl/expected.hpp>
#include <vector>

#include "examples/home-agent/kernel_port.hpp"

namespace mip6ha {

// Port: KernelPort, or an interface that has more.
template <class Port>
class AgreeingKernel : public Port {
 public:
  using Address = mip6::Ipv6Address;
  using Result = typename Port::Result;
  using Port::release;

  Result bind(const Address&, const Address&) override { return {}; }
  Result forget_care_of(const Address&, const Address&) override { return {}; }
  Result unbind(const Address&, bool) override { return {}; }
  std::vector<mnd::kernel::BoundCareOf> bound() const override { return {}; }
  tl::expected<std::vector<Address>, mip6::Error> intercepted() override { return {}; }
  Result intercept(const Address&) override { return {}; }
  Result release(const Address&) override { return {}; }
  Result advertise(const Address&) override { return {}; }
  Result route_through(const Address&, const Address&) override { return {}; }
  Result route_straight(const Address&) override { return {}; }
  Result send(std::span<const std::uint8_t>, const Address&, bool) override { return {}; }
  Result send_prefixes(std::span<const std::uint8_t>, const Address&) override { return {}; }
  Result start_dad(const Address&, bool, int, std::function<void(bool)>) override { return {}; }
  Result move_key_endpoint(const Address&, std::uint32_t, const Address&) override { return {}; }
  Result send_payload_to(const Address&, const Address&) override { return {}; }
  tl::expected<std::vector<std::uint32_t>, mip6::Error> state_spis(const Address&, std::uint32_t) override {
    return {};
  }
  Result delete_states_except(const Address&, std::uint32_t, const std::vector<std::uint32_t>&,
                              const std::optional<std::vector<std::uint32_t>>&) override {
    return {};
  }
  ike::KeyPairUse look_up(const Address&, const ike::KeyPair& pair) override {
    return {.pair = pair, .there = true, .used = true};
  }
  Result close_inbound(const Address&, std::uint32_t) override { return {}; }
  Result send_under(const Address&, std::uint32_t, std::uint32_t) override { return {}; }
};

}  // namespace mip6ha
