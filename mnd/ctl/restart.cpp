// mip6ctl restart
#include "mnd/ctl/next_start.hpp"

namespace mip6ctl {

int run_restart(const Options& options) {
  return have_started(options, "restart", [](const json&) -> std::string { return "mnd has started again\n"; });
}

}  // namespace mip6ctl
