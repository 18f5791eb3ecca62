// See config_uniqueness.hpp.
#include "examples/home-agent/config_uniqueness.hpp"

#include <fmt/format.h>

#include <variant>

namespace mip6ha {
namespace {

// Where the other section stands, for somebody who looks at this one.
std::string place(const Uniqueness::Section& other, const Uniqueness::Section& section) {
  return other.file == section.file ? fmt::format("[{}] in line {}", other.name, other.line)
                                    : fmt::format("[{}] in {}:{}", other.name, other.file, other.line);
}

}  // namespace

bool Uniqueness::check(std::string_view what, const std::string& value, const Section& section, Mistakes& mistakes,
                       std::string_view remedy) {
  const auto [other, fresh] = seen_.try_emplace(fmt::format("{} {}", what, value), &section);
  if (!fresh)
    mistakes.push_back({section.file, section.line,
                        fmt::format("{} '{}' is already that of {}", what, value, place(*other->second, section)),
                        remedy.empty() ? fmt::format("give every node a {} of its own", what) : std::string{remedy}});
  return fresh;
}

void Uniqueness::check_manual_keys(const NodeConfig& node, const Section& section, Mistakes& mistakes) {
  const auto* setting = section.find("manual-keys");
  if (!node.manual_keys || setting == nullptr) return;
  bool repeated = false;
  const Section* other = nullptr;
  for (const auto* sa : {&node.manual_keys->to_home_agent, &node.manual_keys->to_node})
    for (const auto* key : {&sa->encryption_key, &sa->integrity_key}) {
      const auto [known, fresh] = manual_keys_.try_emplace(*key, &section);
      repeated = repeated || !fresh;
      if (!fresh) other = known->second;
    }
  if (repeated)
    mistakes.push_back({setting->file, setting->line,
                        fmt::format("manual-keys: [{}] has a key of {}", section.name, place(*other, section)),
                        "give every node keys of its own: each of the two could pose as the other"});
  // The kernel finds an SA by its destination and SPI: towards the nodes the destinations differ.
  const std::uint32_t spi = node.manual_keys->to_home_agent.spi;
  if (const auto [known, fresh] = spis_.try_emplace(spi, &section); !fresh && !repeated)
    mistakes.push_back({setting->file, setting->line,
                        fmt::format("manual-keys: [{}] has the SPI {:#x} towards the home agent, as {}", section.name,
                                    spi, place(*known->second, section)),
                        "change it in the file, at the node too"});
}

void Uniqueness::check_secret(const NodeConfig& node, const Section& section, Mistakes& mistakes) {
  const auto* key = std::get_if<ike::PreSharedKey>(&node.proof);
  if (key == nullptr || key->secret.empty()) return;
  const auto [other, fresh] = secrets_.try_emplace(key->secret, &section);
  const auto* setting = section.find("secret-file");
  if (!fresh && setting != nullptr)
    mistakes.push_back(
        {setting->file, setting->line,
         fmt::format("secret-file: [{}] has the same secret as {}", section.name, place(*other->second, section)),
         "give every node a secret of its own: each of the two could pose as the other"});
}

}  // namespace mip6ha
