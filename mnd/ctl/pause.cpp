// mip6ctl pause
#include "mnd/ctl/commands.hpp"

namespace mip6ctl {

int run_pause(const Options& options) {
  return have_done(options, "pause", "stays on the present link; to go on: mip6ctl resume");
}

}  // namespace mip6ctl
