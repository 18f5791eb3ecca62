// The nodes that an operator asks for: one on the command line, or many in a table.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "examples/home-agent/bundle.hpp"
#include "examples/home-agent/config.hpp"

namespace mip6ha {

struct WantedNode {
  std::string name;
  std::optional<mip6::Ipv6Address> address{};  // empty: any that is free
  Method method = Method::kPreSharedKey;
  std::string identity{};  // empty: the home address
  std::string file{};      // where that is written; empty: on the command line
  int line = 0;
};

// "psk", "certificate" or "manual".
std::optional<Method> method_of(std::string_view name);

// Lines NAME[,ADDRESS[,METHOD]]; blank ones, comments (#) and a headline "name,address,method" are skipped. A field
// that is empty or missing: any address; `method`. All mistakes at once, those of one name twice too.
tl::expected<std::vector<WantedNode>, Mistakes> parse_nodes(std::string_view text, const std::string& file,
                                                            Method method);

}  // namespace mip6ha
