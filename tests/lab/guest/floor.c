// floor HOME-AGENT LINK LINK: what no mobile node can be faster than. When the kernel tells that one link has no carrier any
// more, or that one of its addresses is gone, a datagram leaves by the other one at once; nothing is chosen, protected or
// written.
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct link {
  int index;
  int socket;  // connected to the home agent, by this link alone
  int gone;
};

// Connected again for each datagram: a route that was looked up before may be gone.
static int send_by(const struct link* link, const struct sockaddr_in6* to) {
  return connect(link->socket, (const struct sockaddr*)to, sizeof *to) || send(link->socket, "", 1, 0) != 1;
}

// 0: nothing of a link's; 1: it is gone; 2: it is there.
static int read_message(const struct nlmsghdr* message, int* index) {
  if (message->nlmsg_type == RTM_NEWLINK) {
    const struct ifinfomsg* link = NLMSG_DATA(message);
    *index = link->ifi_index;
    return link->ifi_flags & IFF_RUNNING ? 2 : 1;
  }
  if (message->nlmsg_type == RTM_DELADDR) {
    const struct ifaddrmsg* address = NLMSG_DATA(message);
    *index = (int)address->ifa_index;
    return address->ifa_scope == RT_SCOPE_UNIVERSE;
  }
  return 0;
}

int main(int argc, char* argv[]) {
  struct link links[2] = {0};
  struct sockaddr_in6 agent = {.sin6_family = AF_INET6, .sin6_port = htons(500)};  // a port that is captured
  if (argc != 4 || inet_pton(AF_INET6, argv[1], &agent.sin6_addr) != 1) return 2;
  for (int i = 0; i < 2; i++) {
    links[i].index = (int)if_nametoindex(argv[i + 2]);
    links[i].socket = socket(AF_INET6, SOCK_DGRAM, 0);
    if (setsockopt(links[i].socket, SOL_SOCKET, SO_BINDTODEVICE, argv[i + 2], (socklen_t)strlen(argv[i + 2]))) return 1;
  }
  const int events = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  const struct sockaddr_nl groups = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK | RTMGRP_IPV6_IFADDR};
  if (bind(events, (const struct sockaddr*)&groups, sizeof groups)) return 1;
  for (;;) {
    _Alignas(struct nlmsghdr) char buffer[32768];
    ssize_t length = recv(events, buffer, sizeof buffer, 0);
    for (struct nlmsghdr* message = (struct nlmsghdr*)buffer; NLMSG_OK(message, length); message = NLMSG_NEXT(message, length)) {
      int index = 0;
      const int told = read_message(message, &index);
      for (int i = 0; i < 2; i++) {
        if (told == 0 || links[i].index != index || links[i].gone == (told == 1)) continue;
        links[i].gone = told == 1;
        if (links[i].gone && send_by(&links[1 - i], &agent)) perror("floor");
      }
    }
  }
}
