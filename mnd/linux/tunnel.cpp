// The node's payload path.
#include "mnd/linux/tunnel.hpp"

#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <cerrno>

#include "mnd/linux/kernel.hpp"
#include "mnd/linux/netlink.hpp"
#include "mnd/linux/tunnel_device.hpp"
#include "mnd/linux/tunnel_messages.hpp"

namespace mnd::kernel {

namespace {

// Behind all other routes of the home table. The first goes into the tunnel device without an outer address, where it
// ends: a Binding Update needs some route to be looked at by its policies, which then send it another way. The second
// stands in for the first when the device is down, so that nothing from the home address ever leaves by another table.
constexpr std::uint32_t kLastMetric = 0xffffffff;
constexpr std::uint32_t kFallbackMetric = kLastMetric - 1;
constexpr std::uint32_t kFilterHandle = 1;

}  // namespace

struct NodeTunnel::Impl {
  NetlinkSocket socket;
  mip6::Ipv6Address home_address;
  mip6::Ipv6Address home_agent;
  bool under_esp = false;
  std::uint32_t device = 0;  // interface index; 0: not known yet

  HomeAddress tunnel_address(bool preferred) const {
    return {
        .interface = device, .address = home_address, .prefix_length = 128, .home_flag = true, .preferred = preferred};
  }
  // The `home` flag stays with the tunnel's address: the kernel asks for any that has it.
  HomeAddress on_home_link(std::uint32_t interface, std::uint8_t prefix_length, bool preferred) const {
    return {.interface = interface, .address = home_address, .prefix_length = prefix_length, .preferred = preferred};
  }
  Route home_table_default() const {
    Route route;
    route.table = kHomeTable;
    route.metric = kDefaultMetric;
    return route;
  }
  // At home, beside the payload's way.
  Route home_table_to_agent() const {
    Route route = home_table_default();
    route.destination = {home_agent, 128};
    return route;
  }
  Route main_default() const {
    Route route;
    route.metric = kDefaultMetric;
    route.preferred_source = home_address;
    return route;
  }
  // One for all destinations, and one for the home agent alone: that one also beats the prefix route of a home link
  // that is still there while a care-of address is in use.
  std::vector<Route> care_of_routes(std::uint32_t interface, const mip6::Ipv6Address& care_of) const {
    Route route;
    route.source = {care_of, 128};
    route.interface = interface;
    Route to_home_agent = route;
    to_home_agent.destination = {home_agent, 128};
    return {route, to_home_agent};
  }
  static Route via(Route route, std::uint32_t interface, const mip6::Ipv6Address& gateway) {
    route.interface = interface;
    if (!gateway.is_unspecified()) route.gateway = gateway;
    return route;
  }

  tl::expected<void, mip6::Error> know_device() {
    if (device != 0) return {};
    const auto found = find_device(socket, kTunnelName);
    if (!found) return tl::unexpected(found.error());
    if (!*found) {
      return tl::unexpected(mip6::Error{.tried = "use the tunnel device",
                                        .on = kTunnelName,
                                        .reason = "it does not exist",
                                        .remedy = "restart mnd",
                                        .os_error = ENODEV});
    }
    device = (*found)->index;
    return {};
  }

