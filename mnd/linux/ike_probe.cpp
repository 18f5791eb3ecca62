// See ike_probe.hpp.
#include "mnd/linux/ike_probe.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <cerrno>

#include "mnd/linux/descriptor.hpp"
#include "mnd/linux/ipv6_socket.hpp"

namespace mnd::kernel {

bool ike_forbidden(const mip6::Ipv6Address& home_agent) {
  constexpr std::uint16_t kIkePort = 500;
  constexpr std::uint8_t kKeepAlive = 0xff;  // RFC 3948 section 2.3
  if (home_agent.is_unspecified()) return false;
  const Descriptor socket{::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  auto to = to_sockaddr(home_agent);
  to.sin6_port = htons(kIkePort);
  return socket &&
         ::sendto(socket.get(), &kKeepAlive, sizeof kKeepAlive, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) <
             0 &&
         errno == EPERM;
}

}  // namespace mnd::kernel
