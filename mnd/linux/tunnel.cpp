// The node's payload path.
#include "mnd/linux/tunnel.hpp"

#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "mnd/linux/kernel.hpp"
#include "mnd/linux/netlink.hpp"
#include "mnd/linux/tunnel_device.hpp"
#include "mnd/linux/tunnel_messages.hpp"
#include "mnd/linux/tunnel_rules.hpp"

namespace mnd::kernel {

namespace {

// Behind all other routes of the home table. The first goes into the tunnel device without an outer address, where it
// ends: a Binding Update needs some route to be looked at by its policies, which then send it another way. The second
// stands in for the first when the device is down, so that nothing from the home address ever leaves by another table.
constexpr std::uint32_t kLastMetric = 0xffffffff;
constexpr std::uint32_t kFallbackMetric = kLastMetric - 1;
constexpr std::uint32_t kFilterHandle = 1;
constexpr std::uint32_t kSourceMetric = 1024;  // the kernel's default; there is one route of a kind
constexpr auto kMetricRemedy = "give somebody else's default route of this metric another one";

// One takes the other's place in the kernel.
bool same_place(const Route& one, const Route& other) {
  return one.table == other.table && one.metric == other.metric && one.destination == other.destination &&
         one.source == other.source;
}

}  // namespace

struct NodeTunnel::Impl {
  NetlinkSocket socket;
  mip6::Ipv6Address home_address;
  mip6::Ipv6Address home_agent;
  bool under_esp = false;
  std::vector<mip6::Ipv6Prefix> bypass;
  std::vector<Route> local_routes;  // what set_local_paths() and add_path_to_home_agent() made
  std::uint32_t device = 0;         // interface index; 0: not known yet

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
    route.advertised_mss = under_esp ? kEspTunnelMss : kTunnelMss;
    return route;
  }
  // At home, beside the payload's way.
  Route home_table_to_agent() const {
    Route route = home_table_default();
    route.destination = {home_agent, 128};
    return route;
  }
  Route tcp_default() const {
    Route route = home_table_default();
    route.table = kTcpTable;
    route.mtu = kTcpTunnelMtu;
    return route;
  }
  Route main_default() const {
    Route route = home_table_default();
    route.table = kMainTable;
    route.preferred_source = home_address;
    return route;
  }
  // One for the home agent alone beats the prefix route of a home link that is still there while a care-of address is
  // in use.
  std::vector<mip6::Ipv6Prefix> beside_tunnel() const {
    std::vector<mip6::Ipv6Prefix> destinations{{home_agent, 128}};
    destinations.insert(destinations.end(), bypass.begin(), bypass.end());
    return destinations;
  }
  static Route from(const LocalPath& path, const mip6::Ipv6Prefix& destination) {
    Route route;
    route.destination = destination;
    route.source = {path.address, 128};
    route.metric = kSourceMetric;
    return via(route, path.interface, path.gateway);
  }
  std::vector<Route> routes_of(const LocalPaths& paths) const;
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
                                        .remedy = "mnd makes it again; if this stays, find out what removes it",
                                        .os_error = ENODEV});
    }
    device = (*found)->index;
    return {};
  }

  tl::expected<void, mip6::Error> read_routes();
  tl::expected<void, mip6::Error> set_up_filter_and_address();
  tl::expected<void, mip6::Error> set_up_last_routes();
  tl::expected<void, mip6::Error> keep_rules();
  tl::expected<void, mip6::Error> add_local_routes(const std::vector<Route>& routes);
  // Those of ours that `wanted(address)` is true for.
  template <typename Wanted>
  tl::expected<void, mip6::Error> remove_addresses(Wanted wanted);
};

