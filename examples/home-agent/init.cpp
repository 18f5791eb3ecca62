// See init.hpp.
#include "examples/home-agent/init.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <system_error>
#include <utility>

#include "examples/home-agent/file_change.hpp"
#include "examples/home-agent/home_addresses.hpp"
#include "examples/home-agent/node_site.hpp"
#include "mnd/linux/durable_file.hpp"
#include "mnd/linux/os_error.hpp"

namespace mip6ha {
namespace {

using Done = tl::expected<void, ConfigMistake>;

Done make_safe_folder(const std::filesystem::path& folder) {
  if (::mkdir(folder.c_str(), 0750) == 0) return {};
  if (errno != EEXIST)
    return tl::unexpected(
        told(mnd::kernel::os_error(errno, "make the folder " + folder.string(), {}, "do it as root")));
  struct stat status {};
  if (::stat(folder.c_str(), &status) == 0 && (status.st_mode & 0022) == 0) return {};
  return tl::unexpected(
      told(fmt::format("others may write to {}", folder.string()), fmt::format("chmod go-w {}", folder.string())));
}

// Without what is typed beyond the length.
mip6::Ipv6Prefix masked(mip6::Ipv6Prefix prefix) {
  for (std::size_t bit = prefix.length; bit < 128; ++bit)
    prefix.address.bytes[bit / 8] = static_cast<std::uint8_t>(prefix.address.bytes[bit / 8] & ~(0x80U >> bit % 8));
  return prefix;
}

// PREFIX::1, or one that the interface has. `prefix` is masked.
std::string address_for(const InitRequest& request, const mip6::Ipv6Prefix& prefix) {
  if (request.address) return *request.address;
  for (const auto& address : addresses_on(request.interface))
    if (prefix.contains(address)) return address.to_string();
  auto address = prefix.address;
  address.bytes[15] |= 1U;
  return address.to_string();
}

std::string text_of(const std::string& prefix, const std::string& interface, const std::string& address) {
  return fmt::format(
      "# A home agent, by mip6-ha init; mip6-ha(8) has all settings. Nodes come by mip6-ha add.\n"
      "address = {}\ninterface = {}\nprefix = {}\n",
      address, interface, prefix);
}

// What autoconfiguration takes: prefix and interface identifier have 128 bits together (RFC 4862 section 5.5.3), and
// the latter has 64 (RFC 4291 section 2.5.1).
void judge_length(const mip6::Ipv6Prefix& prefix, std::vector<MachineFinding>& findings) {
  if (prefix.length == 64) return;
  findings.push_back(
      {.check = "prefix",
       .good = false,
       .what = fmt::format("{} is no /64: nodes at home cannot autoconfigure addresses of it", prefix.to_string()),
       .remedy = "name a /64 with --prefix, and --force; or leave it if nobody there needs autoconfiguration"});
}

// What --mend does to the machine: files that are written, and the kernel's settings from now on.
struct Mending {
  std::vector<std::pair<std::filesystem::path, std::string>> settings;  // file in /proc/sys, value; in this order
  std::vector<std::string> told;
};

Mending begin_mending(FileChange& change, const Health& health, const MachinePaths& paths) {
  Mending mending;
  std::error_code ignored;
  if (health.forwarding == false) {
    const auto conf = paths.proc / "sys/net/ipv6/conf";
    const auto there = mnd::kernel::read_durable(paths.sysctl);
    const auto text = "# By mip6-ha init --mend: a home agent forwards.\n" + sysctl_lines(health);
    const bool ours = there && there->value_or(text) == text;
    if (there && !*there) change.create(paths.sysctl, text, 0644);
    // In this order: a kernel that begins to forward gives up the default routes of uplinks that have 1.
    for (const auto& uplink : health.uplinks_by_advertisement) {
      mending.settings.emplace_back(conf / uplink / "accept_ra", "2");
      mending.told.push_back(
          fmt::format("{} takes its default route from router advertisements as before (accept_ra = 2)", uplink));
    }
    mending.settings.emplace_back(conf / "all/forwarding", "1");
    mending.told.push_back(
        ours ? fmt::format("IPv6 is forwarded, now and after each start ({})", paths.sysctl.string())
             : fmt::format("IPv6 is forwarded now; {} was there already: see that it says so for each "
                           "start",
                           paths.sysctl.string()));
  }
  const auto limits = charon_drop_ins(paths) / "mip6-ha.conf";
  if (health.charon_limits && !health.charon_limits->half_open &&
      std::filesystem::exists(limits.parent_path(), ignored) && !std::filesystem::exists(limits, ignored)) {
    change.create(limits, kCharonLimits, 0644);
    mending.told.push_back(
        fmt::format("charon's limits are set ({}){}", limits.string(),
                    health.charon_connected ? "; it runs already: systemctl restart strongswan" : ""));
  }
  return mending;
}

Done set(const Mending& mending) {
  for (const auto& [path, value] : mending.settings) {
    std::ofstream file{path};
    if (!(file << value << std::flush))
      return tl::unexpected(told(fmt::format("{} cannot be set to {}", path.string(), value),
                                 "do it as root, where the kernel's settings can be written"));
  }
  return {};
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
  auto prefix = mip6::Ipv6Prefix::parse(request.prefix);
  if (prefix) prefix = masked(*prefix);
  const auto address = prefix ? address_for(request, *prefix) : request.address.value_or("2001:db8::1");
  const auto text = text_of(prefix ? prefix->to_string() : request.prefix, request.interface, printable(address));
  auto config = check_config(mnd::kernel::parse_config_content(text, "mip6-ha"), "mip6-ha", NoNode::kFine);
  if (!config) return tl::unexpected(as_typed(std::move(config.error())));
  if (const auto objection = objection_to(config->prefix, config->address); !objection.empty())
    return tl::unexpected(
        Mistakes{told(fmt::format("{} {}", config->address.to_string(), objection), "name another with --address")});

  std::error_code error;
  const auto path = std::filesystem::absolute(request.config, error).lexically_normal();
  const auto there = mnd::kernel::read_durable(path);
  const bool same = there && there->value_or("") == text;
  struct stat status {};
  if (!request.force && !same && ::lstat(path.c_str(), &status) == 0)
    return tl::unexpected(
        Mistakes{told(fmt::format("{} is there already", path.string()), "edit it, or replace it with --force")});
  for (const auto& folder : {path.parent_path(), nodes_folder(path)})
    if (const auto made = make_safe_folder(folder); !made) return tl::unexpected(Mistakes{made.error()});
  auto change = FileChange::begin(nodes_folder(path));
  if (!change) return tl::unexpected(Mistakes{told(change.error())});
  if (!same) change->replace(path, text, 0640);
  const auto mending =
      request.mend ? begin_mending(*change, read_health_before_start(*config, paths), paths) : Mending{};
  if (const auto written = change->commit(); !written) return tl::unexpected(Mistakes{told(written.error())});
  if (const auto done = set(mending); !done) return tl::unexpected(Mistakes{done.error()});
  auto findings = examine_machine(read_health_before_start(*config, paths));
  judge_length(config->prefix, findings);
  return InitReport{std::move(*config), mending.told, std::move(findings)};
}

}  // namespace mip6ha
