// The client's half of `mip6-ha export`: what a running home agent has copied becomes a file of the caller's.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

#include "libmip6/error.hpp"

namespace mip6ha {

// Moves the copy that the daemon's answer names ("file") to `file`, durably, mode 0600; one that is there is replaced.
// The answer that comes back names `file` and its size in "bytes". Errors: the copy cannot be read (only its owner
// may), `file` cannot be written.
tl::expected<nlohmann::json, mip6::Error> take_copy(const nlohmann::json& answer, const std::filesystem::path& file);

}  // namespace mip6ha
