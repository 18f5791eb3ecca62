// What all raw IPv6 sockets need: addresses as the kernel wants them, and options. Inside of mnd/linux.
#pragma once

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>

#include "libmip6/address.hpp"

namespace mnd::kernel {

inline constexpr int kReceiveAtOnce = 16;  // messages; then others on the loop have their turn

inline in6_addr to_in6(const mip6::Ipv6Address& address) {
  in6_addr result{};
  std::memcpy(&result, address.bytes.data(), address.bytes.size());
  return result;
}

inline mip6::Ipv6Address from_in6(const in6_addr& address) {
  mip6::Ipv6Address result;
  std::memcpy(result.bytes.data(), &address, result.bytes.size());
  return result;
}

inline sockaddr_in6 to_sockaddr(const mip6::Ipv6Address& address) {
  sockaddr_in6 result{};
  result.sin6_family = AF_INET6;
  result.sin6_addr = to_in6(address);
  return result;
}

// Of level IPPROTO_IPV6. False, with errno, if the kernel refuses.
inline bool set_option(int fd, int option, int value) {
  return ::setsockopt(fd, IPPROTO_IPV6, option, &value, sizeof value) == 0;
}

// An ICMPv6 socket gets messages of this type and no others (RFC 3542 section 3.2). False, with errno, if refused.
inline bool pass_only(int fd, std::uint8_t type) {
  icmp6_filter filter{};
  ICMP6_FILTER_SETBLOCKALL(&filter);
  ICMP6_FILTER_SETPASS(type, &filter);
  return ::setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter) == 0;
}

}  // namespace mnd::kernel