  tl::expected<void, mip6::Error> check_foreign_default();
  tl::expected<void, mip6::Error> set_up_filter_and_address();
  tl::expected<void, mip6::Error> set_up_rule_and_fallback();
  // Those of ours that `wanted(address)` is true for.
  template <typename Wanted>
  tl::expected<void, mip6::Error> remove_addresses(Wanted wanted);
};

tl::expected<NodeTunnel, mip6::Error> NodeTunnel::open(const mip6::Ipv6Address& home_address,
                                                       const mip6::Ipv6Address& home_agent, bool under_esp) {
  auto socket = NetlinkSocket::open(NETLINK_ROUTE);
  if (!socket) return tl::unexpected(netlink_error("open the routing interface", "NETLINK_ROUTE", socket.error()));
  return NodeTunnel(std::make_unique<Impl>(Impl{
      .socket = std::move(*socket), .home_address = home_address, .home_agent = home_agent, .under_esp = under_esp}));
}

NodeTunnel::NodeTunnel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
NodeTunnel::NodeTunnel(NodeTunnel&&) noexcept = default;
NodeTunnel& NodeTunnel::operator=(NodeTunnel&&) noexcept = default;
NodeTunnel::~NodeTunnel() = default;

template <typename Wanted>
tl::expected<void, mip6::Error> NodeTunnel::Impl::remove_addresses(Wanted wanted) {
  const auto addresses = list(socket, dump_addresses(), parse_address, "addresses");
  if (!addresses) return tl::unexpected(addresses.error());
  std::vector<NetlinkMessage> removals;
  for (const DumpedAddress& dumped : *addresses) {
    if (dumped.ours && wanted(dumped.address)) removals.push_back(delete_address(dumped.address));
  }
  return perform(socket, removals, Harmless::kAbsent, "remove the home address", home_address.to_string());
}

// Replacing a route asks for destination and metric only, not for whose it is.
tl::expected<void, mip6::Error> NodeTunnel::Impl::check_foreign_default() {
  const auto routes = list(socket, dump_routes(), parse_route, "routes");
  if (!routes) return tl::unexpected(routes.error());
  for (const DumpedRoute& dumped : *routes) {
    const Route& route = dumped.route;
    if (!dumped.ours && route.table == kMainTable && route.destination.length == 0 && route.source.length == 0 &&
        route.metric == kDefaultMetric) {
      return tl::unexpected(mip6::Error{.tried = "keep a metric for the default route by the home agent",
                                        .on = fmt::format("metric {}", kDefaultMetric),
                                        .reason = "somebody else's default route has this metric",
                                        .remedy = "give that route another metric",
                                        .os_error = EEXIST});
    }
  }
  return {};
}

tl::expected<void, mip6::Error> NodeTunnel::Impl::set_up_filter_and_address() {
  const TunnelFilter from_home_agent{.outer_source = home_agent,
                                     .inner_source = std::nullopt,
                                     .inner_destination = home_address,
                                     .handle = kFilterHandle};
  // A former process may have let through what this one does not.
  auto done = under_esp ? perform(socket, {remove_pass(device, kFilterHandle)}, Harmless::kAbsent,
                                  "close the tunnel to clear-text packets", kTunnelName)
                        : perform(socket, {pass(device, from_home_agent)}, Harmless::kNothing,
                                  "install the tunnel's source check", kTunnelName, kFilterRemedy);
  if (done) done = bring_up(socket, device);
  if (!done) return done;
  // An address that a former process left keeps its state: connections are using it.
  done = perform(socket, {add_address(tunnel_address(false))}, Harmless::kPresent, "add the home address",
                 home_address.to_string());
  if (!done) return done;
  return remove_addresses([&](const HomeAddress& former) { return former.address != home_address; });
}

tl::expected<void, mip6::Error> NodeTunnel::Impl::set_up_rule_and_fallback() {
  Route fallback = home_table_default();
  fallback.metric = kFallbackMetric;
  fallback.interface = device;
  Route last = home_table_default();
  last.metric = kLastMetric;
  last.unreachable = true;
  auto done = perform(socket, {replace_route(last), replace_route(fallback)}, Harmless::kNothing, "add the last routes",
                      fmt::format("table {}", kHomeTable));
  if (!done) return done;
  done = perform(socket, {add_rule(home_address)}, Harmless::kPresent, "add the rule", home_address.to_string());
  if (!done) return done;
  const auto rules = list(socket, dump_rules(), parse_our_rule, "rules");
  if (!rules) return tl::unexpected(rules.error());
  std::vector<NetlinkMessage> former;
  for (const auto& source : *rules) {
    if (source != home_address) former.push_back(delete_rule(source));
  }
  return perform(socket, former, Harmless::kAbsent, "remove the rule of a former home address", "rules");
}

tl::expected<void, mip6::Error> NodeTunnel::set_up() {
  if (auto free = impl_->check_foreign_default(); !free) return free;
  const auto link = ensure_device(impl_->socket, kTunnelName);
  if (!link) return tl::unexpected(link.error());
  impl_->device = link->index;
  if (auto done = impl_->set_up_filter_and_address(); !done) return done;
  return impl_->set_up_rule_and_fallback();
}

tl::expected<void, mip6::Error> NodeTunnel::add_care_of_route(std::uint32_t interface, const mip6::Ipv6Address& care_of,
                                                              const mip6::Ipv6Address& gateway) {
  std::vector<NetlinkMessage> messages;
  for (const Route& route : impl_->care_of_routes(interface, care_of)) {
    messages.push_back(replace_route(Impl::via(route, interface, gateway)));
  }
  return perform(impl_->socket, messages, Harmless::kNothing, "add the care-of address's routes",
                 fmt::format("{} via {}", care_of.to_string(), gateway.to_string()),
                 "the kernel needs CONFIG_IPV6_SUBTREES (Debian's have it), and the link must be up");
}

tl::expected<void, mip6::Error> NodeTunnel::remove_care_of_route(std::uint32_t interface,
                                                                 const mip6::Ipv6Address& care_of) {
  std::vector<NetlinkMessage> messages;
  for (const Route& route : impl_->care_of_routes(interface, care_of)) messages.push_back(delete_route(route));
  return perform(impl_->socket, messages, Harmless::kAbsent, "remove the care-of address's routes",
                 care_of.to_string());
}

tl::expected<void, mip6::Error> NodeTunnel::send_through_tunnel(const mip6::Ipv6Address& care_of) {
  if (auto known = impl_->know_device(); !known) return known;
  const Encapsulation outer{.source = care_of, .destination = impl_->home_agent};
  Route own = impl_->home_table_default();
  Route main = impl_->main_default();
  own.interface = main.interface = impl_->device;
  if (!impl_->under_esp) own.encapsulation = main.encapsulation = outer;
  // The home table first: what uses the home address already is what waits.
  return perform(impl_->socket, {replace_route(own), replace_route(main)}, Harmless::kNothing,
                 "send through the tunnel from", care_of.to_string());
}

tl::expected<void, mip6::Error> NodeTunnel::attach_home_link(std::uint32_t interface, std::uint8_t prefix_length,
                                                             const mip6::Ipv6Address& gateway) {
  const auto on_link = impl_->on_home_link(interface, prefix_length, false);
  auto done = perform(impl_->socket, {add_address(on_link)}, Harmless::kPresent,
                      "add the home address to the home link", impl_->home_address.to_string());
  if (!done) return done;
  // Only by the router, whose link-layer address its advertisement has told: the node must not solicit neighbours from
  // the home address as long as the home agent defends it (RFC 6275 section 11.5.5).
  const Route route = Impl::via(impl_->home_table_to_agent(), interface, gateway);
  return perform(impl_->socket, {replace_route(route)}, Harmless::kNothing,
                 "reach the home agent by the home link's router", gateway.to_string());
}

tl::expected<void, mip6::Error> NodeTunnel::send_through_home_link(std::uint32_t interface, std::uint8_t prefix_length,
                                                                   const mip6::Ipv6Address& gateway) {
  return perform(impl_->socket,
                 {replace_route(Impl::via(impl_->home_table_default(), interface, gateway)),
                  replace_route(Impl::via(impl_->main_default(), interface, gateway)),
                  change_address(impl_->on_home_link(interface, prefix_length, true))},
                 Harmless::kNothing, "send by the home link's router", gateway.to_string());
}

tl::expected<void, mip6::Error> NodeTunnel::detach_home_link(std::uint32_t interface) {
  const Route to_agent = impl_->home_table_to_agent();
  if (interface == 0) {
    if (auto known = impl_->know_device(); !known) return known;
    auto done = perform(impl_->socket, {delete_route(to_agent)}, Harmless::kAbsent, "remove the home link's routes",
                        "any link");
    if (!done) return done;
    return impl_->remove_addresses([&](const HomeAddress& held) { return held.interface != impl_->device; });
  }
  Route own = impl_->home_table_default();
  Route main = impl_->main_default();
  Route agent = to_agent;
  own.interface = main.interface = agent.interface = interface;
  auto done = perform(impl_->socket, {delete_route(own), delete_route(main), delete_route(agent)}, Harmless::kAbsent,
                      "remove the home link's routes", fmt::format("link {}", interface));
  if (!done) return done;
  return impl_->remove_addresses([&](const HomeAddress& held) { return held.interface == interface; });
}

tl::expected<void, mip6::Error> NodeTunnel::stop_outbound() {
  return perform(impl_->socket, {delete_route(impl_->home_table_default()), delete_route(impl_->main_default())},
                 Harmless::kAbsent, "stop sending from the home address", impl_->home_address.to_string());
}

tl::expected<void, mip6::Error> NodeTunnel::prefer_home_address(bool preferred) {
  if (auto known = impl_->know_device(); !known) return known;
  return perform(impl_->socket, {change_address(impl_->tunnel_address(preferred))}, Harmless::kNothing,
                 preferred ? "prefer the home address" : "deprecate the home address", impl_->home_address.to_string());
}

std::uint32_t NodeTunnel::port() const { return impl_->socket.port(); }

tl::expected<void, mip6::Error> NodeTunnel::remove_all() {
  impl_->device = 0;
  NetlinkSocket& socket = impl_->socket;
  FirstError result;
  // The address first: without it nothing can leave by another table once the rule is gone.
  result.keep(impl_->remove_addresses([](const HomeAddress&) { return true; }));
  std::vector<NetlinkMessage> removals;
  const auto routes = list(socket, dump_routes(), parse_route, "routes");
  result.keep(routes);
  if (routes) {
    for (const DumpedRoute& dumped : *routes) {
      if (dumped.ours) removals.push_back(delete_route(dumped.route));
    }
  }
  const auto rules = list(socket, dump_rules(), parse_our_rule, "rules");
  result.keep(rules);
  if (rules) {
    for (const auto& source : *rules) removals.push_back(delete_rule(source));
  }
  result.keep(perform(socket, removals, Harmless::kAbsent, "remove routes and rules", kTunnelName));
  result.keep(remove_device(socket, kTunnelName));
  return result.value();
}

}  // namespace mnd::kernel
