// The client's half of `mip6-ha export` and `import`: what a running home agent has copied becomes a file of the
// caller's, and the other way round. It need not be able to read or write the caller's files, and mostly is not.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

#include "libmip6/error.hpp"

namespace mip6ha {

// Moves the copy that the daemon's answer names ("file") to `file`, durably, mode 0600; one that is there is replaced.
// The answer that comes back names `file` and its size in "bytes". Errors: the copy cannot be read (only its owner
// may), `file` cannot be written.
tl::expected<nlohmann::json, mip6::Error> take_copy(const nlohmann::json& answer, const std::filesystem::path& file);

// Puts a copy of `backup` where the daemon's answer wants it ("place"), durably, mode 0600, and asks for it to be taken
// by `ask_again`; the answer that comes back names `backup` as "file". An error leaves nothing at that place.
tl::expected<nlohmann::json, mip6::Error> give_backup(
    const nlohmann::json& answer, const std::filesystem::path& backup,
    const std::function<tl::expected<nlohmann::json, mip6::Error>(const nlohmann::json& request)>& ask_again);

}  // namespace mip6ha
