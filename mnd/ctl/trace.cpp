// mip6ctl trace
#include "mnd/ctl/commands.hpp"

namespace mip6ctl {

int run_trace(const Options& options) { return show(options, "trace", render_trace); }

}  // namespace mip6ctl
