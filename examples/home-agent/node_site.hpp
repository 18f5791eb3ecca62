// A home agent's configuration with its folder, as the commands that change it see it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "examples/home-agent/authority.hpp"
#include "examples/home-agent/bundle.hpp"
#include "examples/home-agent/config.hpp"
#include "examples/home-agent/file_change.hpp"

namespace mip6ha {

using mnd::kernel::ConfigMistake;

// For the operator, about no line of a file.
ConfigMistake told(std::string what, std::string remedy);
ConfigMistake told(mip6::Error error);

// What an operator typed, for a message: cut, and without control characters.
std::string printable(std::string_view text);

struct KnownNode {
  NodeConfig node;
  Method method = Method::kPreSharedKey;
  std::filesystem::path kept;  // secret, keys or certificate
};

struct Site {
  std::filesystem::path path;  // absolute
  mnd::kernel::ConfigContent content;
  mnd::kernel::ConfigSection top;  // all settings that stand in no section
  Config config;
  Authority authority;

  std::filesystem::path section_file(const std::string& name) const;
  const mnd::kernel::ConfigSection* section(const std::string& name) const;  // of a node; nullptr: there is none
  // Where the secret, the manual keys or the certificate of a node are kept.
  std::filesystem::path kept(const std::string& name, Method method) const;
  // A node that was made by command. The mistake: there is none, or its section or its secret, keys or certificate are
  // not where `add` puts them.
  tl::expected<KnownNode, ConfigMistake> find(const std::string& name) const;
  // Nodes with certificates need one of ours, and an authority that made it.
  Mistakes prepare_certificates(FileChange& change);
};

// Waits for other changes, and reads the configuration. Makes the folder of nodes if there is none.
tl::expected<std::pair<Site, FileChange>, Mistakes> open_site(const std::filesystem::path& config);

}  // namespace mip6ha
