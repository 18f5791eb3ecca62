// Settings to values. Every mistake is collected, so that a user mends a file in one go.
#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <system_error>
#include <utility>

#include "examples/home-agent/config_reader.hpp"
#include "examples/home-agent/config_uniqueness.hpp"
#include "examples/home-agent/kernel_port.hpp"
#include "libmip6/wire/prefix_information.hpp"

namespace mip6ha {
namespace {

std::optional<mip6::Lifetime> read_seconds(Reader& reader, std::string_view key, long most,
                                           std::string_view kind = "a lifetime") {
  const ConfigSetting* setting = reader.find(key);
  if (setting == nullptr) return std::nullopt;
  long seconds = 0;
  const char* end = setting->value.data() + setting->value.size();
  const auto parsed = std::from_chars(setting->value.data(), end, seconds);
  if (parsed.ec == std::errc{} && parsed.ptr == end && seconds >= 4 && seconds <= most) return mip6::Lifetime{seconds};
  reader.mistake(*setting, fmt::format("is not {}", kind),
                 fmt::format("write seconds from 4 to {}, such as 3600", most));
  return std::nullopt;
}

void read_key_mobility(Reader& reader, Config& config) {
  const ConfigSetting* setting = reader.find("key-mobility");
  if (setting == nullptr) return;
  if (setting->value != "yes" && setting->value != "no")
    reader.mistake(*setting, "is neither yes nor no", "write key-mobility = yes or key-mobility = no");
  else
    config.key_mobility = setting->value == "yes";
}

void read_protect(Reader& reader, bool& payload) {
  const ConfigSetting* setting = reader.find("protect");
  if (setting == nullptr) return;
  if (setting->value != "payload" && setting->value != "signalling")
    reader.mistake(*setting, "is neither payload nor signalling", "write protect = payload or protect = signalling");
  else
    payload = setting->value == "payload";
}

void read_node_protection(Reader& reader, const Config& config, NodeConfig& node) {
  node.protect_payload = config.protect_payload;
  read_protect(reader, node.protect_payload);
  const ConfigSetting* manual = reader.find("manual-keys");
  if (manual == nullptr || !node.protect_payload) return;
  const ConfigSetting* own = reader.find("protect");
  reader.refuse(own != nullptr ? *own : *manual,
                {.reason = "manual keys protect the Mobility Header only, and payload is to be protected",
                 .remedy = "write protect = signalling in this section, or secret-file in place of manual-keys"});
}

void read_discovery(Reader& reader, Config& config) {
  if (const ConfigSetting* setting = reader.find("discovery")) {
    if (setting->value != "yes" && setting->value != "no")
      reader.mistake(*setting, "is neither yes nor no", "write discovery = yes or discovery = no");
    config.discovery = setting->value != "no";
  }
  const ConfigSetting* setting = reader.find("preference");
  if (setting == nullptr) return;
  const char* end = setting->value.data() + setting->value.size();
  const auto parsed = std::from_chars(setting->value.data(), end, config.preference);
  if (parsed.ec != std::errc{} || parsed.ptr != end)
    reader.mistake(*setting, "is not a preference",
                   "write a number from 0 to 65535, the HomeAgentPreference of radvd.conf");
}

void read_next_prefix(Reader& reader, Config& config) {
  const auto* setting = reader.find("next-prefix");
  if (setting == nullptr) return;
  config.next_prefix = Ipv6Prefix::parse(setting->value);
  if (!config.next_prefix || config.next_prefix->length == 0 || config.next_prefix->length > 127)
    reader.mistake(*setting, "is not the prefix of a link", "write it as 2001:db8:2::/64");
  else if (config.prefix.length > 0 && config.prefix.contains(config.next_prefix->address))
    reader.mistake(*setting, "is in the present prefix", "write the prefix that is to follow it");
  else if (config.prefix.length > 0 && config.next_prefix->contains(config.prefix.address))
    reader.mistake(*setting, "has the present prefix in it", "write the prefix that is to follow it");
}

// MinMobPfxAdvInterval and MaxMobPfxAdvInterval (RFC 6275 section 13).
void read_prefix_intervals(Reader& reader, Config& config) {
  const auto most = mip6::Lifetime{std::chrono::days{49}}.count();
  config.min_prefix_interval =
      read_seconds(reader, "min-prefix-interval", most, "an interval").value_or(config.min_prefix_interval);
  config.max_prefix_interval =
      read_seconds(reader, "max-prefix-interval", most, "an interval").value_or(config.max_prefix_interval);
  if (config.min_prefix_interval <= config.max_prefix_interval) return;
  const auto* setting = reader.find("min-prefix-interval");
  reader.mistake(setting != nullptr ? *setting : *reader.find("max-prefix-interval"),
                 "leaves no time between the two intervals",
                 fmt::format("write max-prefix-interval = {} or more", config.min_prefix_interval.count()));
}

void read_home_link(Reader& reader, Config& config) {
  if (const auto* setting = reader.require("interface", "home")) {
    if (setting->value.empty() || setting->value.size() >= IFNAMSIZ || setting->value.find('/') != std::string::npos)
      reader.mistake(*setting, "is not an interface name", "write the name of the home link's interface (ip link)");
    config.interface = setting->value;
  }
  const auto* setting = reader.require("prefix", "2001:db8:1::/64");
  if (setting == nullptr) return;
  const auto prefix = Ipv6Prefix::parse(setting->value);
  if (!prefix || prefix->length == 0 || prefix->length > 127)
    reader.mistake(*setting, "is not the prefix of a link", "write it as 2001:db8:1::/64");
  else
    config.prefix = *prefix;
}

// True if the address can be compared with the prefix, and lies outside.
bool outside(const Config& config, const Ipv6Address& address) {
  return config.prefix.length > 0 && !config.prefix.contains(address);
}

void read_top(const ConfigSection& section, Config& config, Mistakes& mistakes) {
  Reader reader{section, mistakes};
  read_home_link(reader, config);
  if (const auto* setting = reader.require("address", "2001:db8:1::1")) {
    const auto address = reader.address(*setting, "2001:db8:1::1");
    if (address && outside(config, *address))
      reader.mistake(*setting, fmt::format("is outside the prefix {}", config.prefix.to_string()),
                     "a home agent has an address on the home link: correct address or prefix");
    if (address) config.address = *address;
  }
  config.identity = reader.identity().value_or(config.address.to_string());
  read_certificate(reader, config);
  read_keying_defaults(reader);
  read_key_mobility(reader, config);
  read_protect(reader, config.protect_payload);
  config.lifetime = read_seconds(reader, "lifetime", mip6::kMaxLifetime.count()).value_or(config.lifetime);
  read_discovery(reader, config);
  read_next_prefix(reader, config);
  config.prefix_lifetime = read_seconds(reader, "prefix-lifetime", mip6::kInfiniteLifetime.count() - 1);
  read_prefix_intervals(reader, config);
  config.vici_socket = reader.path("vici-socket").value_or(config.vici_socket);
  config.control_socket = reader.path("control-socket").value_or(config.control_socket);
  config.state_directory = reader.path("state-directory").value_or(config.state_directory);
  read_watch(reader, config);
  reader.refuse_unknown();
}

NodeConfig read_node(const ConfigSection& section, const Config& config, const ConfigSection& top, Mistakes& mistakes) {
  NodeConfig node;
  node.name = section.argument;
  if (!is_node_name(node.name))
    mistakes.push_back({section.file, section.line, fmt::format("'{}' is not a node's name", section.argument),
                        fmt::format("write [node NAME] with 1 to {} of a-z, 0-9 and -", kMaxNodeName)});
  Reader reader{section, mistakes};
  if (const auto* setting = reader.require("home-address", "2001:db8:1::42")) {
    const auto address = reader.address(*setting, "2001:db8:1::42");
    if (address && config.prefix.length > 0 && config.prefix_of(*address) == nullptr)
      reader.mistake(*setting,
                     fmt::format("is outside the prefix {}{}", config.prefix.to_string(),
                                 config.next_prefix ? " and the next one " + config.next_prefix->to_string() : ""),
                     "give the node an address of the home link's prefix");
    if (address && *address == config.address)
      reader.mistake(*setting, "is the home agent's own address", "give the node an address of its own");
    if (address) node.home_address = *address;
  }
  if (reader.find("manual-keys") != nullptr) {
    read_manual_keys(reader, node, mistakes);
  } else {
    node.identity = reader.identity().value_or(node.home_address.to_string());
    read_proof(reader, config, top.find("certificate") != nullptr, node);
    read_keying(reader, top, node);
  }
  read_node_protection(reader, config, node);
  reader.refuse_unknown();
  return node;
}

}  // namespace

const mip6::Ipv6Prefix* Config::prefix_of(const Ipv6Address& home_address) const {
  if (prefix.contains(home_address)) return &prefix;
  return next_prefix && next_prefix->contains(home_address) ? &*next_prefix : nullptr;
}

bool is_node_name(std::string_view name) {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !name.empty() && name.size() <= kMaxNodeName && std::all_of(name.begin(), name.end(), allowed);
}

tl::expected<Config, Mistakes> check_config(const mnd::kernel::ConfigContent& content, const std::string& file,
                                            NoNode none) {
  Config config;
  Mistakes mistakes = content.mistakes;
  const auto& sections = content.sections;
  // A file that cannot be read would seem to lack everything.
  if (std::any_of(mistakes.begin(), mistakes.end(), [](const auto& mistake) { return mistake.line == 0; }))
    return tl::unexpected(std::move(mistakes));
  // Sections of one name may come from several files: the settings at the top are read as one.
  ConfigSection top{.name = {}, .kind = {}, .argument = {}, .file = file, .line = 0, .settings = {}};
  for (const auto& section : sections)
    if (section.name.empty()) top.settings.insert(top.settings.end(), section.settings.begin(), section.settings.end());
  read_top(top, config, mistakes);

  config.nodes.reserve(sections.size());  // they stay as long as we run, with nothing behind the last one
  Uniqueness uniqueness;
  for (const auto& section : sections) {
    if (section.name.empty()) continue;
    if (section.kind != "node") {
      mistakes.push_back(
          {section.file, section.line, fmt::format("no such section: [{}]", section.name), "known is: [node NAME]"});
      continue;
    }
    NodeConfig node = read_node(section, config, top, mistakes);
    doubt_secret(section, node, config.warnings);
    uniqueness.check("name", node.name, section, mistakes);
    uniqueness.check_secret(node, section, mistakes);
    uniqueness.check_manual_keys(node, section, mistakes);
    if (!node.home_address.is_unspecified()) {
      if (uniqueness.check("home address", node.home_address.to_string(), section, mistakes))
        uniqueness.check("link-local address", link_local_of(node.home_address).to_string(), section, mistakes,
                         "give one of them a home address with another interface identifier (its last 64 bits)");
      if (!node.identity.empty()) uniqueness.check("identity", node.identity, section, mistakes);
      if (node.identity == config.identity && node.home_address != config.address)
        mistakes.push_back({section.file, section.line,
                            fmt::format("identity '{}' is the home agent's own", node.identity),
                            "give the node an identity of its own"});
    }
    config.nodes.push_back(std::move(node));
  }
  if (config.nodes.empty() && none == NoNode::kMistake)
    mistakes.push_back({file, 0, "no node is served", "add a section [node NAME] with home-address and secret-file"});
  if (!mistakes.empty()) return tl::unexpected(std::move(mistakes));
  return config;
}

std::filesystem::path nodes_folder(const std::filesystem::path& config) { return config.parent_path() / "nodes.d"; }

mnd::kernel::ConfigContent read_content(const std::filesystem::path& path) {
  auto all = mnd::kernel::read_config_content(path);
  std::error_code error;
  if (!std::filesystem::exists(path, error) && !error)
    for (auto& mistake : all.mistakes)
      if (mistake.file == path.string())
        mistake.remedy = "write it with mip6-ha init --prefix PREFIX --interface INTERFACE; see mip6-ha(8)";
  auto nodes = mnd::kernel::read_config_folder(nodes_folder(path));
  std::move(nodes.mistakes.begin(), nodes.mistakes.end(), std::back_inserter(all.mistakes));
  for (auto& section : nodes.sections) {
    // One of many files must not change what holds for all.
    if (section.name.empty())
      for (const auto& setting : section.settings)
        all.mistakes.push_back({setting.file, setting.line, fmt::format("{}: stands outside a section", setting.key),
                                fmt::format("write it below [node NAME], or into {}", path.string())});
    else
      all.sections.push_back(std::move(section));
  }
  return all;
}

tl::expected<Config, Mistakes> load_config(const std::filesystem::path& path) {
  std::error_code none;
  const bool by_command = std::filesystem::is_directory(nodes_folder(path), none);
  return check_config(read_content(path), path.string(), by_command ? NoNode::kFine : NoNode::kMistake);
}

}  // namespace mip6ha
