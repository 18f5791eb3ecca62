// Mistakes of a configuration as they are told over a control socket and by --json.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>

#include "mnd/linux/config_file.hpp"

namespace mnd::kernel {

// [{file, line, what, remedy}], in their order.
nlohmann::json to_json(std::span<const ConfigMistake> mistakes);

}  // namespace mnd::kernel
