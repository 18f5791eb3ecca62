// See init.hpp.
#include "examples/home-agent/init.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "examples/home-agent/file_change.hpp"
#include "examples/home-agent/home_addresses.hpp"
#include "examples/home-agent/node_site.hpp"
#include "mnd/linux/os_error.hpp"

namespace mip6ha {
namespace {

using Done = tl::expected<void, ConfigMistake>;

Done make_folder(const std::filesystem::path& folder) {
  if (::mkdir(folder.c_str(), 0750) == 0) return {};
  if (errno != EEXIST)
    return tl::unexpected(told(mnd::kernel::os_error(errno, "make the folder", folder.string(), "do it as root")));
  struct stat status {};
  if (::stat(folder.c_str(), &status) == 0 && (status.st_mode & 0022) == 0) return {};
  return tl::unexpected(
      told(fmt::format("others may write to {}", folder.string()), fmt::format("chmod go-w {}", folder.string())));
}

// PREFIX::1, or one that the interface has.
std::string address_for(const InitRequest& request, const mip6::Ipv6Prefix& prefix) {
  if (request.address) return *request.address;
  for (const auto& address : addresses_on(request.interface))
    if (prefix.contains(address)) return address.to_string();
  auto address = prefix.address;
  for (std::size_t bit = prefix.length; bit < 128; ++bit)
    address.bytes[bit / 8] = static_cast<std::uint8_t>(address.bytes[bit / 8] & ~(0x80U >> bit % 8));
  address.bytes[15] |= 1U;
  return address.to_string();
}

std::string text_of(const InitRequest& request, const std::string& address) {
  return fmt::format(
      "# A home agent, by mip6-ha init; mip6-ha(8) has all settings. Nodes come by mip6-ha add.\n"
      "address = {}\ninterface = {}\nprefix = {}\n",
      address, request.interface, request.prefix);
}

// The words of a mistake without the place: nobody has seen that file.
Mistakes as_typed(Mistakes mistakes) {
  for (auto& mistake : mistakes) mistake = told(std::move(mistake.what), std::move(mistake.remedy));
  return mistakes;
}

}  // namespace

tl::expected<InitReport, Mistakes> init(const InitRequest& request, const MachinePaths& paths) {
  for (const auto* typed : {&request.prefix, &request.interface})
    if (*typed != printable(*typed))
      return tl::unexpected(Mistakes{told(fmt::format("'{}' is too long, or not one line", printable(*typed)),
                                          "write such as --prefix 2001:db8:1::/64 --interface eth1")});
  const auto prefix = mip6::Ipv6Prefix::parse(request.prefix);
  const auto address = prefix ? address_for(request, *prefix) : request.address.value_or("2001:db8::1");
  const auto text = text_of(request, printable(address));
  auto config = check_config(mnd::kernel::parse_config_content(text, "mip6-ha"), "mip6-ha", NoNode::kFine);
  if (!config) return tl::unexpected(as_typed(std::move(config.error())));
  if (const auto objection = objection_to(config->prefix, config->address); !objection.empty())
    return tl::unexpected(
        Mistakes{told(fmt::format("{} {}", config->address.to_string(), objection), "name another with --address")});

  std::error_code error;
  const auto path = std::filesystem::absolute(request.config, error).lexically_normal();
  struct stat status {};
  if (!request.force && ::lstat(path.c_str(), &status) == 0)
    return tl::unexpected(
        Mistakes{told(fmt::format("{} is there already", path.string()), "edit it, or replace it with --force")});
  for (const auto& folder : {path.parent_path(), nodes_folder(path)})
    if (const auto made = make_folder(folder); !made) return tl::unexpected(Mistakes{made.error()});
  auto written = FileChange::begin(nodes_folder(path)).and_then([&](FileChange change) {
    change.replace(path, text, 0640);
    return change.commit();
  });
  if (!written) return tl::unexpected(Mistakes{told(written.error())});
  auto findings = examine_machine(*config, paths);
  return InitReport{std::move(*config), std::move(findings)};
}

}  // namespace mip6ha
