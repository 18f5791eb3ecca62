// What the control socket and the metrics both tell, as values: counted since the start, each refusal by its reason.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "libmip6/agent/home_agent.hpp"
#include "mnd/linux/kernel_counters.hpp"

namespace mip6ha {

using Counts = std::map<std::string, std::uint64_t, std::less<>>;

struct Figures {
  bool charon_connected = false;
  mip6::agent::Counters counters;
  Counts malformed;                                   // by reason
  std::map<std::string, std::uint64_t> keys_refused;  // by charon, to whoever asked; by reason
  mnd::kernel::KernelCounters kernel;                 // what no update of was ever seen here
  std::uint64_t socket_dropped = 0;                   // by the kernel, of messages for us
  Counts control_refused{};                           // at the control socket, by reason
  Counts metrics_refused{};                           // at the metrics' port, by reason
  std::uint64_t kernel_failures = 0;                  // calls that the kernel or the disk refused
};

}  // namespace mip6ha
