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

namespace {

std::string path_in(const json& answer, const char* member) {
  const auto named = answer.find(member);
  return named != answer.end() && named->is_string() ? named->get<std::string>() : "";
}

struct Wording {
  const char* tried;
  const char* if_missing;
  const char* if_broken;
};

tl::expected<std::string, Error> read_whole(const std::string& file, const Wording& words) {
  std::ifstream stream{file, std::ios::binary};
  if (!stream) return tl::unexpected(mnd::kernel::os_error(errno, words.tried, file, words.if_missing));
  std::ostringstream content;
  content << stream.rdbuf();
  if (!stream || !content || content.view().empty())
    return tl::unexpected(mnd::kernel::os_error(EIO, words.tried, file, words.if_broken));
  return std::move(content).str();
}

}  // namespace

tl::expected<json, Error> take_copy(const json& answer, const std::filesystem::path& file) {
  const std::string copy = path_in(answer, "file");
  const auto content = read_whole(copy, {"read the home agent's copy", "export as root", "export once more"});
  if (!content) return tl::unexpected(content.error());
  if (auto written = mnd::kernel::replace_durably(file, *content); !written) return tl::unexpected(written.error());
  ::unlink(copy.c_str());
  json taken = answer;
  taken["file"] = file.string();
  taken["bytes"] = content->size();
  return taken;
}

tl::expected<json, Error> give_backup(const json& answer, const std::filesystem::path& backup,
                                      const std::function<tl::expected<json, Error>(const json& request)>& ask_again) {
  const auto content = read_whole(backup.string(), {"read the backup", "name a file that mip6-ha export has written",
                                                    "this is no backup: import another one"});
  if (!content) return tl::unexpected(content.error());
  const std::string place = path_in(answer, "place");
  if (auto written = mnd::kernel::replace_durably(place, *content); !written) return tl::unexpected(written.error());
  auto done = ask_again({{"command", "import"}, {"placed", true}});
  ::unlink(place.c_str());
  if (done) (*done)["file"] = backup.string();
  return done;
}

}  // namespace mip6ha
