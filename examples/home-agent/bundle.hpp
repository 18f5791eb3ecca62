// What a laptop is given: its mnd.conf and its secret, as one tar archive to be unpacked in /etc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "examples/home-agent/config.hpp"

namespace mip6ha {

struct ArchivedFile {
  std::string name;  // below 100 characters
  std::string content;
  unsigned mode = 0;
};
// A tar archive (POSIX.1-1988, ustar) of files that belong to root. `written`: seconds since 1970.
std::string archive(const std::vector<ArchivedFile>& files, std::int64_t written);

// How a node proves itself.
enum class Method { kPreSharedKey, kCertificate, kManual };
std::string_view name_of(Method method);  // as in the options: "psk", "certificate", "manual"

// The node's mnd.conf. Some settings of our configuration the node needs as well: `own`, those of its section, if it
// has one, come before `top`, those that stand in no section.
std::string mnd_conf(const Config& config, const mnd::kernel::ConfigSection& top, const mnd::kernel::ConfigSection* own,
                     const NodeConfig& node, Method method);
// Where the node looks for it, beside its mnd.conf.
std::string_view secret_name(Method method);
// mnd/mnd.conf and mnd/SECRET.
std::string bundle(const std::string& conf, Method method, const std::string& secret, std::int64_t written);

}  // namespace mip6ha
