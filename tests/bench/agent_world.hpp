// A home agent of many nodes for the benches: core, performer and a real database, over a kernel that agrees at once.
#pragma once

#include <deque>
#include <filesystem>
#include <memory>
#include <vector>

#include "examples/home-agent/config.hpp"
#include "examples/home-agent/performer.hpp"
#include "examples/home-agent/store.hpp"
#include "ike-glue/agent_keying.hpp"
#include "libmip6/agent/home_agent.hpp"
#include "tests/agreeing_kernel.hpp"

namespace bench {

// On the disk that the present folder is on; gone with its end.
class DiskFolder {
 public:
  DiskFolder();
  ~DiskFolder();
  DiskFolder(const DiskFolder&) = delete;
  DiskFolder& operator=(const DiskFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class CountingKernel final : public mip6ha::AgreeingKernel<mip6ha::KernelPort> {
 public:
  std::uint64_t sent = 0;

  Result send(std::span<const std::uint8_t>, const Address&, bool) override {
    ++sent;
    return {};
  }
};

// The configuration of a home agent with `nodes` nodes, each with a secret of its own.
mip6ha::Config many_nodes(std::uint64_t nodes);
// Writes it as mip6-ha.conf into `folder`, each node with a file and a secret of its own, as `mip6-ha add` does; gives
// its path.
std::filesystem::path write_configuration(const mip6ha::Config& config, const std::filesystem::path& folder);

// What Agent makes at a start, in its order, without sockets; charon is connected, and says nothing.
class AgentWorld {
 public:
  // Opens the database in `folder` and takes up what is there; an error is an exception.
  AgentWorld(const std::filesystem::path& folder, mip6ha::Config config);

  // Updates that arrive together, one of each of the next `count` nodes in turn; true: all were acknowledged as
  // accepted.
  bool updates_arrive(std::uint64_t count);
  std::uint64_t bindings() const { return performer_->bound().size(); }

 private:
  mip6ha::NodeTable take_up_nodes();
  void make_keying();
  void take_up_bindings();
  void drain();
  void look_for_deadlines();

  mip6ha::Config config_;
  std::unique_ptr<mip6ha::Store> store_;
  CountingKernel kernel_;
  std::map<mip6::Ipv6Address, std::uint32_t> reqids_;
  std::set<mip6::Ipv6Address> numbers_known_;
  mip6::agent::ServedNodes served_;
  std::unique_ptr<mip6ha::Performer> performer_;
  std::unique_ptr<mip6::agent::HomeAgent> home_agent_;
  std::unique_ptr<ike::AgentKeying> keying_;
  std::deque<mip6::agent::Event> queue_;
  std::uint64_t moves_ = 0;
  std::uint64_t groups_ = 0;  // that wait to be stored
  mip6::BootTime now_{};
};

}  // namespace bench
