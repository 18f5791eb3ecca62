// See secrecy.hpp.
#include "mnd/linux/secrecy.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>

#include "mnd/linux/os_error.hpp"

namespace mnd::kernel {

// Both: a core pattern that is a pipe ignores the limit, and what a later exec() makes dumpable again keeps it.
tl::expected<void, mip6::Error> keep_memory_secret() {
  const rlimit none{.rlim_cur = 0, .rlim_max = 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0 || ::prctl(PR_SET_DUMPABLE, 0) != 0)
    return tl::unexpected(os_error(errno, "forbid core files", "this process", "report this as a bug"));
  return {};
}

}  // namespace mnd::kernel
