// mip6ctl sequence
#include "mnd/ctl/commands.hpp"

namespace mip6ctl {

int run_sequence(const Options& options) { return show(options, "sequence", render_sequence); }

}  // namespace mip6ctl
