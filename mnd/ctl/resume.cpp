// mip6ctl resume
#include "mnd/ctl/commands.hpp"

namespace mip6ctl {

int run_resume(const Options& options) { return have_done(options, "resume", "goes on"); }

}  // namespace mip6ctl
