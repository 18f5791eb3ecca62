// A failed system call as an Error value.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "libmip6/error.hpp"

namespace mnd::kernel {

// `number` is errno; take it before anything else is called.
inline mip6::Error os_error(int number, std::string tried, std::string on, std::string remedy = {}) {
  return {.tried = std::move(tried),
          .on = std::move(on),
          .reason = {},  // Error::to_string() adds the system's words
          .remedy = std::move(remedy),
          .os_error = number};
}

// What helps who may not read a file of ours, which the group reads, be it a user or the daemon; `otherwise` is for who
// may read all of them.
inline std::string remedy_for_reading(int number, std::string otherwise) {
  if ((number != EACCES && number != EPERM) || ::geteuid() == 0) return otherwise;
  return "run this as root or as a member of the group mnd, to which the file belongs: chgrp mnd FILE; chmod 640 FILE";
}

}  // namespace mnd::kernel
