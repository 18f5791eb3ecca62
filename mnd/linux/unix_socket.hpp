// A connection to a daemon on this machine, made by one that does nothing else meanwhile. Without a source file of its
// own: mip6ctl has it, and links no library of ours.
#pragma once

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <string_view>
#include <tl/expected.hpp>

#include "mnd/linux/descriptor.hpp"

namespace mnd::kernel {

// Connects a stream socket to the one at `path`. `patience`: how long connecting, and each sending and receiving, may
// wait, then EAGAIN; 0: for ever. Error: errno, ENAMETOOLONG for a path that no address can hold.
inline tl::expected<Descriptor, int> connect_to(std::string_view path, std::chrono::seconds patience = {}) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return tl::unexpected(ENAMETOOLONG);
  if (path.empty()) return tl::unexpected(ENOENT);
  std::memcpy(address.sun_path, path.data(), path.size());
  Descriptor peer{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!peer) return tl::unexpected(errno);
  const timeval limit{.tv_sec = patience.count(), .tv_usec = 0};
  if (::setsockopt(peer.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
      ::setsockopt(peer.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0 ||
      ::connect(peer.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return tl::unexpected(errno);
  return peer;
}

}  // namespace mnd::kernel
