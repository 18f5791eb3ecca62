// Memory with secrets in it stays in memory.
#pragma once

#include <tl/expected.hpp>

#include "libmip6/error.hpp"

namespace mnd::kernel {

// No core file of this process, whatever kernel.core_pattern says, and nobody but root looks into it. Before the first
// secret is read.
tl::expected<void, mip6::Error> keep_memory_secret();

}  // namespace mnd::kernel
