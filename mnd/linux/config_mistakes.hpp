// Mistakes of a configuration: what was meant, and as they are told over a control socket and by --json.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

#include "mnd/linux/config_file.hpp"

namespace mnd::kernel {

// [{file, line, what, remedy}], in their order.
nlohmann::json to_json(std::span<const ConfigMistake> mistakes);

// The one of `keys` that is likely meant by an unknown one; empty: none is like it.
std::string nearest_key(std::string_view key, std::span<const std::string_view> keys);

}  // namespace mnd::kernel
