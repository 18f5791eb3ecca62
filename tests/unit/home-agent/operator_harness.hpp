// A home agent's folder as `init` leaves it, and what an operator does in it.
#pragma once

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "examples/home-agent/init.hpp"
#include "examples/home-agent/node_admin.hpp"
#include "examples/home-agent/run_program.hpp"
#include "mnd/linux/system_random.hpp"
#include "tests/catch.hpp"
#include "tests/unit/temporary_folder.hpp"

namespace mip6ha {

struct Operator {
  TemporaryFolder folder;
  std::filesystem::path config = folder / "mip6-ha/mip6-ha.conf";
  std::filesystem::path nodes = folder / "mip6-ha/nodes.d";
  mnd::kernel::SystemRandom random;
  // The running home agent: what it was asked, and what it answers; by default none runs.
  std::vector<nlohmann::json> asked;
  tl::expected<nlohmann::json, mip6::Error> answer = tl::unexpected(mip6::Error{.os_error = ENOENT});

  Operator() {
    REQUIRE(init({.config = config,
                  .prefix = "2001:db8:1::/64",
                  .interface = "home",
                  .address = {},
                  .force = false,
                  .mend = false}));
    std::ofstream{config, std::ios::app} << "state-directory = " << (folder / "state").string()
                                         << "\ncontrol-socket = " << (folder / "control").string() << '\n';
  }

  Tools tools() {
    return {random, [this](const std::filesystem::path&, const nlohmann::json& request) {
              asked.push_back(request);
              return answer;
            }};
  }
  Outcome add(const WantedNode& wanted, const std::string& out = {}) {
    return add_nodes(config, {wanted}, {.path = out.empty() ? out : (folder / out).string()}, false, tools());
  }
  Outcome rotate(const std::string& name, const std::string& out = {}) {
    return rotate_node(config, name, {.path = out.empty() ? out : (folder / out).string()}, tools());
  }
  Outcome remove(const std::string& name) { return remove_node(config, name, tools()); }
  Config loaded() const {
    auto read = load_config(config);
    if (!read) FAIL(read.error().front().to_string());
    return std::move(*read);
  }
  // Unpacks a bundle as a laptop does; the folder.
  std::filesystem::path unpacked(const std::string& bundle, const std::string& where) const {
    std::filesystem::create_directories(folder / where);
    const auto done =
        run_program({"tar", "-C", (folder / where).string(), "-xf", (folder / bundle).string()}, {}, "tar");
    if (!done) FAIL(done.error().to_string());
    return folder / where / "mnd";
  }
  // All files in the folder, relative to it.
  std::vector<std::string> files() const {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator{folder.path()})
      if (entry.is_regular_file()) all.push_back(entry.path().lexically_relative(folder.path()).string());
    std::sort(all.begin(), all.end());
    return all;
  }
};

inline std::string content(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream{path, std::ios::binary}.rdbuf();
  return text.str();
}
inline unsigned mode(const std::filesystem::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}
// True if `text` has all of the parts in it.
template <typename... Parts>
bool has(const std::string& text, const Parts&... parts) {
  UNSCOPED_INFO(text);
  return ((text.find(parts) != std::string::npos) && ...);
}
// The one mistake's words and remedy.
inline std::string refusal(const Outcome& outcome) {
  if (outcome) return "not refused";
  CHECK(outcome.error().size() == 1);
  CHECK_FALSE(outcome.error().front().remedy.empty());
  return outcome.error().front().to_string();
}

}  // namespace mip6ha
