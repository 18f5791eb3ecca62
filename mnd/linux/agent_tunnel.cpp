// The home agent's payload path.
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <string_view>

#include "mnd/linux/kernel.hpp"
#include "mnd/linux/netlink.hpp"
#include "mnd/linux/os_error.hpp"
#include "mnd/linux/tunnel.hpp"
#include "mnd/linux/tunnel_device.hpp"
#include "mnd/linux/tunnel_messages.hpp"

namespace mnd::kernel {

namespace {

// Written into the device's alias: a later process learns from it that the setting has to be restored.
constexpr std::string_view kProxySetMark = "mip6-ha: proxy_ndp set on ";
// Set for one interface alone, Linux answers multicast solicitations only (seen on 6.1, read of 6.12): one that is sent
// to the intercepted address itself is forwarded like any packet, and a packet to an intercepted link-local address is
// answered only after that neighbour was looked for in vain. Entries are still per interface.
constexpr const char* kProxySetOn = "all";

std::string setting_path(const std::string& interface, const char* setting) {
  return "/proc/sys/net/ipv6/conf/" + interface + "/" + setting;
}

mip6::Error setting_error(const char* tried, const std::string& path, int number) {
  return os_error(number, tried, path, "start it as root, with /proc/sys/net/ipv6 writable");
}

tl::expected<char, mip6::Error> read_setting(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return tl::unexpected(setting_error("read", path, errno));
  char value = '0';
  const bool complete = ::read(file, &value, 1) == 1;
  const int number = complete ? 0 : errno;
  ::close(file);
  if (!complete) return tl::unexpected(setting_error("read", path, number));
  return value;
}

tl::expected<void, mip6::Error> write_setting(const std::string& path, char value) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) return tl::unexpected(setting_error("change", path, errno));
  const bool complete = ::write(file, &value, 1) == 1;
  const int number = complete ? 0 : errno;
  ::close(file);
  if (!complete) return tl::unexpected(setting_error("change", path, number));
  return {};
}

tl::expected<void, mip6::Error> check_forwarding() {
  const std::string path = setting_path("all", "forwarding");
  const auto forwarding = read_setting(path);
  if (!forwarding) return tl::unexpected(forwarding.error());
  if (*forwarding != '0') return {};
  return tl::unexpected(mip6::Error{.tried = "serve as a home agent",
                                    .on = path,
                                    .reason = "this host does not forward IPv6 packets",
                                    .remedy = "sysctl -w net.ipv6.conf.all.forwarding=1",
                                    .os_error = 0});
}

Route host_route(const mip6::Ipv6Address& home_address) {
  Route route;
  route.destination = {home_address, 128};
  route.metric = kDefaultMetric;
  route.advertised_mss = kTunnelMss;
  return route;
}

}  // namespace

struct AgentTunnel::Impl {
  NetlinkSocket socket;
  mip6::Ipv6Address home_agent;
  std::string home_interface;
  std::uint32_t device = 0;  // interface indices, known from set_up() on
  std::uint32_t home_link = 0;
  std::map<BoundCareOf, std::uint32_t> filters;  // the kernel's handle of each
  std::uint32_t last_handle = 0;

  tl::expected<void, mip6::Error> read_filters();
  tl::expected<void, mip6::Error> answer_for_neighbours(const DumpedLink& link);
  tl::expected<void, mip6::Error> remove_filters(const std::vector<BoundCareOf>& which);
  tl::expected<void, mip6::Error> remove_filters_of(const mip6::Ipv6Address& home_address);
  tl::expected<void, mip6::Error> require_set_up() const;
};

tl::expected<AgentTunnel, mip6::Error> AgentTunnel::open(const mip6::Ipv6Address& home_agent,
                                                         const std::string& home_interface) {
  auto socket = NetlinkSocket::open(NETLINK_ROUTE);
  if (!socket) return tl::unexpected(netlink_error("open the routing interface", "NETLINK_ROUTE", socket.error()));
  return AgentTunnel(std::make_unique<Impl>(
      Impl{.socket = std::move(*socket), .home_agent = home_agent, .home_interface = home_interface, .filters = {}}));
}

AgentTunnel::AgentTunnel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AgentTunnel::AgentTunnel(AgentTunnel&&) noexcept = default;
AgentTunnel& AgentTunnel::operator=(AgentTunnel&&) noexcept = default;
AgentTunnel::~AgentTunnel() = default;

