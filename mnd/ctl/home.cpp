// mip6ctl home
#include "mnd/ctl/commands.hpp"

namespace mip6ctl {

int run_home(const Options& options) {
  return have_done(options, "home", "de-registered; to register again: mip6ctl resume");
}

}  // namespace mip6ctl
