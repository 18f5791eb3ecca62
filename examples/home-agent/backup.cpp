#include "examples/home-agent/backup.hpp"

#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>

#include "mnd/linux/durable_file.hpp"
#include "mnd/linux/os_error.hpp"

namespace mip6ha {

using mip6::Error;
using nlohmann::json;

tl::expected<json, Error> take_copy(const json& answer, const std::filesystem::path& file) {
  const auto named = answer.find("file");
  const std::string copy = named != answer.end() && named->is_string() ? named->get<std::string>() : "";
  std::ifstream stream{copy, std::ios::binary};
  if (!stream)
    return tl::unexpected(mnd::kernel::os_error(errno, "read the home agent's copy", copy, "export as root"));
  std::ostringstream content;
  content << stream.rdbuf();
  if (!stream || !content || content.view().empty())
    return tl::unexpected(mnd::kernel::os_error(EIO, "read the home agent's copy", copy, "export once more"));
  if (auto written = mnd::kernel::replace_durably(file, content.view()); !written)
    return tl::unexpected(written.error());
  ::unlink(copy.c_str());
  json taken = answer;
  taken["file"] = file.string();
  taken["bytes"] = content.view().size();
  return taken;
}

}  // namespace mip6ha