tl::expected<void, mip6::Error> AgentTunnel::Impl::require_set_up() const {
  if (device != 0) return {};
  return tl::unexpected(mip6::Error{.tried = "use the tunnel device",
                                    .on = kAgentTunnelName,
                                    .reason = "it has not been set up",
                                    .remedy = "restart mip6-ha",
                                    .os_error = ENODEV});
}

tl::expected<void, mip6::Error> AgentTunnel::Impl::read_filters() {
  const auto found = list(socket, dump_filters(device), parse_pass, "filters");
  if (!found) return tl::unexpected(found.error());
  filters.clear();
  last_handle = 0;
  for (const TunnelFilter& filter : *found) {
    if (!filter.inner_source) continue;
    filters[{*filter.inner_source, filter.outer_source}] = filter.handle;
    last_handle = std::max(last_handle, filter.handle);
  }
  return {};
}

tl::expected<void, mip6::Error> AgentTunnel::Impl::answer_for_neighbours(const DumpedLink& link) {
  const std::string path = setting_path(kProxySetOn, "proxy_ndp");
  const auto value = read_setting(path);
  if (!value) return tl::unexpected(value.error());
  if (*value != '0') return {};
  // The mark first: a setting without it would stay for good.
  auto done = perform(socket, {set_alias(link.index, std::string(kProxySetMark) + kProxySetOn)}, Harmless::kNothing,
                      "mark the tunnel device", kAgentTunnelName);
  return done ? write_setting(path, '1') : done;
}

tl::expected<void, mip6::Error> AgentTunnel::set_up() {
  if (auto forwarding = check_forwarding(); !forwarding) return forwarding;
  const auto home = find_device(impl_->socket, impl_->home_interface);
  if (!home) return tl::unexpected(home.error());
  if (!*home) {
    return tl::unexpected(mip6::Error{.tried = "find the home link",
                                      .on = impl_->home_interface,
                                      .reason = "there is no such interface",
                                      .remedy = "name the interface that the home prefix is on in the configuration",
                                      .os_error = ENODEV});
  }
  impl_->home_link = (*home)->index;
  const auto link = ensure_device(impl_->socket, kAgentTunnelName);
  if (!link) return tl::unexpected(link.error());
  impl_->device = link->index;
  if (auto read = impl_->read_filters(); !read) return read;
  if (auto up = bring_up(impl_->socket, link->index); !up) return up;
  return impl_->answer_for_neighbours(*link);
}

std::vector<BoundCareOf> AgentTunnel::bound() const {
  std::vector<BoundCareOf> all;
  for (const auto& [bound, handle] : impl_->filters) all.push_back(bound);
  return all;
}

tl::expected<std::vector<mip6::Ipv6Address>, mip6::Error> AgentTunnel::intercepted() {
  return list(impl_->socket, dump_proxy_neighbours(), parse_proxy_neighbour, "proxy neighbours")
      .map([](const std::vector<DumpedProxy>& proxies) {
        std::vector<mip6::Ipv6Address> addresses;
        for (const DumpedProxy& proxy : proxies)
          if (proxy.ours) addresses.push_back(proxy.address);
        return addresses;
      });
}

tl::expected<void, mip6::Error> AgentTunnel::bind(const mip6::Ipv6Address& home_address,
                                                  const mip6::Ipv6Address& care_of, bool under_esp) {
  if (auto ready = impl_->require_set_up(); !ready) return ready;
  std::vector<NetlinkMessage> messages;
  const BoundCareOf key{home_address, care_of};
  if (under_esp) {  // a former process may have let through what this one does not
    if (auto closed = impl_->remove_filters_of(home_address); !closed) return closed;
  }
  const bool known = under_esp || impl_->filters.contains(key);
  if (!known) {
    messages.push_back(pass(impl_->device, {.outer_source = care_of,
                                            .inner_source = home_address,
                                            .inner_destination = std::nullopt,
                                            .handle = ++impl_->last_handle}));
  }
  Route route = host_route(home_address);
  route.interface = impl_->device;
  if (under_esp) route.advertised_mss = kEspTunnelMss;
  if (!under_esp) route.encapsulation = Encapsulation{.source = impl_->home_agent, .destination = care_of};
  messages.push_back(replace_route(route));
  messages.push_back(add_proxy_neighbour(impl_->home_link, home_address));
  auto done = perform(impl_->socket, messages, Harmless::kNothing, "tunnel packets for " + home_address.to_string(),
                      care_of.to_string(), kFilterRemedy);
  // Also after an error: unbind() then removes what there is.
  if (!known) impl_->filters[key] = impl_->last_handle;
  return done;
}

