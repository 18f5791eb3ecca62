// See node_site.hpp.
#include "examples/home-agent/node_site.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "mnd/linux/os_error.hpp"

namespace mip6ha {

using mip6::Error;

ConfigMistake told(std::string what, std::string remedy) {
  return {.file = "mip6-ha", .line = 0, .what = std::move(what), .remedy = std::move(remedy)};
}

ConfigMistake told(Error error) {
  auto remedy = std::exchange(error.remedy, {});
  return told(error.to_string(), std::move(remedy));
}

std::string printable(std::string_view text) {
  constexpr std::size_t kMost = 60;
  std::string shown{text.substr(0, kMost)};
  std::replace_if(
      shown.begin(), shown.end(), [](char one) { return one < 0x20 || one == 0x7f; }, '?');
  return shown;
}

std::filesystem::path Site::section_file(const std::string& name) const {
  return nodes_folder(path) / (name + ".conf");
}

std::filesystem::path Site::kept(const std::string& name, Method method) const {
  constexpr std::string_view kEndings[]{".secret", ".crt", ".keys"};
  return nodes_folder(path) / (name + std::string{kEndings[static_cast<std::size_t>(method)]});
}

const mnd::kernel::ConfigSection* Site::section(const std::string& name) const {
  const auto found = std::find_if(content.sections.begin(), content.sections.end(),
                                  [&](auto& one) { return one.kind == "node" && one.argument == name; });
  return found == content.sections.end() ? nullptr : &*found;
}

tl::expected<KnownNode, ConfigMistake> Site::find(const std::string& name) const {
  const auto node = std::find_if(config.nodes.begin(), config.nodes.end(), [&](auto& one) { return one.name == name; });
  const auto* section = this->section(name);
  if (node == config.nodes.end() || section == nullptr)
    return tl::unexpected(told(fmt::format("there is no node {}", printable(name)), "mip6-ha list names them all"));
  const auto by_hand = [&] {
    return tl::unexpected(ConfigMistake{section->file, section->line,
                                        fmt::format("[{}] was not made by mip6-ha add", section->name),
                                        "change it by hand, and then: mip6-ha reload"});
  };
  const auto file = section_file(name).string();
  const auto together = std::count_if(content.sections.begin(), content.sections.end(),
                                      [&](auto& one) { return one.file == section->file && !one.name.empty(); });
  if (section->file != file || together != 1) return by_hand();
  auto method = Method::kCertificate;
  const auto* proof = section->find("certificate");
  if (const auto* secret = section->find("secret-file")) {
    method = Method::kPreSharedKey;
    proof = secret;
  } else if (const auto* keys = section->find("manual-keys")) {
    method = Method::kManual;
    proof = keys;
  }
  // What is kept elsewhere is somebody's own.
  if (proof == nullptr || proof->value != kept(name, method)) return by_hand();
  return KnownNode{.node = *node, .method = method, .kept = proof->value};
}

Mistakes Site::prepare_certificates(FileChange& change) {
  const auto* setting = top.find("certificate");
  if (setting != nullptr && setting->value != authority.agent_file())
    return {ConfigMistake{setting->file, setting->line, "the home agent's certificate comes from another authority",
                          "make the node's certificate there, and write its section by hand"}};
  if (const auto made = authority.make(change, config.identity, config.address.to_string()); !made)
    return {told(made.error())};
  if (setting != nullptr) return {};
  auto folder = path;
  folder += ".d";
  if (::mkdir(folder.c_str(), 0750) != 0 && errno != EEXIST)
    return {told(mnd::kernel::os_error(errno, "make the folder " + folder.string(), {}, "do it as root"))};
  change.create(folder / "certificate.conf",
                fmt::format("# by mip6-ha add --certificate\ncertificate = {}\n", authority.agent_file().string()),
                0640);
  return {};
}

tl::expected<std::pair<Site, FileChange>, Mistakes> open_site(const std::filesystem::path& config) {
  std::error_code error;
  const auto path = std::filesystem::absolute(config, error).lexically_normal();
  const auto nodes = nodes_folder(path);
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    return tl::unexpected(
        Mistakes{told(mnd::kernel::os_error(errno, "read the configuration " + path.string(), {},
                                            "write one with: mip6-ha init --prefix PREFIX --interface INTERFACE"))});
  if (::mkdir(nodes.c_str(), 0750) != 0 && errno != EEXIST)
    return tl::unexpected(
        Mistakes{told(mnd::kernel::os_error(errno, "make the folder " + nodes.string(), {}, "do it as root"))});
  auto change = FileChange::begin(nodes);
  if (!change) return tl::unexpected(Mistakes{told(change.error())});
  Site site{
      .path = path, .content = read_content(path), .top = {}, .config = {}, .authority = Authority{path.parent_path()}};
  auto checked = check_config(site.content, path.string(), NoNode::kFine);
  if (!checked) return tl::unexpected(std::move(checked.error()));
  site.config = std::move(*checked);
  for (const auto& section : site.content.sections)
    if (section.name.empty())
      std::copy(section.settings.begin(), section.settings.end(), std::back_inserter(site.top.settings));
  return std::pair{std::move(site), std::move(*change)};
}

}  // namespace mip6ha
