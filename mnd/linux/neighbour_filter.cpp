// See neighbour_filter.hpp: a classic BPF program, run by the kernel before it queues a message.
#include "mnd/linux/neighbour_filter.hpp"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace mnd::kernel {

bool keep_out_other_neighbours(int socket, bool hears_recovery) {
  // where in a notification, which has one message
  constexpr std::uint32_t kType = offsetof(nlmsghdr, nlmsg_type);
  constexpr std::uint32_t kFamily = NLMSG_HDRLEN + offsetof(ndmsg, ndm_family);
  constexpr std::uint32_t kState = NLMSG_HDRLEN + offsetof(ndmsg, ndm_state);
  constexpr std::uint32_t kFlags = NLMSG_HDRLEN + offsetof(ndmsg, ndm_flags);
  constexpr std::uint32_t kAll = 0xffffffff;
  const std::uint16_t recovered = hears_recovery ? NUD_REACHABLE | NUD_STALE : 0;
  // BPF loads in network byte order
  std::array program{
      sock_filter BPF_STMT(BPF_LD | BPF_H | BPF_ABS, kType),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELNEIGH), 9, 0),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_GETNEIGH), 8, 0),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWNEIGH), 0, 8),
      sock_filter BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kFamily),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 5),
      sock_filter BPF_STMT(BPF_LD | BPF_H | BPF_ABS, kState),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, htons(NUD_FAILED), 4, 0),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, htons(recovered), 0, 2),
      sock_filter BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kFlags),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NTF_ROUTER, 1, 0),
      sock_filter BPF_STMT(BPF_RET | BPF_K, 0),
      sock_filter BPF_STMT(BPF_RET | BPF_K, kAll),
  };
  const sock_fprog filter{.len = program.size(), .filter = program.data()};
  return ::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0;
}

}  // namespace mnd::kernel
