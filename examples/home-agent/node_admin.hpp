// What an operator does with nodes: they get address and secret, others, or go. Works on the configuration's files,
// with a running home agent and without one.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "examples/home-agent/bundle.hpp"
#include "examples/home-agent/node_list.hpp"
#include "libmip6/random.hpp"

namespace mip6ha {

// Asks a running home agent on its control socket; as ask_daemon().
using AskAgent = std::function<tl::expected<nlohmann::json, mip6::Error>(const std::filesystem::path& socket,
                                                                         const nlohmann::json& request)>;

struct Tools {
  mip6::Random& random;
  AskAgent ask;
};

struct NodeReport {
  std::string name;
  mip6::Ipv6Address home_address;
  std::string identity;  // empty: manual keys
  Method method = Method::kPreSharedKey;
  std::string mnd_conf;          // empty after remove
  std::filesystem::path secret;  // what else the node needs, if it is in a file here and in no bundle
  std::filesystem::path bundle;  // empty: none was written
};

struct Report {
  std::vector<NodeReport> nodes;
  bool agent_running = false;
  std::vector<std::string> notes;     // what is left to do
  std::optional<std::string> bundle;  // for the standard output; holds secrets
};

// Where bundles go.
struct Output {
  std::filesystem::path path;  // a file; of many nodes a folder, which gets NAME.tar; empty: nowhere
  bool standard = false;       // to Report::bundle
};

// All mistakes at once; a failure of the system is one without file.
using Outcome = tl::expected<Report, Mistakes>;

// Gives each its section nodes.d/NAME.conf and its secret, and tells a running home agent. All of them or none. Waits
// for other changes. `many`: the output is a folder.
Outcome add_nodes(const std::filesystem::path& config, const std::vector<WantedNode>& wanted, const Output& output,
                  bool many, const Tools& tools);
// A node that add_nodes() made goes, with its secret.
Outcome remove_node(const std::filesystem::path& config, const std::string& name, const Tools& tools);
// Such a node gets another secret, key or certificate, and the old one is worth nothing any more.
Outcome rotate_node(const std::filesystem::path& config, const std::string& name, const Output& output,
                    const Tools& tools);

}  // namespace mip6ha