tl::expected<NodeTunnel, mip6::Error> NodeTunnel::open(const mip6::Ipv6Address& home_address,
                                                       const mip6::Ipv6Address& home_agent, bool under_esp,
                                                       std::vector<mip6::Ipv6Prefix> bypass) {
  auto socket = NetlinkSocket::open(NETLINK_ROUTE);
  if (!socket) return tl::unexpected(netlink_error("open the routing interface", "NETLINK_ROUTE", socket.error()));
  return NodeTunnel(std::make_unique<Impl>(Impl{.socket = std::move(*socket),
                                                .home_address = home_address,
                                                .home_agent = home_agent,
                                                .under_esp = under_esp,
                                                .bypass = std::move(bypass),
                                                .local_routes = {}}));
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

// What a former process left is taken over, and told from what is wanted.
tl::expected<void, mip6::Error> NodeTunnel::Impl::read_routes() {
  const auto routes = list(socket, dump_routes(), parse_route, "routes");
  if (!routes) return tl::unexpected(routes.error());
  local_routes.clear();
  for (const DumpedRoute& dumped : *routes) {
    const Route& route = dumped.route;
    const bool is_default = route.destination.length == 0 && route.source.length == 0;
    if (dumped.ours && route.table == kMainTable && !is_default) local_routes.push_back(route);
    if (!dumped.ours && route.table == kMainTable && is_default && route.metric == kDefaultMetric) {
      return tl::unexpected(mip6::Error{.tried = "keep a metric for the default route by the home agent",
                                        .on = fmt::format("metric {}", kDefaultMetric),
                                        .reason = "somebody else's default route has this metric",
                                        .remedy = kMetricRemedy,
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

tl::expected<void, mip6::Error> NodeTunnel::Impl::set_up_last_routes() {
  Route fallback = home_table_default();
  fallback.metric = kFallbackMetric;
  fallback.interface = device;
  Route last = home_table_default();
  last.metric = kLastMetric;
  last.unreachable = true;
  return perform(socket, {replace_route(last), replace_route(fallback)}, Harmless::kNothing, "add the last routes",
                 fmt::format("table {}", kHomeTable));
}

tl::expected<void, mip6::Error> NodeTunnel::Impl::keep_rules() {
  const auto dumped = list(socket, dump_rules(), parse_rule, "rules");
  if (!dumped) return tl::unexpected(dumped.error());
  const RuleChanges changes = rule_changes(*dumped, home_address, home_agent);
  const std::string on = home_address.to_string();
  auto done = perform(socket, changes.out_of_order, Harmless::kAbsent, "put the rules in order", on);
  if (done) done = perform(socket, changes.added, Harmless::kPresent, "add the rules", on);
  if (done) done = perform(socket, changes.former, Harmless::kAbsent, "remove the former rules", on);
  return done;
}

tl::expected<void, mip6::Error> NodeTunnel::keep_rules() { return impl_->keep_rules(); }

tl::expected<void, mip6::Error> NodeTunnel::set_up() {
  if (auto free = impl_->read_routes(); !free) return free;
  const auto link = ensure_device(impl_->socket, kTunnelName);
  if (!link) return tl::unexpected(link.error());
  impl_->device = link->index;
  if (auto done = impl_->set_up_filter_and_address(); !done) return done;
  if (auto done = impl_->set_up_last_routes(); !done) return done;
  return impl_->keep_rules();
}

// Where there are routes from some sources, the kernel does not look at one to the same destination from all of them,
// but at shorter prefixes. So what has no source yet gets a route from `::`, and a prefix that has a route of others
// needs none beside it.
std::vector<Route> NodeTunnel::Impl::routes_of(const LocalPaths& paths) const {
  std::vector<mip6::Ipv6Prefix> destinations = beside_tunnel();
  std::erase_if(destinations, [&](const mip6::Ipv6Prefix& destination) {
    return std::ranges::find(paths.prefixes, destination, &LocalPrefix::prefix) != paths.prefixes.end();
  });
  std::vector<Route> routes;
  for (const LocalPath& path : paths.addresses) {
    for (const auto& destination : destinations) routes.push_back(from(path, destination));
    routes.push_back(from(path, {}));
  }
  if (const auto& path = paths.care_of) {
    for (const auto& destination : destinations) {
      Route route = from(*path, destination);
      route.source = {{}, 128};
      route.preferred_source = path->address;
      routes.push_back(route);
    }
  }
  for (const LocalPrefix& local : paths.prefixes) {
    Route route;
    route.destination = local.prefix;
    route.metric = kLocalMetric;
    route.preferred_source = local.source;
    routes.push_back(via(route, local.interface, local.gateway));
  }
  return routes;
}

// Those that cannot be made now are tried again by the next call. The main table is everybody's: what is not ours stays
// where it is, and does for us what it does.
tl::expected<void, mip6::Error> NodeTunnel::Impl::add_local_routes(const std::vector<Route>& routes) {
  std::vector<NetlinkMessage> messages;
  std::vector<std::size_t> added;
  for (const Route& route : routes) {
    for (const Route& former : local_routes)
      if (same_place(former, route)) messages.push_back(delete_route(former));
    added.push_back(messages.size());
    messages.push_back(add_route(route));
  }
  const auto answers = socket.request(messages);
  FirstError result;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const Route& route = routes[i];
    const Answer& answer = answers[added[i]];
    std::erase_if(local_routes, [&](const Route& former) { return same_place(former, route); });
    if (answer.ok()) {
      local_routes.push_back(route);
    } else if (answer.os_error != EEXIST) {
      const auto on = fmt::format("{} from {}", route.destination.to_string(), route.source.to_string());
      result.keep(tl::expected<void, mip6::Error>(tl::unexpected(
          netlink_error("add a local address's route", on, answer,
                        "the kernel needs CONFIG_IPV6_SUBTREES (Debian's have it), and the link must be up"))));
    }
  }
  return result.value();
}

tl::expected<void, mip6::Error> NodeTunnel::add_path_to_home_agent(const LocalPath& care_of) {
  const Route route = Impl::from(care_of, {impl_->home_agent, 128});
  if (std::ranges::find(impl_->local_routes, route) != impl_->local_routes.end()) return {};
  return impl_->add_local_routes({route});
}

tl::expected<void, mip6::Error> NodeTunnel::set_local_paths(const LocalPaths& paths) {
  const auto wanted = impl_->routes_of(paths);
  std::vector<NetlinkMessage> removals;
  std::erase_if(impl_->local_routes, [&](const Route& former) {
    if (std::ranges::any_of(wanted, [&](const Route& route) { return same_place(former, route); })) return false;
    removals.push_back(delete_route(former));
    return true;
  });
  std::vector<Route> fresh;
  for (const Route& route : wanted)
    if (std::ranges::find(impl_->local_routes, route) == impl_->local_routes.end()) fresh.push_back(route);
  FirstError result;
  result.keep(perform(impl_->socket, removals, Harmless::kAbsent, "remove a local address's routes", "main table"));
  result.keep(impl_->add_local_routes(fresh));
  return result.value();
}

tl::expected<void, mip6::Error> NodeTunnel::send_through_tunnel(const mip6::Ipv6Address& care_of) {
  if (auto known = impl_->know_device(); !known) return known;
  Route route = impl_->home_table_default();
  route.interface = impl_->device;
  if (impl_->under_esp)
    return perform(impl_->socket, {replace_route(route)}, Harmless::kNothing, "send under ESP from",
                   care_of.to_string());
  Route tcp = impl_->tcp_default();
  tcp.interface = impl_->device;
  route.encapsulation = tcp.encapsulation = Encapsulation{.source = care_of, .destination = impl_->home_agent};
  return perform(impl_->socket, {replace_route(route), replace_route(tcp)}, Harmless::kNothing,
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
  auto done = perform(impl_->socket,
                      {replace_route(Impl::via(impl_->home_table_default(), interface, gateway)),
                       change_address(impl_->on_home_link(interface, prefix_length, true))},
                      Harmless::kNothing, "send by the home link's router", gateway.to_string());
  if (done)
    done = perform(impl_->socket, {delete_route(impl_->tcp_default()), delete_route(impl_->main_default())},
                   Harmless::kAbsent, "stop tunnelling TCP", gateway.to_string());
  if (!done) return done;
  const Answer added = impl_->socket.request(add_route(Impl::via(impl_->main_default(), interface, gateway)));
  if (added.ok()) return {};
  return tl::unexpected(netlink_error("use the home link's router for new connections",
                                      fmt::format("metric {}", kDefaultMetric), added,
                                      added.os_error == EEXIST ? kMetricRemedy : ""));
}

tl::expected<void, mip6::Error> NodeTunnel::detach_home_link(std::uint32_t interface) {
  const Route to_agent = impl_->home_table_to_agent();
  if (interface == 0) {
    if (auto known = impl_->know_device(); !known) return known;
    FirstError result;
    result.keep(perform(impl_->socket, {delete_route(impl_->main_default()), delete_route(to_agent)}, Harmless::kAbsent,
                        "remove the home link's routes", "any link"));
    result.keep(impl_->remove_addresses([&](const HomeAddress& held) { return held.interface != impl_->device; }));
    return result.value();
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
  return perform(impl_->socket,
                 {delete_route(impl_->home_table_default()), delete_route(impl_->tcp_default()),
                  delete_route(impl_->main_default())},
                 Harmless::kAbsent, "stop sending from the home address", impl_->home_address.to_string());
}

tl::expected<void, mip6::Error> NodeTunnel::prefer_home_address(bool preferred) {
  if (auto known = impl_->know_device(); !known) return known;
  return perform(impl_->socket, {change_address(impl_->tunnel_address(preferred))}, Harmless::kNothing,
                 preferred ? "prefer the home address" : "deprecate the home address", impl_->home_address.to_string());
}

tl::expected<std::string, mip6::Error> NodeTunnel::other_way() const {
  if (const auto known = impl_->know_device(); !known) return tl::unexpected(known.error());
  const auto answer = impl_->socket.get(ask_way(kSomewhere));
  if (!answer) return std::string{};
  const auto device = parse_way(*answer);
  std::array<char, IF_NAMESIZE> name{};
  if (device == 0 || device == impl_->device || ::if_indextoname(device, name.data()) == nullptr) return std::string{};
  return std::string{name.data()};
}

std::uint32_t NodeTunnel::port() const { return impl_->socket.port(); }

tl::expected<void, mip6::Error> NodeTunnel::remove_all() {
  impl_->device = 0;
  impl_->local_routes.clear();
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
  const auto rules = list(socket, dump_rules(), parse_rule, "rules");
  result.keep(rules);
  if (rules) {
    for (const DumpedRule& dumped : *rules) {
      if (dumped.ours) removals.push_back(delete_rule(dumped.rule));
    }
  }
  result.keep(perform(socket, removals, Harmless::kAbsent, "remove routes and rules", kTunnelName));
  result.keep(remove_device(socket, kTunnelName));
  return result.value();
}

}  // namespace mnd::kernel
