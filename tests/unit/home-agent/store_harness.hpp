// A store in a folder, and a node with manual keys that a start looks at, for the home agent's tests.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "examples/home-agent/manual_keys.hpp"
#include "examples/home-agent/store.hpp"
#include "tests/catch.hpp"

namespace mip6ha {

inline std::unique_ptr<Store> opened(const std::filesystem::path& folder) {
  auto store = Store::open(folder);
  if (!store) FAIL(store.error().to_string());
  return std::move(*store);
}

inline NodeConfig with_new_keys(const std::string& name, const mip6::Ipv6Address& home_address) {
  NodeConfig node;
  node.name = name;
  node.home_address = home_address;
  node.manual_keys = *mnd::kernel::parse_manual_keys(*mnd::kernel::make_manual_keys(), "keys");
  return node;
}

// What a start of the home agent makes of the node; empty: it is served.
inline std::string judged(Store& store, const NodeConfig& node) {
  const auto objection = judge(store, node, !store.records()->empty());
  REQUIRE(objection);
  return std::string{*objection};
}

}  // namespace mip6ha
