// A failed system call as an Error value.
#pragma once

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

}  // namespace mnd::kernel
