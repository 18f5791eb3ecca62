// See node_list.hpp.
#include "examples/home-agent/node_list.hpp"

#include <fmt/format.h>

#include <map>
#include <utility>

namespace mip6ha {
namespace {

constexpr std::string_view kForm = "write NAME,ADDRESS,METHOD; address and method may be left out";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  for (;;) {
    const auto comma = line.find(',');
    fields.push_back(trimmed(line.substr(0, comma)));
    if (comma == std::string_view::npos) return fields;
    line.remove_prefix(comma + 1);
  }
}

}  // namespace

std::optional<Method> method_of(std::string_view name) {
  for (const auto method : {Method::kPreSharedKey, Method::kCertificate, Method::kManual})
    if (name == name_of(method)) return method;
  return std::nullopt;
}

tl::expected<std::vector<WantedNode>, Mistakes> parse_nodes(std::string_view text, const std::string& file,
                                                            Method method) {
  std::vector<WantedNode> nodes;
  Mistakes mistakes;
  std::map<std::string, int> lines;
  int number = 0;
  const auto mistake = [&](std::string what, std::string remedy) {
    mistakes.push_back({file, number, std::move(what), std::move(remedy)});
  };
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = trimmed(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    ++number;
    if (line.empty() || line.front() == '#') continue;
    const auto fields = fields_of(line);
    if (nodes.empty() && mistakes.empty() && fields.front() == "name" && fields.size() > 1 && fields[1] == "address")
      continue;
    WantedNode node{.name = std::string{fields.front()}, .method = method, .file = file, .line = number};
    if (fields.size() > 3) mistake(fmt::format("{} fields", fields.size()), std::string{kForm});
    if (const auto [known, fresh] = lines.try_emplace(node.name, number); !fresh)
      mistake(fmt::format("'{}' stands in line {} already", node.name, known->second), "give every node its own name");
    if (fields.size() > 1 && !fields[1].empty()) {
      node.address = mip6::Ipv6Address::parse(fields[1]);
      if (!node.address) mistake(fmt::format("'{}' is not an IPv6 address", fields[1]), std::string{kForm});
    }
    if (fields.size() > 2 && !fields[2].empty()) {
      const auto named = method_of(fields[2]);
      if (!named) mistake(fmt::format("'{}' is no method", fields[2]), "write psk, certificate or manual");
      node.method = named.value_or(method);
    }
    nodes.push_back(std::move(node));
  }
  if (nodes.empty() && mistakes.empty()) mistake("the table names no node", std::string{kForm});
  if (!mistakes.empty()) return tl::unexpected(std::move(mistakes));
  return nodes;
}

}  // namespace mip6ha
