// The kernel port on the real kernel: composes xfrm, tunnel, Mobility Header socket and neighbour discovery.
#pragma once

#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "examples/home-agent/agent_kernel.hpp"
#include "mnd/linux/esp_tunnel.hpp"
#include "mnd/linux/tunnel.hpp"
#include "mnd/linux/xfrm.hpp"

namespace mip6ha {

class LinuxKernel final : public AgentKernel {
 public:
  static tl::expected<std::unique_ptr<AgentKernel>, mip6::Error> open(boost::asio::io_context& loop,
                                                                      const mip6::Ipv6Address& home_agent,
                                                                      const std::string& interface);

  Result protect(const NodeTable& nodes) override;
  Result protect_one(const mip6::Ipv6Address& home_address, const NodeIdentity& node) override;
  Result release(const mip6::Ipv6Address& home_address, const NodeIdentity& node) override;
  Result delete_states(const mip6::Ipv6Address& home_address, const NodeIdentity& node) override;
  Result delete_all_states() override;
  tl::expected<std::set<std::uint32_t>, mip6::Error> reqids_with_states() override;
  Result install_manual(const mip6::Ipv6Address& home_address, std::uint32_t reqid,
                        const mnd::kernel::ManualKeys& keys) override;
  Result set_up_tunnel() override;
  Result listen(mnd::kernel::MobilitySocket::Received received,
                mnd::kernel::MobilitySocket::Received prefixes) override;
  std::uint64_t drops() const override { return socket_ ? socket_->drops() : 0; }
  Result refuse_strangers() override { return xfrm_.refuse_strangers(home_agent_); }
  Result admit_strangers() override { return xfrm_.admit_strangers(home_agent_); }
  std::uint64_t refused_by_policy() const override;
  Result watch_home_link(mnd::kernel::ClaimWatch::Claimed claimed) override;
  void take_waiting() override;
  void stop_listening() override;
  std::vector<mip6::Error> remove_all() override;

  Result bind(const mip6::Ipv6Address& home_address, const mip6::Ipv6Address& care_of) override;
  Result forget_care_of(const mip6::Ipv6Address& home_address, const mip6::Ipv6Address& care_of) override;
  Result unbind(const mip6::Ipv6Address& home_address, bool in_flight) override;
  Result intercept(const mip6::Ipv6Address& link_local) override { return tunnel_.intercept(link_local); }
  Result release(const mip6::Ipv6Address& link_local) override { return tunnel_.release(link_local); }
  std::vector<mnd::kernel::BoundCareOf> bound() const override { return tunnel_.bound(); }
  tl::expected<std::vector<mip6::Ipv6Address>, mip6::Error> intercepted() override { return tunnel_.intercepted(); }
  Result advertise(const mip6::Ipv6Address& address) override;
  Result route_through(const mip6::Ipv6Address& home_address, const mip6::Ipv6Address& care_of) override;
  Result route_straight(const mip6::Ipv6Address& home_address) override;
  Result send(std::span<const std::uint8_t> message, const mip6::Ipv6Address& destination, bool on_home_link) override;
  Result send_prefixes(std::span<const std::uint8_t> message, const mip6::Ipv6Address& home_address) override;
  Result start_dad(const mip6::Ipv6Address& home_address, bool link_local, int probes,
                   std::function<void(bool duplicate)> done) override;
  Result move_key_endpoint(const mip6::Ipv6Address& home_address, std::uint32_t reqid,
                           const mip6::Ipv6Address& remote) override;
  Result send_payload_to(const mip6::Ipv6Address& home_address, const mip6::Ipv6Address& remote) override;
  tl::expected<std::vector<std::uint32_t>, mip6::Error> state_spis(const mip6::Ipv6Address& home_address,
                                                                   std::uint32_t reqid) override;
  Result delete_states_except(const mip6::Ipv6Address& home_address, std::uint32_t reqid,
                              const std::vector<std::uint32_t>& kept,
                              const std::optional<std::vector<std::uint32_t>>& among = {}) override;
  ike::KeyPairUse look_up(const mip6::Ipv6Address& home_address, const ike::KeyPair& pair) override;
  Result close_inbound(const mip6::Ipv6Address& home_address, std::uint32_t spi) override;
  Result send_under(const mip6::Ipv6Address& home_address, std::uint32_t reqid, std::uint32_t spi) override;

 private:
  // One or two probes: `done` hears of the first duplicate, or of the last that found none.
  struct Detection {
    std::vector<std::unique_ptr<mnd::kernel::DadProbe>> probes;
    std::size_t waiting = 0;
    std::function<void(bool duplicate)> done;
  };

  LinuxKernel(boost::asio::io_context& loop, const mip6::Ipv6Address& home_agent, std::uint32_t interface,
              mnd::kernel::Xfrm xfrm, mnd::kernel::EspTunnel esp_tunnel, mnd::kernel::AgentTunnel tunnel);
  mnd::kernel::Ends ends(const mip6::Ipv6Address& home_address) const;
  Result remove_xfrm();
  std::uint32_t payload_reqid(const mip6::Ipv6Address& home_address) const;  // 0: its payload is not protected
  void probed(const mip6::Ipv6Address& home_address, bool duplicate);

  boost::asio::io_context& loop_;
  mip6::Ipv6Address home_agent_;
  std::uint32_t interface_;
  mnd::kernel::Xfrm xfrm_;
  mnd::kernel::EspTunnel esp_tunnel_;
  std::map<mip6::Ipv6Address, std::uint32_t> payload_reqids_;  // of the nodes whose payload is protected
  mnd::kernel::AgentTunnel tunnel_;
  std::unique_ptr<mnd::kernel::MobilitySocket> socket_;
  std::unique_ptr<mnd::kernel::MobilitySocket> prefix_socket_;
  std::unique_ptr<mnd::kernel::ClaimWatch> watch_;
  std::optional<mnd::kernel::Advertiser> advertiser_;
  std::map<mip6::Ipv6Address, Detection> detections_;  // that run, by home address
};

// What of the machine's set-up would keep a home agent from working (forwarding off, address missing), as errors with
// remedies; none of them ends the program.
std::vector<mip6::Error> check_machine(const mip6::Ipv6Address& address, const std::string& interface);

}  // namespace mip6ha
