// mip6ctl refresh
#include "mnd/ctl/commands.hpp"

namespace mip6ctl {

int run_refresh(const Options& options) {
  return have_done(options, "refresh", "registering again; 'mip6ctl status' tells how it went");
}

}  // namespace mip6ctl
