// What the home agent as a program needs of the kernel, beside what its performer does: LinuxKernel is the real one,
// tests pretend one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "examples/home-agent/kernel_port.hpp"
#include "examples/home-agent/performer.hpp"
#include "mnd/linux/manual_keys.hpp"
#include "mnd/linux/mobility_socket.hpp"
#include "mnd/linux/neighbour.hpp"

namespace mip6ha {

class AgentKernel : public KernelPort {
 public:
  using KernelPort::release;

  // Removes what a former process left, then requires ESP of every node. Before listen(), so that no update in the
  // clear ever gets through (RFC 6275 section 5.1).
  virtual Result protect(const NodeTable& nodes) = 0;
  // The same for one node, while others are served.
  virtual Result protect_one(const mip6::Ipv6Address& home_address, const NodeIdentity& node) = 0;
  // Policies and ESP states of one node go, each also if another could not be removed: the first error. After unbind().
  virtual Result release(const mip6::Ipv6Address& home_address, const NodeIdentity& node) = 0;
  // Its ESP states alone.
  virtual Result delete_states(const mip6::Ipv6Address& home_address, const NodeIdentity& node) = 0;
  // Those of all nodes, charon's and ours.
  virtual Result delete_all_states() = 0;
  // Reqids of nodes for which there is an ESP state. Looked for at once: each look costs as much as there are states.
  virtual tl::expected<std::set<std::uint32_t>, mip6::Error> reqids_with_states() = 0;
  virtual Result install_manual(const mip6::Ipv6Address& home_address, std::uint32_t reqid,
                                const mnd::kernel::ManualKeys& keys) = 0;
  virtual Result set_up_tunnel() = 0;
  // `prefixes`: hears Mobile Prefix Solicitations.
  virtual Result listen(mnd::kernel::MobilitySocket::Received received,
                        mnd::kernel::MobilitySocket::Received prefixes) = 0;
  // At its socket since then, see MobilitySocket.
  virtual std::uint64_t drops() const = 0;
  // Mobility messages that no node's policies are for come no further than the kernel, or as far as received() again.
  virtual Result refuse_strangers() = 0;
  virtual Result admit_strangers() = 0;
  // How many the kernel has refused by a policy, of all time; others' policies count as well.
  virtual std::uint64_t refused_by_policy() const = 0;
  // Hears what other hosts of the home link say is theirs.
  virtual Result watch_home_link(mnd::kernel::ClaimWatch::Claimed claimed) = 0;
  // Has all that waits in the sockets by now received, see MobilitySocket.
  virtual void take_waiting() = 0;
  virtual void stop_listening() = 0;
  // Everything of ours goes, each part also if another could not be removed.
  virtual std::vector<mip6::Error> remove_all() = 0;
};

// Opens the kernel for a home agent of this address on this interface. The loop must outlive it.
using OpenKernel = std::function<tl::expected<std::unique_ptr<AgentKernel>, mip6::Error>(
    boost::asio::io_context& loop, const mip6::Ipv6Address& home_agent, const std::string& interface)>;

}  // namespace mip6ha
