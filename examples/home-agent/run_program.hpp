// Another program as a function: what it reads, what it writes.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "libmip6/error.hpp"

namespace mip6ha {

// Runs words.front(), looked up in PATH, with `input` (at most 16 KiB) on its standard input, and returns what it wrote
// to its standard output. Arguments are seen by everybody on the machine: no secret may be among them. Errors: it is
// not there, `package` has it; it failed, with the last line that it wrote to standard error.
tl::expected<std::string, mip6::Error> run_program(const std::vector<std::string>& words, std::string_view input,
                                                   std::string_view package);

}  // namespace mip6ha