tl::expected<void, mip6::Error> AgentTunnel::intercept(const mip6::Ipv6Address& address) {
  if (auto ready = impl_->require_set_up(); !ready) return ready;
  return perform(impl_->socket, {add_proxy_neighbour(impl_->home_link, address)}, Harmless::kNothing,
                 "intercept " + address.to_string(), impl_->home_interface);
}

tl::expected<void, mip6::Error> AgentTunnel::release(const mip6::Ipv6Address& address) {
  if (auto ready = impl_->require_set_up(); !ready) return ready;
  return perform(impl_->socket, {delete_proxy_neighbour(impl_->home_link, address)}, Harmless::kAbsent,
                 "intercept no longer " + address.to_string(), impl_->home_interface);
}

tl::expected<void, mip6::Error> AgentTunnel::Impl::remove_filters(const std::vector<BoundCareOf>& which) {
  std::vector<NetlinkMessage> messages;
  messages.reserve(which.size());
  for (const BoundCareOf& key : which) messages.push_back(remove_pass(device, filters.at(key)));
  auto done = perform(socket, messages, Harmless::kAbsent, "remove a care-of address's filter", kAgentTunnelName);
  if (done) {
    for (const BoundCareOf& key : which) filters.erase(key);
  }
  return done;
}

tl::expected<void, mip6::Error> AgentTunnel::Impl::remove_filters_of(const mip6::Ipv6Address& home_address) {
  std::vector<BoundCareOf> which;
  for (auto found = filters.lower_bound({home_address, {}}); found != filters.end(); ++found) {
    if (found->first.home_address != home_address) break;
    which.push_back(found->first);
  }
  return remove_filters(which);
}

tl::expected<void, mip6::Error> AgentTunnel::forget_care_of(const mip6::Ipv6Address& home_address,
                                                            const mip6::Ipv6Address& care_of) {
  const BoundCareOf key{home_address, care_of};
  return impl_->filters.contains(key) ? impl_->remove_filters({key}) : tl::expected<void, mip6::Error>();
}

tl::expected<void, mip6::Error> AgentTunnel::unbind(const mip6::Ipv6Address& home_address, bool in_flight) {
  if (auto ready = impl_->require_set_up(); !ready) return ready;
  auto done = perform(impl_->socket,
                      {delete_proxy_neighbour(impl_->home_link, home_address), delete_route(host_route(home_address))},
                      Harmless::kAbsent, "stop tunnelling", home_address.to_string());
  if (!done || in_flight) return done;
  return impl_->remove_filters_of(home_address);
}

tl::expected<void, mip6::Error> AgentTunnel::remove_all() {
  NetlinkSocket& socket = impl_->socket;
  FirstError result;
  const auto proxies = list(socket, dump_proxy_neighbours(), parse_proxy_neighbour, "proxy neighbours");
  result.keep(proxies);
  if (proxies) {
    std::vector<NetlinkMessage> removals;
    for (const DumpedProxy& proxy : *proxies) {
      if (proxy.ours) removals.push_back(delete_proxy_neighbour(proxy.interface, proxy.address));
    }
    result.keep(perform(socket, removals, Harmless::kAbsent, "remove proxy neighbours", impl_->home_interface));
  }
  // Before the device goes, which has the mark.
  const auto link = find_device(socket, kAgentTunnelName);
  result.keep(link);
  if (link && *link && (*link)->alias.starts_with(kProxySetMark)) {
    // An interface that is gone has no setting either.
    const std::string path = setting_path((*link)->alias.substr(kProxySetMark.size()), "proxy_ndp");
    if (auto restored = write_setting(path, '0'); !restored && restored.error().os_error != ENOENT)
      result.keep(restored);
  }
  impl_->filters.clear();
  impl_->device = 0;
  result.keep(remove_device(socket, kAgentTunnelName));
  return result.value();
}

}  // namespace mnd::kernel
