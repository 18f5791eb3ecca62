// Makes, finds and removes the tunnel device.
#include "mnd/linux/tunnel_device.hpp"

#include <cerrno>

#include "mnd/linux/kernel.hpp"

namespace mnd::kernel {

namespace {

bool is_harmless(const Answer& answer, Harmless harmless) {
  switch (harmless) {
    case Harmless::kNothing:
      return false;
    case Harmless::kAbsent:
      return answer.os_error == ESRCH || answer.os_error == ENOENT || answer.os_error == EADDRNOTAVAIL ||
             answer.os_error == ENODEV;
    case Harmless::kPresent:
      return answer.os_error == EEXIST;
  }
  return false;
}

mip6::Error name_taken(const char* name) {
  return {.tried = "make the tunnel device",
          .on = name,
          .reason = "a link of this name exists that is not an external ip6tnl",
          .remedy = std::string("rename or remove it: ip link delete ") + name,
          .os_error = EEXIST};
}

mip6::Error another_external_device(const char* name) {
  return {.tried = "make the tunnel device",
          .on = name,
          .reason = "the kernel has room for one external ip6tnl in a network namespace, and there is another",
          .remedy = "find it with ip -d link show type ip6tnl and remove it, or use a network namespace",
          .os_error = EEXIST};
}

}  // namespace

tl::expected<void, mip6::Error> perform(NetlinkSocket& socket, const std::vector<NetlinkMessage>& messages,
                                        Harmless harmless, const std::string& tried, const std::string& on,
                                        const std::string& remedy) {
  for (const Answer& answer : socket.request(messages)) {
    if (!answer.ok() && !is_harmless(answer, harmless)) {
      return tl::unexpected(netlink_error(tried, on, answer, remedy));
    }
  }
  return {};
}

tl::expected<std::optional<DumpedLink>, mip6::Error> find_device(NetlinkSocket& socket, const std::string& name) {
  const auto message = socket.get(get_link(name));
  if (message) return parse_link(*message);
  if (message.error().os_error == ENODEV) return std::optional<DumpedLink>();
  return tl::unexpected(netlink_error("look up the link", name, message.error()));
}

tl::expected<DumpedLink, mip6::Error> ensure_device(NetlinkSocket& socket, const char* name) {
  const Answer made = socket.request(add_tunnel_device(name));
  if (!made.ok() && made.os_error != EEXIST) {
    const char* remedy = made.os_error == EOPNOTSUPP ? "modprobe ip6_tunnel" : "";
    return tl::unexpected(netlink_error("make the tunnel device", name, made, remedy));
  }
  const auto found = find_device(socket, name);
  if (!found) return tl::unexpected(found.error());
  if (!*found) return tl::unexpected(another_external_device(name));
  const DumpedLink& link = **found;
  if (!link.external_tunnel) return tl::unexpected(name_taken(name));
  const auto filtered = perform(socket, {add_ingress(link.index), drop_the_rest(link.index)}, Harmless::kPresent,
                                "install the tunnel's source check", name, kFilterRemedy);
  if (!filtered) return tl::unexpected(filtered.error());
  return link;
}

tl::expected<void, mip6::Error> bring_up(NetlinkSocket& socket, std::uint32_t interface) {
  return perform(socket, {no_link_local_address(interface), set_link_up(interface, kTunnelMtu)}, Harmless::kNothing,
                 "set the tunnel device up", "link " + std::to_string(interface));
}

tl::expected<void, mip6::Error> remove_device(NetlinkSocket& socket, const char* name) {
  const auto found = find_device(socket, name);
  if (!found) return tl::unexpected(found.error());
  if (!*found || !(*found)->external_tunnel) return {};
  return perform(socket, {delete_link((*found)->index)}, Harmless::kAbsent, "remove the tunnel device", name);
}

}  // namespace mnd::kernel
